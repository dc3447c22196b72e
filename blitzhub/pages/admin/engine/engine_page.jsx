// The engine room: what waits, who works, how fast it goes; asked for every second while it is looked at.
import { TriangleAlert } from "lucide-react";
import { age, clock, count, NONE, ownSol, ownTokens, shortAddress } from "$/public/external/blitzhub/feed/figures.js";
import { ActionButton, useActions } from "$/public/external/blitzhub/pages/admin/frame/action.jsx";
import { ms, seconds, waits } from "$/public/external/blitzhub/pages/admin/frame/engine_words.js";
import { usePoll } from "$/public/external/blitzhub/pages/admin/frame/poll.js";

const EVERY_MS = 1_000;
const UNKNOWN_AGE = "The broker does not say how old its oldest order is. Nothing was executed since the token was held.";

const total = (byProcess) => Object.values(byProcess).reduce((sum, each) => sum + each, 0);

// `tone`: "fault" or "warn" when the small line says what somebody has to see to.
function Figure({ caption, children, small, id, tone = null }) {
  return (
    <div className="bh-card bh-stat bh-engine__stat">
      <div className="bh-caption">{caption}</div>
      <div className="bh-stat__figure" data-testid={`engine-${id}`}>
        {children}
      </div>
      <div className={`bh-stat__change ${tone ? `bh-strip__item bh-strip__item--${tone}` : "bh-muted"}`} data-tone={tone}>
        {tone && <TriangleAlert className="bh-icon" aria-hidden />}
        {small}
      </div>
    </div>
  );
}

function Table({ title, heads, rows, empty, id, short = false }) {
  return (
    <section className="bh-card bh-engine__card" aria-label={title}>
      <h2 className="bh-title bh-engine__title">{title}</h2>
      <div className={`bh-engine__scroll ${short ? "bh-engine__scroll--short" : ""}`} tabIndex={0} role="region" aria-label={`${title}, table`}>
        <table className="bh-table" data-testid={id}>
          <thead>
            <tr>
              {heads.map(([head, right]) => (
                <th key={head} className={right ? "bh-right" : ""} scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>{rows}</tbody>
        </table>
        {!rows.length && <div className="bh-empty">{empty}</div>}
      </div>
    </section>
  );
}

function Workers({ workers, now }) {
  const rows = workers.map((each) => (
    <tr key={each.name} data-testid="worker" data-name={each.name} data-dead={each.is_dead}>
      <td>
        <span className={`bh-pill ${each.is_dead ? "bh-pill--rejected" : ""}`}>
          {each.is_dead && <TriangleAlert aria-hidden />}
          {each.is_dead ? "dead" : "lives"}
        </span>{" "}
        {each.runs.join(", ")}
      </td>
      <td className="bh-fig">{each.name.split("@")[1]}</td>
      <td className="bh-right">{each.silent_s.toFixed(1)}s ago</td>
      <td className="bh-right">{each.is_dead || each.owned_tokens === null ? NONE : count(each.owned_tokens)}</td>
      <td className="bh-right">{each.is_dead ? NONE : each.statements_per_s.toFixed(1)}</td>
      <td className="bh-right">{each.is_dead ? NONE : age(each.started_at_ms, now)}</td>
      <td>{each.runs.includes("web") && each.backend}</td>
      <td className="bh-fig">{each.version}</td>
    </tr>
  ));
  const heads = [["Runs"], ["Process"], ["Beat", 1], ["Tokens", 1], ["Statements/s", 1], ["Up", 1], ["Backend"], ["Version"]];
  return <Table title="Workers" id="workers" heads={heads} rows={rows} empty="No process has told of itself yet." />;
}

function Queues({ queues, now, staff, ask }) {
  const rows = queues.map((each) => (
    <tr key={each.token} data-testid="queue" data-token={each.token} data-orders={each.orders} data-held={each.held}>
      <td>
        <a className="bh-link" href={`/token/${each.token}`}>
          {each.symbol ?? shortAddress(each.token)}
        </a>{" "}
        {each.held && <span className="bh-pill bh-pill--warn">held{each.held_since_ms && ` ${age(each.held_since_ms, now)}`}</span>}
      </td>
      <td className="bh-right">{each.is_known ? count(each.orders) : `${count(each.orders)}+`}</td>
      <td className="bh-right" title={each.held && each.oldest_at_ms === null ? UNKNOWN_AGE : null}>
        {seconds(each.oldest_at_ms, now)}
      </td>
      <td className="bh-engine__do">{each.symbol && <ActionButton action={each.held ? "release_token" : "hold_token"} target={each.token} name={each.symbol} staff={staff} onAsk={ask} />}</td>
    </tr>
  ));
  return <Table title="Queues" id="queues" short heads={[["Token"], ["Waiting", 1], ["Oldest", 1], [""]]} rows={rows} empty="No order waits anywhere." />;
}

const CAUSES = { delivery_limit: "the broker gave it up", killed_workers: "it killed its workers", unreadable: "nobody can read it" };

function what({ side, amount, symbol }) {
  if (side === null) return "no order";
  return side === "buy" ? `Buy ${ownSol(amount, { pays: true })} SOL` : `Sell ${ownTokens(amount)} ${symbol ?? ""}`;
}

function Parked({ parked, now, staff, ask }) {
  const rows = parked.map((each) => (
    <tr key={each.parked_id} data-testid="parked" data-id={each.parked_id} data-wanted={each.wanted ?? ""}>
      <td className="bh-fig" title={each.parked_id}>
        {shortAddress(each.parked_id)}
      </td>
      <td>
        <a className="bh-link" href={`/token/${each.token}`}>
          {each.symbol ?? shortAddress(each.token)}
        </a>
      </td>
      <td>{what(each)}</td>
      <td className="bh-fig" title={each.account_id ?? ""}>
        {each.account_id ? shortAddress(each.account_id) : NONE}
      </td>
      <td>{CAUSES[each.cause] ?? each.cause.replaceAll("_", " ")}</td>
      <td className="bh-right">{seconds(each.parked_at_ms, now)} ago</td>
      <td className="bh-engine__do">
        {each.wanted ? (
          <span className="bh-muted">{each.wanted} asked for</span>
        ) : (
          <>
            {each.side && <ActionButton action="replay_parked" target={each.parked_id} name={shortAddress(each.parked_id)} staff={staff} onAsk={ask} />}
            <ActionButton action="reject_parked" target={each.parked_id} name={shortAddress(each.parked_id)} staff={staff} onAsk={ask} />
          </>
        )}
      </td>
    </tr>
  ));
  const heads = [["Order"], ["Token"], ["What"], ["Trader"], ["Cause"], ["Parked", 1], [""]];
  return <Table title="Parked orders" id="parked-orders" heads={heads} rows={rows} empty="No order is parked." />;
}

const STAGES = { fill: "Accept → fill", confirm: "Fill → confirmed" };

function Latencies({ latencies }) {
  const rows = Object.entries(STAGES).flatMap(([stage, label]) => {
    const told = latencies[stage];
    if (!told) return [];
    return [
      ["live", `${label.replace("→", "to")}, last minute`],
      ["day", `${label.replace("→", "to")}, 24 h${told.since_ms > Date.now() - 86_000_000 ? `, known since ${clock(told.since_ms).slice(0, 5)}` : ""}`],
    ].map(([window, words]) => (
      <tr key={stage + window} data-testid={`latency-${stage}-${window}`}>
        <td>{words}</td>
        <td className="bh-right">{count(told[window].count)}</td>
        {["p50", "p95", "p99"].map((name) => (
          <td key={name} className="bh-right" data-quantile={name}>
            {ms(told[window][name])}
          </td>
        ))}
      </tr>
    ));
  });
  const heads = [["From, to"], ["Orders", 1], ["p50", 1], ["p95", 1], ["p99", 1]];
  return <Table title="Latency" id="latencies" heads={heads} rows={rows} empty="Nobody has measured yet." />;
}

function Statements({ statements }) {
  const rows = statements.map((each) => (
    <tr key={each.kind}>
      <td>{each.kind.replaceAll("+", ", ")}</td>
      <td className="bh-right">{each.per_s.toFixed(1)}</td>
      <td className="bh-right">{each.budget_per_s === null ? NONE : each.budget_per_s}</td>
    </tr>
  ));
  return <Table title="Statements a second" id="statements" heads={[["Process"], ["Now", 1], ["Budget", 1]]} rows={rows} empty="No process has told of itself yet." />;
}

function Settlements({ settlements, oldest, now }) {
  const rows = Object.entries(settlements).map(([state, number]) => (
    <tr key={state} data-testid={`settlements-${state}`}>
      <td>{state}</td>
      <td className="bh-right">{count(number)}</td>
    </tr>
  ));
  rows.push(
    <tr key="oldest">
      <td>oldest pending or signed</td>
      <td className="bh-right">{seconds(oldest, now)}</td>
    </tr>,
  );
  return <Table title="Settlements" id="settlements" heads={[["State"], ["Now", 1]]} rows={rows} empty="" />;
}

export function EnginePage({ account = "", localnet = false }) {
  const { answer, error, heardAt, again } = usePoll("/admin/engine", EVERY_MS);
  const { answer: staff } = usePoll("/admin/status");
  const { ask, dialog, note } = useActions({ account, localnet, staff, again });
  if (answer === null) return <div className="bh-empty">{error ? error.message : "Asking…"}</div>;
  const now = answer.now_ms + (Date.now() - heardAt);
  const waiting = waits(answer.queues, now);
  const { withdrawals_frozen_since_ms: frozen, withdrawals_reason: reason } = answer.state;
  const dead = answer.workers.filter((each) => each.is_dead).length;
  const rate = answer.statements.reduce((sum, each) => sum + each.per_s, 0);
  return (
    <div className="bh-engine" data-testid="engine">
      {note}
      {error && <div className="bh-note bh-note--warn">These figures are of {clock(heardAt)}: {error.message}</div>}
      {frozen !== null && (
        <div className="bh-note bh-note--danger" data-testid="engine-frozen">
          Withdrawals are frozen since {clock(frozen)}: {reason}
        </div>
      )}
      <div className="bh-engine__figures">
        <Figure id="waiting" caption="Orders waiting" small={[waiting.oldest && `oldest ${waiting.oldest}`, waiting.held].filter(Boolean).join(", ")}>
          {count(waiting.orders)}
        </Figure>
        <Figure id="workers" caption="Processes alive" small={dead ? `${dead} dead` : "none dead"} tone={dead ? "fault" : null}>
          {answer.workers.length - dead}
        </Figure>
        <Figure id="in-flight" caption="On the way to Solana" small={`${count(answer.settlements.failed)} failed`} tone={answer.settlements.failed ? "fault" : null}>
          {count(total(answer.in_flight))}
        </Figure>
        <Figure id="parked" caption="Parked orders" small={answer.parked_count ? "need an operator" : ""} tone={answer.parked_count ? "warn" : null}>
          {count(answer.parked_count)}
        </Figure>
        <Figure id="sockets" caption="Market sockets" small={Object.keys(answer.sockets).length > 1 ? `${Object.keys(answer.sockets).length} processes` : ""}>
          {count(total(answer.sockets))}
        </Figure>
        <Figure id="statements" caption="Statements a second" small={answer.cache_hit_rate === null ? "" : `token cache ${(answer.cache_hit_rate * 100).toFixed(1)}%`}>
          {rate.toFixed(1)}
        </Figure>
      </div>
      <div className="bh-engine__pair">
        <Queues queues={answer.queues} now={now} staff={staff} ask={ask} />
        <Latencies latencies={answer.latencies} />
      </div>
      <Parked parked={answer.parked} now={now} staff={staff} ask={ask} />
      <Workers workers={answer.workers} now={now} />
      <div className="bh-engine__pair">
        <Settlements settlements={answer.settlements} oldest={answer.oldest_settlement_at_ms} now={now} />
        <Statements statements={answer.statements} />
      </div>
      {dialog}
    </div>
  );
}
