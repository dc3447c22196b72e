// How far the price moved in the last 5 minutes, hour, 6 and 24 hours; "—" where there was no price then.
import { createElement, useEffect, useRef } from "react";
import { subscribe } from "$/public/external/blitzhub/feed/feed.js";
import { paintChange } from "$/public/external/blitzhub/feed/paint.js";

const WINDOWS = [
  ["5m", "Price change in 5 minutes"],
  ["1h", "Price change in 1 hour"],
  ["6h", "Price change in 6 hours"],
  ["24h", "Price change in 24 hours"],
];

export function PriceChanges({ token }) {
  const cells = useRef([]);
  useEffect(() => {
    if (!token) return undefined;
    const known = {};
    return subscribe({ type: "token", token }, ({ snapshot, data }) => {
      Object.assign(known, snapshot ? data.token : data);
      for (const [index, [window]] of WINDOWS.entries()) paintChange(cells.current[index], known[`price_${window}_ago`], known.price);
    });
  }, [token]);
  return WINDOWS.map(([word, label], index) =>
    createElement(
      "div",
      { key: word, className: "bh-headline", "data-testid": `change-${word}` },
      createElement("span", { className: "bh-caption" }, word),
      createElement(
        "span",
        { className: "bh-live-figure", role: "group", "aria-label": label },
        createElement("span", { ref: (element) => (cells.current[index] = element), className: "bh-fig bh-fig-percent bh-live bh-change" }, "—"),
      ),
    ),
  );
}
