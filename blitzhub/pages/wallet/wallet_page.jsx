// The wallet page: what one has, where deposits go, the withdrawal form, and what moved.
import { CopyText } from "$/public/external/blitzhub/components/browser/copy_text.jsx";
import { exactSol, groupedAddress, NONE, ownSol } from "$/public/external/blitzhub/feed/figures.js";
import { FaucetButton } from "$/public/external/blitzhub/wallet/faucet.jsx";
import { History } from "./history.jsx";
import { WithdrawForm } from "./withdraw_form.jsx";

function Stat({ caption, lamports, hint, testid }) {
  return (
    <div className="bh-card bh-stat">
      <div className="bh-caption bh-muted">{caption}</div>
      <div className="bh-stat__figure" data-testid={testid} data-lamports={lamports ?? ""} title={lamports == null ? undefined : `${exactSol(lamports)} SOL`}>
        {lamports == null ? NONE : `${ownSol(lamports)} SOL`}
      </div>
      <div className="bh-stat__change bh-faint">{hint}</div>
    </div>
  );
}

const sum = (amounts) => String(amounts.reduce((total, amount) => total + BigInt(amount), 0n));

function Deposit({ wallet, localnet }) {
  return (
    <section className="bh-card bh-card--pad bh-funds__card" aria-label="Deposit">
      <h2 className="bh-title">Deposit</h2>
      <p className="bh-small bh-muted">Send SOL to your trading wallet. It is yours to trade with once Solana has finalized it.</p>
      <div className="bh-funds__address bh-fig" data-testid="deposit-address" data-address={wallet.wallet}>
        {groupedAddress(wallet.wallet)}
      </div>
      <div className="bh-funds__row">
        <CopyText text={wallet.wallet} word="Copy address" label="Deposit address" />
        {localnet && <FaucetButton balance={wallet.lamports} />}
      </div>
    </section>
  );
}

function SignedOut() {
  return (
    <div className="bh-message">
      <h1 className="bh-h2">Sign in to see your wallet.</h1>
      <button type="button" className="bh-button bh-button--accent" onClick={() => window.dispatchEvent(new Event("blitzhub:sign-in"))}>
        Sign in
      </button>
    </div>
  );
}

function Loading() {
  return (
    <div className="bh-funds" aria-busy="true">
      {[0, 1, 2].map((number) => (
        <span key={number} className="bh-skeleton bh-funds__skeleton" />
      ))}
    </div>
  );
}

export function WalletPage({ account = "", localnet = false, wallet = {}, known = false }) {
  if (!known) return <Loading />;
  if (!account || !wallet.wallet) return <SignedOut />;
  return (
    <div className="bh-funds">
      <h1 className="bh-visually-hidden">Wallet</h1>
      <div className="bh-funds__stats">
        <Stat caption="SOL" lamports={wallet.lamports} hint={`${exactSol(wallet.locked_lamports)} keep your wallet open on Solana`} testid="wallet-sol" />
        <Stat caption="Free to use" lamports={wallet.free_lamports} hint="To trade with or to withdraw" testid="wallet-free" />
        <Stat caption="Tokens" lamports={sum(wallet.tokens.map((held) => held.value_lamports))} hint={`${wallet.tokens.length} held, at their present prices`} testid="wallet-tokens" />
      </div>
      <div className="bh-funds__side">
        <WithdrawForm account={account} wallet={wallet} localnet={localnet} />
        <Deposit wallet={wallet} localnet={localnet} />
      </div>
      <History account={account} wallet={wallet} />
    </div>
  );
}
