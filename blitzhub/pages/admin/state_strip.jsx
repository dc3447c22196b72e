// The strip above every operators' page: how the platform stands, two seconds old at most, and its emergency brake.
import { CircleCheck, Clock, TriangleAlert } from "lucide-react";
import { age, clock } from "$/public/external/blitzhub/feed/figures.js";
import { ActionButton, useActions } from "./action.jsx";
import { usePoll } from "./poll.js";

const STALE_MS = 10_000;
const OLD_CHECK_MS = 60_000;

const ago = (then, now) => (now - then < 1_000 ? "now" : `${age(then, now)} ago`);

function ledger(state, now) {
  if (state.checked_at_ms === null) return ["warn", "Ledger and chain: not compared yet"];
  const when = ago(state.checked_at_ms, now);
  if (!state.agrees) return ["fault", `Ledger differs from chain in ${state.differences}, ${when}`];
  if (now - state.checked_at_ms > OLD_CHECK_MS) return ["warn", `Ledger last compared ${when}`];
  return ["ok", `Ledger = chain, ${when}`];
}

function withdrawals(state) {
  const since = state.withdrawals_frozen_since_ms;
  if (since === null) return ["ok", "Withdrawals on"];
  return ["fault", `Withdrawals frozen since ${clock(since).slice(0, 5)}`, state.withdrawals_reason];
}

function buying(state) {
  const since = state.buying_paused_since_ms;
  return since === null ? ["ok", "Trading on"] : ["warn", `Buying paused since ${clock(since).slice(0, 5)}`];
}

const ICONS = { ok: CircleCheck, warn: TriangleAlert, fault: TriangleAlert };

// `why` does not fit into the strip: the engine room says it in full.
function Item({ name, tone, words, why }) {
  const Icon = ICONS[tone];
  return (
    <span className={`bh-strip__item bh-strip__item--${tone}`} data-testid={`strip-${name}`} data-tone={tone} title={why}>
      <Icon className="bh-icon" aria-hidden />
      {words}
    </span>
  );
}

export function StateStrip({ account = "", localnet = false }) {
  const { answer, error, heardAt, again } = usePoll("/admin/status");
  const { ask, dialog } = useActions({ account, localnet, staff: answer, again });
  if (answer === null) {
    return <div className="bh-strip" data-testid="strip">{error ? error.message : <span className="bh-skeleton bh-strip__skeleton" aria-hidden />}</div>;
  }
  const { state, now_ms: now } = answer;
  const items = { buying: buying(state), withdrawals: withdrawals(state), ledger: ledger(state, now) };
  const isStale = error !== null && Date.now() - heardAt > STALE_MS;
  const action = state.buying_paused_since_ms === null ? "pause_platform" : "resume_platform";
  return (
    <div className={`bh-strip ${isStale ? "bh-stale" : ""}`} data-testid="strip" role="region" aria-label="State of the platform" tabIndex={0}>
      {Object.entries(items).map(([name, [tone, words, why]]) => (
        <Item key={name} name={name} tone={tone} words={words} why={why} />
      ))}
      {isStale && (
        <span className="bh-strip__item bh-strip__item--warn">
          <Clock className="bh-icon" aria-hidden />
          as of {clock(heardAt)}
        </span>
      )}
      <span className="bh-strip__role bh-small bh-muted" data-testid="strip-role">
        {answer.role} · {answer.backend}
      </span>
      <ActionButton action={action} target="platform" name="the platform" staff={answer} onAsk={ask} />
      {dialog}
    </div>
  );
}
