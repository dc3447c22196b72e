// What the board leaves out: chosen in a panel, kept in the address, so that a filtered board can be sent to somebody.
import { createElement, useCallback } from "react";
import { useSearchParams } from "react-router";
import { ListFilter } from "lucide-react";
import { readAmount } from "$/public/external/blitzhub/client/amounts.js";

const SOL_DECIMALS = 9;
const FIELDS = [
  ["cap", "Market cap from", "SOL"],
  ["raised", "Raised from", "%"],
  ["holders", "Holders from", ""],
];
const WINDOWS = ["5m", "1h", "6h", "24h"];
const WHOLE = /^\d{1,9}$/;

/** The lamports, percents and holders that are asked for, and the ranking; what cannot be read asks for nothing. */
export function filtersOf(params) {
  const whole = (name) => (WHOLE.test(params.get(name) ?? "") ? BigInt(params.get(name)) : 0n);
  const cap = readAmount(params.get("cap") ?? "", SOL_DECIMALS).units ?? 0n;
  const trend = WINDOWS.find((window) => window === params.get("trend")) ?? null;
  return { cap, raised: whole("raised"), holders: whole("holders"), people: params.get("sim") === "0", trend };
}

/** What is wrong with what was typed, by field; a board that says nothing would look as if it had obeyed. */
export function faultsOf(params) {
  const faults = {};
  for (const [name, label] of FIELDS) {
    const text = params.get(name) ?? "";
    const words = name === "cap" ? readAmount(text, SOL_DECIMALS).error : text && !WHOLE.test(text) ? "Digits only" : "";
    if (words) faults[name] = `${label}: ${words}`;
  }
  return faults;
}

/** How many filters are on. */
export const filterCount = (filters) => [filters.cap > 0n, filters.raised > 0n, filters.holders > 0n, filters.people].filter(Boolean).length;

/** Whether a token of the board is shown. */
export function passes(filters, token) {
  if (filters.people && token.simulated) return false;
  if (BigInt(token.market_cap_lamports) < filters.cap || BigInt(token.holders) < filters.holders) return false;
  const done = token.stage !== "curve";
  return done || BigInt(token.reserve_lamports) * 100n >= BigInt(token.raise_lamports) * filters.raised;
}

export function useFilters() {
  const [params, setParams] = useSearchParams();
  const change = useCallback(
    (name, value) =>
      setParams(
        (old) => {
          const next = new URLSearchParams(old);
          if (value) next.set(name, value);
          else next.delete(name);
          return next;
        },
        { replace: true },
      ),
    [setParams],
  );
  const clear = useCallback(
    () =>
      setParams(
        (old) => {
          const next = new URLSearchParams(old);
          for (const name of ["sim", ...FIELDS.map(([field]) => field)]) next.delete(name);
          return next;
        },
        { replace: true },
      ),
    [setParams],
  );
  return { params, filters: filtersOf(params), change, clear };
}

// A ranking takes the place of the newest; choosing it again brings those back.
function Trending({ chosen, change }) {
  const windows = WINDOWS.map((window) =>
    createElement(
      "button",
      { key: window, type: "button", className: "bh-chip", "aria-pressed": window === chosen, onClick: () => change("trend", window === chosen ? "" : window), "data-testid": `trend-${window}` },
      window,
    ),
  );
  return createElement("div", { className: "bh-filters__trend", role: "group", "aria-label": "Trending in the last" }, createElement("span", { className: "bh-small bh-muted" }, "Trending"), windows);
}

export function FilterBar({ params, filters, change, clear, open, onOpen }) {
  const on = filterCount(filters);
  const faults = faultsOf(params);
  const fields = FIELDS.map(([name, label, unit]) =>
    createElement(
      "label",
      { key: name, className: "bh-filters__field bh-small" },
      createElement("span", { className: "bh-muted" }, label),
      createElement(
        "span",
        { className: "bh-amount bh-amount--small", "data-invalid": Boolean(faults[name]) },
        createElement("input", {
          className: "bh-amount__input",
          inputMode: name === "cap" ? "decimal" : "numeric",
          autoComplete: "off",
          placeholder: "0",
          maxLength: 9,
          value: params.get(name) ?? "",
          "aria-invalid": Boolean(faults[name]),
          onChange: (event) => change(name, event.target.value.trim()),
          "data-testid": `filter-${name}`,
        }),
        createElement("span", { className: "bh-amount__unit" }, unit),
      ),
    ),
  );
  const people = createElement(
    "button",
    { key: "sim", type: "button", className: "bh-chip", "aria-pressed": filters.people, onClick: () => change("sim", filters.people ? "" : "0"), "data-testid": "filter-people" },
    "Without simulated",
  );
  const words = Object.values(faults).join(". ");
  const error = words ? createElement("div", { key: "error", className: "bh-error", role: "status", "data-testid": "filter-error" }, words) : null;
  const clearing = on ? createElement("button", { key: "clear", type: "button", className: "bh-button bh-button--dense bh-button--ghost", onClick: clear, "data-testid": "filter-clear" }, "Clear filters") : null;
  return createElement(
    "div",
    { className: "bh-filters" },
    createElement(Trending, { chosen: filters.trend, change }),
    createElement(
      "button",
      { type: "button", className: "bh-button bh-button--dense", "aria-expanded": open, "aria-controls": "board-filters", onClick: () => onOpen(!open), "data-testid": "filters" },
      createElement(ListFilter, { className: "bh-icon", "aria-hidden": true }),
      on ? `Filters ${on}` : "Filters",
    ),
    open ? createElement("div", { id: "board-filters", className: "bh-filters__fields" }, fields, people, clearing, error) : null,
  );
}
