// How the last comparison of ledger and chain reads, from GET /api/proof; null while nobody knows of one.
import { age, clock } from "$/public/external/blitzhub/feed/figures.js";

const OLD_MS = 60_000;

const ago = (then, now) => (now - then < 1000 ? "now" : `${age(then, now)} ago`);

function compared({ agrees }, checked, now) {
  if (now - checked > OLD_MS) return ["old", `Ledger and chain were last compared ${ago(checked, now)}`];
  if (!agrees) return ["different", `Ledger differs from chain, checked ${ago(checked, now)}`];
  return ["equal", `Ledger = chain, checked ${ago(checked, now)}`];
}

/** Its state, and the words. `heard` is when the proof came, by the same clock as `now`; both in milliseconds. */
export function told(proof, heard, now) {
  if (proof === null) return ["unknown", "Ledger and chain: no comparison known"];
  const [state, words] = compared(proof, heard - proof.age_ms, now);
  const frozen = proof.withdrawals_frozen_since_ms;
  if (frozen === null) return [state, words];
  return ["frozen", `${words}. Withdrawals wait while we check the ledger, since ${clock(frozen).slice(0, 5)}`];
}
