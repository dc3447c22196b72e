// Live figures of one token: the text changes in place, nothing renders.
import { createElement, useEffect, useRef } from "react";
import { subscribe } from "$/public/external/blitzhub/feed/feed.js";
import { compactTokens, count, marketSol, ownSol, share } from "$/public/external/blitzhub/feed/figures.js";
import { direction, flash, keepAge, writePrice, writeText } from "$/public/external/blitzhub/feed/paint.js";

const WRITERS = {
  price: writePrice,
  // Without a trade there is no price, so no market cap either.
  market_cap: (element, value) => writeText(element, marketSol(Number(value) ? value : null)),
  market_sol: (element, value) => writeText(element, marketSol(value)),
  own_sol: (element, value) => writeText(element, ownSol(value)),
  tokens: (element, value) => writeText(element, compactTokens(value)),
  count: (element, value) => writeText(element, count(value)),
  share: (element, value) => writeText(element, share(value)),
};
const WIDTHS = { price: "bh-fig-price", market_cap: "bh-fig-sol", market_sol: "bh-fig-sol", own_sol: "bh-fig-sol" };

export function LiveFigure({ token, field = "price", format = "price", initial = null, unit = "", fit = false, id, label, className = "" }) {
  const cell = useRef(null);
  const shown = useRef({ value: undefined });
  useEffect(() => {
    const write = WRITERS[format] ?? WRITERS.price;
    const known = initial === "" ? null : initial;
    shown.current = { value: known };
    write(cell.current, known);
    if (!token) return undefined;
    return subscribe({ type: "token", token }, ({ snapshot, data }) => {
      const figures = snapshot ? data.token : data;
      if (!cell.current || !(field in figures)) return;
      const before = shown.current.value;
      shown.current.value = figures[field];
      const changed = write(cell.current, figures[field]);
      if (changed && !snapshot) flash(cell.current, direction(before, figures[field]));
    });
  }, [token, field, format]);
  const width = fit ? "" : (WIDTHS[format] ?? "");
  const figure = createElement("span", {
    ref: cell,
    key: "figure",
    className: `bh-fig bh-live ${width}`,
    "data-field": field,
    suppressHydrationWarning: true,
  });
  return createElement(
    "span",
    { id, className: `bh-live-figure ${className}`, "aria-label": label || undefined, role: label ? "group" : undefined },
    figure,
    unit ? createElement("span", { key: "unit", className: "bh-live-figure__unit" }, ` ${unit}`) : null,
  );
}

export function LiveAge({ atMs, className = "" }) {
  const cell = useRef(null);
  useEffect(() => (atMs ? keepAge(cell.current, Number(atMs)) : undefined), [atMs]);
  const title = atMs ? new Date(Number(atMs)).toLocaleString("en-GB") : undefined;
  return createElement("span", { ref: cell, className: `bh-fig-inline ${className}`, title }, "");
}
