// How far the price moved in the last 5 minutes and the last hour, from the minute candles; "—" without a trade before.
import { createElement, useEffect, useRef } from "react";
import { call } from "$/public/external/blitzhub/client/api.js";
import { subscribe } from "$/public/external/blitzhub/feed/feed.js";
import { changeBps, percent } from "$/public/external/blitzhub/feed/figures.js";
import { writeText } from "$/public/external/blitzhub/feed/paint.js";
import { Candles } from "$/public/external/blitzhub/charts/candle_chart/candles.js";

const MINUTE_MS = 60_000;
const WINDOWS = [
  ["5m", 5 * MINUTE_MS, "Price change in 5 minutes"],
  ["1h", 60 * MINUTE_MS, "Price change in 1 hour"],
];
// A candle stands only where a trade was, so this many always reach back to the one before the longest window.
const ENOUGH = 63;
const AGAIN_MS = 5_000;

/** Writes the changes of one token until it is stopped; prices come over the channel that the chart uses, too. */
function follow(token, cells) {
  const candles = new Candles();
  const stop = new AbortController();
  const paint = () => {
    for (const [index, [, window_ms]] of WINDOWS.entries()) {
      // The last candle that had ended by then: its close is what the price was.
      const before = candles.closeAt(Date.now() - window_ms - MINUTE_MS);
      const bps = candles.last ? changeBps(before, candles.last.c) : null;
      const cell = cells[index];
      writeText(cell, percent(bps));
      cell.dataset.direction = !bps ? "" : bps > 0 ? "up" : "down";
    }
  };
  const load = async () => {
    try {
      candles.merge((await call("GET", `/tokens/${token}/candles?interval=1m&limit=${ENOUGH}`, undefined, { signal: stop.signal })).candles);
      paint();
    } catch {
      // unknown stays "—"; the next snapshot asks again
    }
  };
  const timer = setInterval(paint, AGAIN_MS);
  const unsubscribe = subscribe({ type: "candles", token, interval: "1m" }, ({ snapshot, data }) => {
    candles.merge(data.candles);
    if (snapshot) load();
    else paint();
  });
  return () => {
    stop.abort();
    clearInterval(timer);
    unsubscribe();
  };
}

export function PriceChanges({ token }) {
  const cells = useRef([]);
  useEffect(() => (token ? follow(token, cells.current) : undefined), [token]);
  return WINDOWS.map(([word, , label], index) =>
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
