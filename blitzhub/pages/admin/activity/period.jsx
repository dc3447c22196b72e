// The time that a page is about: kept in its address, chosen in one bar, always in UTC.
import { useState } from "react";
import { useSearchParams } from "react-router";

const RANGES = ["24h", "7d", "30d", "90d"];
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const NAMES = ["range", "first", "last", "step"];

/** [query, change]: the part of the address that names the time, as the API takes it, and how to change the address. */
export function usePeriod(fallback = "24h") {
  const [params, setParams] = useSearchParams();
  const query = new URLSearchParams();
  NAMES.forEach((name) => params.get(name) && query.set(name, params.get(name)));
  if (!query.get("first") && !query.get("range")) query.set("range", fallback);
  const change = (values) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        Object.entries(values).forEach(([name, value]) => (value ? next.set(name, value) : next.delete(name)));
        return next;
      },
      { replace: true, preventScrollReset: true },
    );
  return [query, change];
}

export function PeriodBar({ query, change, steps = true, children }) {
  const [first, setFirst] = useState(query.get("first") ?? "");
  const [last, setLast] = useState(query.get("last") ?? "");
  const range = query.get("first") ? "" : query.get("range");
  const choose = (days) => {
    setFirst(days.first);
    setLast(days.last);
    if (DAY.test(days.first) && DAY.test(days.last)) change({ ...days, range: "", step: "" });
  };
  return (
    <div className="bh-period" role="group" aria-label="Time, UTC">
      {RANGES.map((name) => (
        <button key={name} type="button" className="bh-chip" aria-pressed={range === name} onClick={() => change({ range: name, first: "", last: "", step: "" })} data-testid={`range-${name}`}>
          {name}
        </button>
      ))}
      <input type="date" className="bh-input bh-period__day" aria-label="First day, UTC" value={first} onChange={(event) => choose({ first: event.target.value, last })} data-testid="first-day" />
      <input type="date" className="bh-input bh-period__day" aria-label="Last day, UTC" value={last} onChange={(event) => choose({ first, last: event.target.value })} data-testid="last-day" />
      {steps && range !== "24h" && range !== "30d" && range !== "90d" && (
        <span role="group" aria-label="Step" className="bh-period__steps">
          {["hour", "day"].map((step) => (
            <button key={step} type="button" className="bh-chip" aria-pressed={query.get("step") === step} onClick={() => change({ step })} data-testid={`step-${step}`}>
              by {step}
            </button>
          ))}
        </span>
      )}
      <span className="bh-small bh-faint">UTC</span>
      {children}
    </div>
  );
}
