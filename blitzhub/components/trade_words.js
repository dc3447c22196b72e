// What a trader is told: what happened, what of the money, what next.
import { ownSol, share } from "$/public/external/blitzhub/feed/figures.js";

const untouched = (side) => (side === "buy" ? "Nothing was spent." : "Your tokens are untouched.");
const notDone = (side) => (side === "buy" ? "Not bought" : "Not sold");

const SENTENCES = {
  slippage: (c) => `${notDone(c.side)}: the price moved past your ${c.limit} limit. ${untouched(c.side)}`,
  funds: (c) => (c.side === "buy" ? `Not enough SOL. ${untouched(c.side)}` : `Not enough ${c.symbol}. ${untouched(c.side)}`),
  deadline: (c) => `${notDone(c.side)}: the order waited past its time limit. ${untouched(c.side)}`,
  not_arrived: (c) => `${notDone(c.side)}: the order did not arrive, and its time limit has passed. ${untouched(c.side)}`,
  paused: (c) => `Buying ${c.symbol} is paused. Your balance is safe, and you can sell.`,
  held: (c) => `Trading in ${c.symbol} is stopped: Solana refused what its vault owes. Your balance is safe, operators know.`,
  frozen: (c) => `${notDone(c.side)}: your account is on hold. Nothing is lost; operators know.`,
  opening_cap: (c) => `${notDone(c.side)}: more than one account may hold while the opening lasts. ${untouched(c.side)}`,
  pool_out_of_range: (c) => `${notDone(c.side)}: more than the pool can take. ${untouched(c.side)}`,
  not_tradable: (c) => `${c.symbol} is not tradable yet. ${untouched(c.side)}`,
  unknown_token: (c) => `There is no such token. ${untouched(c.side)}`,
  below_minimum: (c) => `Less than the smallest order. ${untouched(c.side)}`,
  nothing_bought: (c) => `Too little to buy the smallest amount. ${untouched(c.side)}`,
  nothing_received: (c) => `Too little to receive anything for it. ${untouched(c.side)}`,
  engine_error: (c) => `${notDone(c.side)}: our engine could not process it${c.orderId ? ` (id ${c.orderId.slice(0, 4)}…)` : ""}. ${untouched(c.side)} Operators know.`,
  unavailable: (c) => `We could not take the order just now. ${untouched(c.side)}`,
  not_signed_in: () => "Your session has ended. Sign in again.",
  too_many_requests: (c) => `Too many requests. Again in ${c.retryAfterS ?? 1} s.`,
};

/** The sentence for a refusal's or rejection's code; `detail` is the server's own, for codes without one here. */
export function refusalSentence(code, context, detail) {
  const sentence = SENTENCES[code];
  return sentence ? sentence(context) : `${detail || "The order was refused."} ${untouched(context.side)}`;
}

/** What the main button says and whether it may be pressed. First match wins. */
export function buttonState({ side, symbol, stage, paused, account, phase, offline, amount, minimum, limit, quote, accepted, typed }) {
  const unit = side === "buy" ? "SOL" : symbol;
  const off = (label, reason = label) => ({ label, reason, ready: false });
  if (phase === "unknown") return off("Checking…", "We could not tell whether your order arrived. Checking it by its own id; do not send another.");
  if (phase === "sending") return off("Sending…");
  if (offline) return off("Offline");
  if (stage === "launching") return off("Launching…", "Tradable once its launch is confirmed on Solana");
  if (stage === "failed") return off("Launch failed", "This token never came to exist");
  if (paused && side === "buy") return off("Paused", `Buying ${symbol} is paused. Your balance is safe.`);
  if (!account) return { label: "Sign in to trade", reason: "", ready: true, signIn: true };
  if (amount.error) return off(amount.error);
  if (amount.units === null || amount.units === 0n) return off("Enter an amount");
  if (side === "buy" && amount.units < minimum) return off(`At least ${ownSol(minimum)} SOL`);
  if (limit !== null && amount.units > limit) return off(`Not enough ${unit}`);
  if (quote.error) return off("No price", refusalSentence(quote.error.code, { side, symbol }, quote.error.message));
  if (!quote.answer || !quote.fits) return off("Asking for the price…");
  if (!accepted) return off("Accept the price impact");
  return { label: `${side === "buy" ? "Buy" : "Sell"} ${symbol} · ${typed}`, reason: "", ready: true };
}
