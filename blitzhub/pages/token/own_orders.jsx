// One's own orders of a token, with what is known of each: never a state more than the engine knows, never one back.
import { useEffect, useState } from "react";
import { Check, CheckCheck, Clock, LoaderCircle, TriangleAlert, X } from "lucide-react";
import { CopyText } from "$/public/external/blitzhub/components/browser/copy_text.jsx";
import { learned, useSentOrders } from "$/public/external/blitzhub/client/orders.js";
import { age, clock, exactSol, exactTokens, NONE, ownSol, ownTokens, price } from "$/public/external/blitzhub/feed/figures.js";

const PILLS = {
  sending: ["Sending", LoaderCircle, ""],
  unknown: ["Checking", TriangleAlert, "warn"],
  queued: ["Queued", Clock, "queued"],
  parked: ["Held for review", TriangleAlert, "warn"],
  filled: ["Filled", Check, "filled"],
  confirmed: ["Confirmed", CheckCheck, "confirmed"],
  rejected: ["Rejected", X, "rejected"],
};
const REASONS = {
  slippage: "Price moved past your limit",
  funds: "Not enough balance",
  deadline: "Waited past its time limit",
  paused: "Trading is paused",
  held: "Trading is stopped",
  frozen: "Your account is frozen",
  not_tradable: "Not tradable yet",
  opening_cap: "Over the opening's cap",
  pool_out_of_range: "More than the pool can take",
  below_minimum: "Below the smallest order",
  nothing_bought: "Too little to buy anything",
  nothing_received: "Too little to receive anything",
  engine_error: "Our engine failed, operators know",
  not_arrived: "Did not arrive in time",
};
const STEPS = Object.keys(PILLS);
const LONG_MS = 10_000;

/** The ledger's rows and this tab's own, newest first; of two that tell of one order the further one counts. */
function merged(rows, sent) {
  const byId = new Map(rows.map((row) => [row.client_order_id, row]));
  for (const order of sent) {
    const row = byId.get(order.client_order_id);
    if (!row || STEPS.indexOf(order.state) > STEPS.indexOf(row.state)) byId.set(order.client_order_id, { ...row, ...order });
  }
  return [...byId.values()].sort((a, b) => (b.accepted_at_ms ?? 0) - (a.accepted_at_ms ?? 0));
}

export function StatePill({ order }) {
  const [word, Icon, tone] = PILLS[order.state] ?? PILLS.unknown;
  return (
    <span className={`bh-pill ${tone ? `bh-pill--${tone}` : ""}`}>
      <Icon aria-hidden className={order.state === "sending" ? "bh-spin" : undefined} />
      {word}
    </span>
  );
}

/** How long a filled order has been waiting for Solana, once that is long. */
function Waiting({ since }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const waited_ms = now - since;
  if (!(waited_ms > LONG_MS)) return NONE;
  const waited = age(since, now);
  return <span title={`Yours in the ledger; waiting for Solana, ${waited}`} data-testid="order-waiting">{`waiting ${waited}`}</span>;
}

function Price({ units }) {
  const { lead, zeros, digits, exact } = price(units);
  return (
    <span title={exact} aria-label={exact}>
      {lead}
      {zeros > 0 && <sub>{zeros}</sub>}
      {digits}
    </span>
  );
}

function Amounts({ order, decimals }) {
  const filled = order.lamports != null && order.tokens != null;
  const sol = filled ? order.lamports : order.side === "buy" ? order.amount : null;
  const tokens = filled ? order.tokens : order.side === "sell" ? order.amount : null;
  return (
    <>
      <td className="bh-right" data-testid="order-sol">{sol == null ? NONE : <span title={`${exactSol(sol)} SOL`}>{ownSol(sol, { pays: order.side === "buy" })}</span>}</td>
      <td className="bh-right bh-wide-only" data-testid="order-tokens">{tokens == null ? NONE : <span title={exactTokens(tokens, decimals)}>{ownTokens(tokens, decimals)}</span>}</td>
    </>
  );
}

function Row({ order, decimals }) {
  return (
    <tr data-testid="order-row" data-state={order.state} data-side={order.side} data-order={order.client_order_id} data-signature={order.signature ?? ""}>
      <td className="bh-fig bh-muted">{order.accepted_at_ms ? clock(order.accepted_at_ms) : NONE}</td>
      <td className={order.side === "buy" ? "bh-up" : "bh-down"}>{order.side === "buy" ? "Buy" : "Sell"}</td>
      <Amounts order={order} decimals={decimals} />
      <td className="bh-right bh-wide-only">
        <Price units={order.price ?? null} />
      </td>
      <td>
        <StatePill order={order} />
      </td>
      <td className="bh-right">
        {order.state === "rejected" ? (
          <span className="bh-order__reason">{REASONS[order.reason] ?? order.detail ?? NONE}</span>
        ) : order.signature ? (
          <CopyText text={order.signature} label="Signature" />
        ) : order.state === "filled" ? (
          <Waiting since={order.decided_at_ms ?? order.at_ms ?? order.accepted_at_ms} />
        ) : (
          NONE
        )}
      </td>
    </tr>
  );
}

/** Always on the page, whichever tab is open: what the ledger says reaches the orders this tab is following. */
export function OrderNews({ rows = [] }) {
  useEffect(() => {
    for (const row of rows) learned(row.client_order_id, row);
  }, [rows]);
  return null;
}

export function OwnOrders({ token, decimals = 6, account = "", rows = [] }) {
  const sent = useSentOrders(account, token);
  const orders = account ? merged(rows, sent) : [];
  if (!orders.length) return <div className="bh-empty">Your orders appear here the moment you send them.</div>;
  return (
    <div className="bh-scroll" tabIndex={0} role="region" aria-label="My orders">
      <table className="bh-table bh-table--roomy" data-testid="own-orders">
        <thead>
          <tr>
            <th>Time</th>
            <th>Side</th>
            <th className="bh-right">SOL</th>
            <th className="bh-right bh-wide-only">Tokens</th>
            <th className="bh-right bh-wide-only">Price</th>
            <th>State</th>
            <th className="bh-right">Solana</th>
          </tr>
        </thead>
        <tbody>
          {orders.map((order) => (
            <Row key={order.client_order_id} order={order} decimals={decimals} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
