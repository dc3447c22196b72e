// How the platform does: six figures and six charts of a time, each opening the rows behind it, and two of this moment.
import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { Clock } from "lucide-react";
import { Plot } from "$/public/external/blitzhub/charts/plot/plot.jsx";
import { age, changeBps, count, exactSol, NONE, marketSol, percent } from "$/public/external/blitzhub/feed/figures.js";
import { ms, waits } from "$/public/external/blitzhub/pages/admin/frame/engine_words.js";
import { usePoll } from "$/public/external/blitzhub/pages/admin/frame/poll.js";
import { useAnswer } from "./asking.js";
import { PeriodBar, usePeriod } from "./period.jsx";
import { Failed, moment, Rows } from "./rows.jsx";

const OLD_MS = 30_000;
const STEP_MS = { hour: 3_600_000, day: 86_400_000 };
const sol = (lamports) => `${marketSol(lamports)} SOL`;

// What each figure is called, how it reads, and what it opens: rows in this place, or the token table.
const CARDS = [
  ["lamports", "Volume", sol, "trades"],
  ["fee_lamports", "Fees", sol, "trades"],
  ["trades", "Trades", count, "trades"],
  ["traders", "Traders", count, "traders"],
  ["launches", "Launches", count, "launched"],
  ["graduations", "Graduations", count, "graduated"],
];
const CHARTS = [
  ["volume", "Volume, SOL", "trades"],
  ["fees", "Fees by kind, SOL", "trades"],
  ["trades", "Trades", "trades"],
  ["traders", "Active traders", "traders"],
  ["launches", "Launches", "launched"],
  ["graduations", "Graduations", "graduated"],
];

function Card({ name, caption, reads, answer, onOpen }) {
  const [now, before] = [answer.totals[name], answer.before[name]];
  const isSol = name.endsWith("lamports");
  const of = isSol ? `${exactSol(now)} SOL` : String(now);
  return (
    <button type="button" className="bh-card bh-stat bh-stat--opens" onClick={onOpen} title={of} data-testid={`card-${name}`} data-value={now}>
      <span className="bh-caption">{caption}</span>
      <span className="bh-stat__figure">{reads(now)}</span>
      <span className="bh-stat__change bh-muted" title={`${reads(before)} in the same time before`}>
        {percent(changeBps(before, now))} <span className="bh-faint">before: {reads(before)}</span>
      </span>
    </button>
  );
}

// What opens the engine room: no time is chosen for it, it is now.
function Now({ name, caption, figure, small }) {
  return (
    <a className="bh-card bh-stat bh-stat--opens" href="/admin/engine" data-testid={`card-${name}`}>
      <span className="bh-caption">{caption}</span>
      <span className="bh-stat__figure">{figure}</span>
      <span className="bh-stat__change bh-muted">{small}</span>
    </a>
  );
}

function Engine() {
  const { answer, error, heardAt } = usePoll("/admin/engine");
  if (answer === null && !error) return ["p99", "oldest"].map((name) => <span key={name} className="bh-skeleton bh-activity__card" aria-hidden />);
  const fill = answer?.latencies.fill?.live;
  const waiting = answer && waits(answer.queues, answer.now_ms + (Date.now() - heardAt));
  const old = error ? `not heard: ${error.message}` : null;
  return (
    <>
      <Now name="p99" caption="Accept to fill, p99" figure={ms(fill?.p99)} small={old ?? `last minute, ${count(fill?.count ?? 0)} orders`} />
      <Now name="oldest" caption="Oldest order" figure={waiting?.oldest ?? NONE} small={old ?? waiting.held ?? (waiting.orders ? `of ${count(waiting.orders)} that wait` : "none waits")} />
    </>
  );
}

function Counted({ answer }) {
  const { counted_at_ms: at, now_ms: now } = answer;
  const isOld = at === null || now - at > OLD_MS;
  const words = at === null ? "Trades are being counted" : `Counted ${age(at, now) === "now" ? "now" : `${age(at, now)} ago`}`;
  return (
    <span className={`bh-period__counted bh-small ${isOld ? "bh-warn" : "bh-faint"}`} data-testid="counted" title={at === null ? "" : moment(at)}>
      {isOld && <Clock className="bh-icon" aria-hidden />}
      {words}
    </span>
  );
}

export function Overview() {
  const [query, change] = usePeriod();
  const { answer, error } = useAnswer(`/admin/activity/overview?${query}`);
  const [behind, setBehind] = useState(null);
  const rows = useRef(null);
  const navigate = useNavigate();
  const asked = query.toString();
  useEffect(() => setBehind(null), [asked]);
  useEffect(() => {
    if (behind) rows.current?.scrollIntoView({ block: "nearest" });
  }, [behind]);
  const open = (kind, title, fromMs, untilMs, step) => {
    if (kind === "launched" || kind === "graduated") {
      const days = fromMs === answer.from_ms && untilMs === answer.until_ms ? query : new URLSearchParams({ first: moment(fromMs).slice(0, 10), last: moment(untilMs - 1).slice(0, 10) });
      navigate(`/admin/tokens?${days}&only=${kind}`);
      return;
    }
    const span = fromMs % STEP_MS.day === 0 && untilMs % STEP_MS.day === 0 ? "day" : "hour";
    const of = new URLSearchParams({ from_ms: fromMs, until_ms: untilMs, ...(kind === "traders" ? { span } : {}) });
    setBehind({ kind, query: of.toString(), title: `${title}: ${moment(fromMs).slice(0, 16)} to ${moment(untilMs).slice(0, 16)}` });
  };
  const openStep = (kind, title) => (fromMs) => open(kind, title, fromMs, fromMs + STEP_MS[answer.step]);
  return (
    <div className="bh-activity" data-testid="overview" data-ready={answer !== null}>
      <h1 className="bh-visually-hidden">Overview</h1>
      <PeriodBar query={query} change={change}>
        {answer && <Counted answer={answer} />}
      </PeriodBar>
      {error && <Failed error={error} />}
      <div className="bh-activity__cards bh-activity__cards--eight">
        {answer
          ? CARDS.map(([name, caption, reads, kind]) => (
              <Card key={name} name={name} caption={caption} reads={reads} answer={answer} onOpen={() => open(kind, caption, answer.from_ms, answer.until_ms)} />
            ))
          : CARDS.map(([name]) => <span key={name} className="bh-skeleton bh-activity__card" aria-hidden />)}
        <Engine />
      </div>
      {behind && (
        <div ref={rows}>
          <Rows behind={behind} onClose={() => setBehind(null)} />
        </div>
      )}
      <div className="bh-activity__charts">
        {CHARTS.map(([name, title, kind]) => (
          <section key={name} className="bh-card bh-plotcard" aria-label={title} data-testid={`chart-${name}`}>
            <h3 className="bh-plotcard__title">{title}</h3>
            <Plot figure={answer?.charts[name]} label={`${title} by ${answer?.step ?? "step"}`} onPick={openStep(kind, title)} />
          </section>
        ))}
      </div>
    </div>
  );
}
