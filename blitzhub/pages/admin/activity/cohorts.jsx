// Cohorts: who made their first trade when, and which part of them traded in each later week or day.
import { useState } from "react";
import { count, share } from "$/public/external/blitzhub/feed/figures.js";
import { useAnswer } from "./asking.js";
import { Failed, moment } from "./rows.jsx";

const SPANS = ["week", "day"];

function Cell({ active, of }) {
  if (active === undefined) return <td className="bh-cohorts__none" />;
  const bps = of ? Math.floor((active * 10_000) / of) : null;
  return (
    <td className="bh-right bh-cohorts__cell" style={{ "--bh-share": (bps ?? 0) / 10_000 }} title={`${active} of ${of}`} data-value={active}>
      {bps === null ? "—" : share(bps)}
    </td>
  );
}

export function Cohorts() {
  const [span, setSpan] = useState("week");
  const { answer, error } = useAnswer(`/admin/activity/cohorts?span=${span}`);
  const cohorts = answer?.cohorts ?? [];
  return (
    <div className="bh-activity" data-testid="cohorts" data-ready={answer !== null}>
      <div className="bh-period">
        <h1 className="bh-title">Traders by their first {answer?.span ?? span}</h1>
        {SPANS.map((name) => (
          <button key={name} type="button" className="bh-chip" aria-pressed={span === name} onClick={() => setSpan(name)} data-testid={`cohorts-${name}`}>
            by {name}
          </button>
        ))}
        <span className="bh-small bh-faint">UTC; weeks begin on Monday; the last one is running</span>
      </div>
      {error && <Failed error={error} />}
      <section className="bh-card bh-cohorts" aria-label="Cohorts">
        <div className="bh-rows__scroll bh-cohorts__scroll" tabIndex={0} role="region" aria-label="Cohorts">
          <table className="bh-table bh-table--tall" data-testid="cohort-table">
            <thead>
              <tr>
                <th>First trade</th>
                <th className="bh-right">Traders</th>
                {cohorts.slice(1).map((each, index) => (
                  <th key={each.begin_ms} className="bh-right">
                    +{index + 1}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {cohorts.map((each) => (
                <tr key={each.begin_ms} data-testid="cohort-row">
                  <td className="bh-fig">{moment(each.begin_ms).slice(0, 10)}</td>
                  <td className="bh-right">{count(each.active[0])}</td>
                  {cohorts.slice(1).map((_, index) => (
                    <Cell key={index} active={each.active[index + 1]} of={each.active[0]} />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
    </div>
  );
}
