// The withdrawal form: asset, amount, destination, what it costs, and one step that shows all of it in full.
import { useEffect, useRef, useState } from "react";
import { TriangleAlert } from "lucide-react";
import { exactText, readAmount, units } from "$/public/external/blitzhub/client/amounts.js";
import { call, Refused } from "$/public/external/blitzhub/client/api.js";
import { clock, exactSol, NONE, ownSol, shortAddress } from "$/public/external/blitzhub/feed/figures.js";
import { Confirm } from "./confirm.jsx";
import { exactly, SOL, SOL_DECIMALS, waitWords } from "./withdrawal.js";

const ASK_MS = 250;
const REFRESH_MS = 10_000;

/** What sending the asset to that address costs, asked again as the account moves; `words` where it cannot be. */
function useCosts(asset, address, moved) {
  const [answer, setAnswer] = useState({ key: "", costs: null, words: "" });
  const key = `${asset} ${address}`;
  useEffect(() => {
    if (!address) return undefined;
    let gone = false;
    const ask = async () => {
      const query = new URLSearchParams({ asset, destination: address });
      try {
        const costs = await call("GET", `/me/withdrawals/quote?${query}`);
        if (!gone) setAnswer({ key, costs, words: "" });
      } catch (error) {
        if (!gone) setAnswer({ key, costs: null, words: error instanceof Refused ? error.message : "Fees cannot be read now." });
      }
    };
    const first = setTimeout(ask, ASK_MS);
    const again = setInterval(ask, REFRESH_MS);
    return () => {
      gone = true;
      clearTimeout(first);
      clearInterval(again);
    };
  }, [key, moved]);
  return answer.key === key ? answer : { key, costs: null, words: "" };
}

function Line({ label, children, testid }) {
  return (
    <div className="bh-quote__row">
      <span className="bh-muted">{label}</span>
      <span className="bh-fig" data-testid={testid}>
        {children}
      </span>
    </div>
  );
}

const paid = (lamports) => (lamports == null ? NONE : <span title={`${exactSol(lamports)} SOL`}>{ownSol(lamports, { pays: true })} SOL</span>);

function Costs({ asset, amount, symbol, decimals, costs }) {
  const extra = costs ? BigInt(costs.fee_lamports) + BigInt(costs.rent_lamports) : null;
  const total = extra === null || amount === null ? null : asset === SOL ? String(extra + amount) : String(extra);
  return (
    <div className="bh-quote" data-testid="withdraw-costs">
      <Line label="Network fee" testid="withdraw-fee">
        {paid(costs?.fee_lamports)}
      </Line>
      <Line label="Rent of a token account there" testid="withdraw-rent">
        {costs?.rent_lamports === "0" ? "none" : paid(costs?.rent_lamports)}
      </Line>
      <Line label="Leaves your balance" testid="withdraw-total">
        {total === null ? NONE : asset === SOL ? paid(total) : `${exactly(String(amount), asset, symbol, decimals)} and ${ownSol(total, { pays: true })} SOL`}
      </Line>
      <Line label="Arrives there" testid="withdraw-arrives">
        {amount === null ? NONE : exactly(String(amount), asset, symbol, decimals)}
      </Line>
    </div>
  );
}

function Notes({ costs }) {
  if (!costs) return null;
  const notes = [];
  if (costs.frozen_since_ms) notes.push(`Withdrawals wait while we check the ledger, since ${clock(costs.frozen_since_ms)}. Trading goes on.`);
  if (costs.is_new) {
    const wait = costs.delay_ms ? ` It leaves after ${waitWords(costs.delay_ms)}, and you can take it back until then.` : "";
    notes.push(`You have not sent to this address before.${wait}${costs.sign_in_again ? " Your wallet will ask you to sign in again." : ""}`);
  }
  if (costs.kind === "transfer") notes.push("This is a trading wallet on BlitzHub: it is credited at once.");
  return notes.map((words) => (
    <div key={words} className="bh-note bh-note--warn" role="status">
      <TriangleAlert className="bh-icon" aria-hidden />
      <span>{words}</span>
    </div>
  ));
}

/** Why it cannot be sent yet, as the button says it; empty when it can. */
function lacking({ amount, typed, address, answer }) {
  if (!address) return "Enter an address";
  if (typed.error) return typed.error;
  if (!amount) return "Enter an amount";
  if (answer.words) return "Check the address";
  if (!answer.costs) return "Reading the fee…";
  if (answer.costs.frozen_since_ms) return "Withdrawals are paused";
  if (amount > BigInt(answer.costs.max)) return "More than can leave now";
  if (amount < BigInt(answer.costs.minimum)) return "Too little for that wallet";
  return "";
}

export function WithdrawForm({ account, wallet, localnet }) {
  const [asset, setAsset] = useState(SOL);
  const [text, setText] = useState("");
  const [elsewhere, setElsewhere] = useState(false);
  const [typedAddress, setTypedAddress] = useState("");
  const [open, setOpen] = useState(false);
  const opener = useRef(null);
  const held = wallet.tokens.find((one) => one.token === asset);
  const [symbol, decimals] = asset === SOL ? ["SOL", SOL_DECIMALS] : [held?.symbol ?? "", held?.decimals ?? 6];
  const typed = readAmount(text, decimals);
  const address = elsewhere ? typedAddress.trim() : account;
  const answer = useCosts(asset, address, wallet.account_seq);
  const amount = typed.units;
  const lack = lacking({ amount, typed, address, answer });
  useEffect(() => {
    if (asset !== SOL && !held) setAsset(SOL);
  }, [asset, held]);
  const sent = () => {
    setText("");
    setOpen(false);
  };
  return (
    <section className="bh-card bh-card--pad bh-funds__card" aria-label="Withdraw">
      <h2 className="bh-title">Withdraw</h2>
      <label className="bh-field">
        <span className="bh-label">Asset</span>
        <select className="bh-input" value={asset} onChange={(event) => (setAsset(event.target.value), setText(""))} data-testid="withdraw-asset">
          <option value={SOL}>SOL</option>
          {wallet.tokens.map((one) => (
            <option key={one.token} value={one.token}>
              {one.symbol} {shortAddress(one.token)}
            </option>
          ))}
        </select>
      </label>
      <div className="bh-field">
        <label className="bh-amount" data-invalid={Boolean(typed.error)}>
          <span className="bh-visually-hidden">Amount</span>
          <input className="bh-amount__input" inputMode="decimal" autoComplete="off" placeholder="0" maxLength={30} value={text} onChange={(event) => setText(event.target.value)} data-testid="withdraw-amount" />
          <span className="bh-amount__unit">{symbol}</span>
        </label>
        <button type="button" className="bh-chip bh-funds__max" disabled={!answer.costs} onClick={() => setText(exactText(units(answer.costs.max), decimals))} data-testid="withdraw-max">
          Max {answer.costs ? exactText(units(answer.costs.max), decimals) : NONE}
        </button>
      </div>
      <div className="bh-field" role="radiogroup" aria-label="Destination">
        <div className="bh-funds__row">
          <button type="button" role="radio" className="bh-chip" aria-checked={!elsewhere} onClick={() => setElsewhere(false)} data-testid="withdraw-own">
            My wallet {shortAddress(account)}
          </button>
          <button type="button" role="radio" className="bh-chip" aria-checked={elsewhere} onClick={() => setElsewhere(true)} data-testid="withdraw-elsewhere">
            Another address
          </button>
        </div>
        {elsewhere && (
          <input className="bh-input bh-fig" placeholder="Solana address" autoComplete="off" spellCheck={false} maxLength={60} value={typedAddress} aria-invalid={Boolean(answer.words)} aria-label="Solana address" onChange={(event) => setTypedAddress(event.target.value)} data-testid="withdraw-address" />
        )}
        {elsewhere && <div className={answer.words ? "bh-error" : "bh-hint"}>{answer.words || "Check it twice: nobody can bring a wrong one back."}</div>}
        {!elsewhere && answer.words && <div className="bh-error">{answer.words}</div>}
      </div>
      <Costs asset={asset} amount={amount} symbol={symbol} decimals={decimals} costs={answer.costs} />
      <Notes costs={answer.costs} />
      <button ref={opener} type="button" className="bh-button bh-button--main bh-button--wide bh-button--accent" aria-disabled={Boolean(lack)} onClick={() => !lack && setOpen(true)} data-testid="withdraw-submit">
        {lack || `Withdraw ${exactly(String(amount), asset, symbol, decimals)}`}
      </button>
      {open && answer.costs && (
        <Confirm account={account} localnet={localnet} request={{ asset, amount: String(amount), destination: address }} symbol={symbol} decimals={decimals} costs={answer.costs} openerRef={opener} onClose={() => setOpen(false)} onSent={sent} />
      )}
    </section>
  );
}
