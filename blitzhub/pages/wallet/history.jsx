// What moved: deposits, withdrawals and transfers, each with its state and signature; and token accounts to close.
import { useEffect, useState } from "react";
import { ArrowDownLeft, ArrowUpRight, Check, CheckCheck, Clock, RotateCcw, X } from "lucide-react";
import { CopyText } from "$/public/external/blitzhub/components/browser/copy_text.jsx";
import { call, newId } from "$/public/external/blitzhub/client/api.js";
import { age, clock, exactSol, exactTokens, NONE, ownSol, ownTokens } from "$/public/external/blitzhub/feed/figures.js";
import { send, SOL, waitWords } from "./withdrawal.js";

const PILLS = {
  waiting: ["Waiting", Clock, "queued"],
  queued: ["Queued", Clock, "queued"],
  sent: ["Sent", Check, "filled"],
  confirmed: ["Confirmed", CheckCheck, "confirmed"],
  cancelled: ["Taken back", RotateCcw, ""],
  failed: ["Failed", X, "rejected"],
};
const DAY_MS = 86_400_000;

function useNow(step_ms) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), step_ms);
    return () => clearInterval(timer);
  }, [step_ms]);
  return now;
}

function StatePill({ row }) {
  const [word, Icon, tone] = PILLS[row.state];
  return (
    <span className={`bh-pill ${tone ? `bh-pill--${tone}` : ""}`}>
      <Icon aria-hidden />
      {word}
    </span>
  );
}

function what(row) {
  if (row.kind === "deposit") return "Deposit";
  if (row.kind === "close") return "Account closed";
  return row.direction === "in" ? "Received" : "Withdrawal";
}

function Amount({ row }) {
  const received = row.direction === "in" || row.kind === "close";
  const amount = row.kind === "close" ? String(BigInt(row.rent_lamports) - BigInt(row.fee_lamports)) : row.amount;
  const isSol = row.asset === SOL || row.kind === "close";
  const exact = isSol ? `${exactSol(amount)} SOL` : `${exactTokens(amount, row.decimals)} ${row.symbol}`;
  return (
    <span title={exact} data-testid="movement-amount">
      {received ? "+" : "−"}
      {isSol ? ownSol(amount, { pays: !received }) : ownTokens(amount, row.decimals)} {isSol ? "SOL" : row.symbol}
    </span>
  );
}

function Other({ row, account }) {
  if (row.kind === "close") return row.symbol;
  if (row.kind === "deposit") return NONE;
  const address = row.direction === "in" ? row.sender : row.destination;
  return <CopyText text={address} word={address === account ? "your wallet" : ""} label="Address" />;
}

function Last({ row, now, onCancel, busy }) {
  if (row.cancellable && row.kind !== "close") {
    const left = row.release_at_ms - now;
    return (
      <span className="bh-funds__row bh-funds__row--end">
        {left > 0 && <span className="bh-small bh-muted bh-wide-only">leaves in {waitWords(left)}</span>}
        <button type="button" className="bh-button bh-button--dense" aria-disabled={busy} onClick={() => !busy && onCancel(row)} data-testid="movement-cancel">
          {busy ? "Taking back…" : "Take back"}
        </button>
      </span>
    );
  }
  if (row.signature) return <CopyText text={row.signature} label="Signature" />;
  if (row.state === "failed") return <span className="bh-order__reason">Solana refused it. Everything is back.</span>;
  return NONE;
}

function Row({ row, account, now, onCancel, busy }) {
  const at = row.created_at_ms;
  return (
    <tr data-testid="movement" data-kind={row.kind} data-state={row.state} data-signature={row.signature ?? ""}>
      <td className="bh-fig bh-muted bh-wide-only" title={new Date(at).toLocaleString()}>
        {now - at < DAY_MS ? clock(at) : age(at, now)}
      </td>
      <td>
        <span className="bh-funds__what">
          {row.direction === "in" ? <ArrowDownLeft className="bh-icon" aria-hidden /> : <ArrowUpRight className="bh-icon" aria-hidden />}
          {what(row)}
        </span>
      </td>
      <td className="bh-right">
        <Amount row={row} />
      </td>
      <td className="bh-wide-only">
        <Other row={row} account={account} />
      </td>
      <td>
        <StatePill row={row} />
      </td>
      <td className="bh-right">
        <Last row={row} now={now} onCancel={onCancel} busy={busy} />
      </td>
    </tr>
  );
}

/** Token accounts that hold nothing: their rent comes back when they are closed. */
function EmptyAccounts({ wallet }) {
  const [asked, setAsked] = useState({});
  const close = async (token) => {
    setAsked((known) => ({ ...known, [token]: "Closing…" }));
    try {
      await send("/me/withdrawals/close", { client_id: newId(), token });
    } catch (error) {
      setAsked((known) => ({ ...known, [token]: error.message }));
    }
  };
  if (!wallet.empty.length) return null;
  return (
    <section className="bh-card bh-card--pad bh-funds__card" aria-label="Empty token accounts">
      <h2 className="bh-title">Empty token accounts</h2>
      <p className="bh-small bh-muted">Closing one gives its rent back, less the network's fee. Buying the token again pays it again.</p>
      {wallet.empty.map((held) => (
        <div key={held.token} className="bh-funds__row">
          <b>{held.symbol}</b>
          <CopyText text={held.token} label="Token" />
          {asked[held.token] ? (
            <span className="bh-small bh-muted" role="status">
              {asked[held.token]}
            </span>
          ) : (
            <button type="button" className="bh-button bh-button--dense" onClick={() => close(held.token)} data-testid={`close-${held.symbol}`}>
              Close, get {ownSol(held.back_lamports)} SOL back
            </button>
          )}
        </div>
      ))}
    </section>
  );
}

export function History({ account, wallet }) {
  const now = useNow(1_000);
  const [busy, setBusy] = useState("");
  const [words, setWords] = useState("");
  const cancel = async (row) => {
    setBusy(row.withdrawal_id);
    setWords("");
    try {
      await call("DELETE", `/me/withdrawals/${row.withdrawal_id}`);
    } catch (error) {
      setWords(error.message);
    }
    setBusy("");
  };
  return (
    <div className="bh-funds__main">
      <section className="bh-card bh-funds__history" aria-label="History">
        <h2 className="bh-title">History</h2>
        {words && (
          <div className="bh-note bh-note--warn" role="alert">
            {words}
          </div>
        )}
        {wallet.history.length ? (
          <div className="bh-scroll" tabIndex={0} role="region" aria-label="Deposits and withdrawals">
            <table className="bh-table bh-table--roomy" data-testid="history">
              <thead>
                <tr>
                  <th className="bh-wide-only">Time</th>
                  <th>What</th>
                  <th className="bh-right">Amount</th>
                  <th className="bh-wide-only">From, to</th>
                  <th>State</th>
                  <th className="bh-right">Solana</th>
                </tr>
              </thead>
              <tbody>
                {wallet.history.map((row) => (
                  <Row key={row.withdrawal_id} row={row} account={account} now={now} onCancel={cancel} busy={busy === row.withdrawal_id} />
                ))}
              </tbody>
            </table>
          </div>
        ) : (
          <div className="bh-empty">Deposits and withdrawals appear here.</div>
        )}
      </section>
      <EmptyAccounts wallet={wallet} />
    </div>
  );
}
