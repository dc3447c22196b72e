// The candle chart of a token: history from the API, then the live channel. React draws the frame around it only.
import { createElement, useCallback, useEffect, useRef, useState } from "react";
import { useKeys } from "$/public/external/blitzhub/client/keys.js";
import { useMarket } from "$/public/external/blitzhub/client/market.js";
import { usePhone } from "$/public/external/blitzhub/client/screen.js";
import { changeBps, marketSol, percent } from "$/public/external/blitzhub/feed/figures.js";
import { writeText } from "$/public/external/blitzhub/feed/paint.js";
import { CandleSession, LENGTHS_MS } from "$/public/external/blitzhub/charts/candle_chart/candle_session.js";
import { Drawing, UNITS } from "$/public/external/blitzhub/charts/candle_chart/drawing.js";

const INTERVALS = [
  ["1s", "1 second"],
  ["15s", "15 seconds"],
  ["1m", "1 minute"],
  ["5m", "5 minutes"],
  ["15m", "15 minutes"],
  ["1h", "1 hour"],
  ["4h", "4 hours"],
  ["1d", "1 day"],
];
const NAMES = Object.fromEntries(INTERVALS);
const NEAR_START = 20;
const HOUR_MS = 3_600_000;
const LABEL_MS = 5_000;
const FONT = '11px "JetBrains Mono Variable"';
const LEGEND = ["O", "H", "L", "C"];

function firstInterval(createdAtMs) {
  const age_ms = createdAtMs ? Date.now() - createdAtMs : Infinity;
  if (age_ms < 300_000) return "1s";
  return age_ms < HOUR_MS ? "15s" : "1m";
}

function Radios({ label, options, chosen, onChoose }) {
  const step = (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const index = options.findIndex(([value]) => value === chosen);
    const next = (index + by + options.length) % options.length;
    event.currentTarget.children[next].focus();
    onChoose(options[next][0]);
  };
  const radios = options.map(([value, text, name]) =>
    createElement(
      "button",
      {
        key: value,
        type: "button",
        role: "radio",
        className: "bh-chart__choice",
        "aria-checked": value === chosen,
        "aria-label": name,
        tabIndex: value === chosen ? 0 : -1,
        onClick: () => onChoose(value),
      },
      text,
    ),
  );
  return createElement("div", { role: "radiogroup", "aria-label": label, className: "bh-chart__choices", onKeyDown: step }, radios);
}

/** One list in place of eight buttons, for which a phone has no room. */
function Choice({ label, options, chosen, onChoose }) {
  const items = options.map(([value, text]) => createElement("option", { key: value, value }, text));
  return createElement("select", { className: "bh-chart__choice", "aria-label": label, value: chosen, onChange: (event) => onChoose(event.target.value) }, items);
}

export function CandleChart({ token, symbol = "", totalSupply = "0", decimals = 6, graduationPrice = "", graduatedAtMs = 0, createdAtMs = 0, className = "", id }) {
  const root = useRef(null);
  const graduated_ms = useMarket(token).graduated_at_ms ?? (graduatedAtMs || null);
  const phone = usePhone();
  const canvas = useRef(null);
  const legend = useRef(null);
  const now = useRef(null);
  const live = useRef({ drawing: null, session: null, hovered: null, labelled_ms: 0 });
  const [interval, chooseInterval] = useState(() => firstInterval(createdAtMs));
  const [unit, chooseUnit] = useState("mc");
  const [phase, setPhase] = useState("loading");
  const [ready, setReady] = useState(false);
  const view = useRef({});
  view.current = { interval, unit, symbol };

  const writeLegend = useCallback(() => {
    const { drawing, session, hovered } = live.current;
    if (!drawing || !legend.current) return;
    const under = hovered !== null && session?.shown.find((candle) => candle.t === hovered);
    const candle = under || session?.candles.last;
    const [o, h, l, c, volume] = legend.current.querySelectorAll("b");
    for (const [cell, key] of [[o, "o"], [h, "h"], [l, "l"], [c, "c"]]) writeText(cell, candle ? drawing.text(candle[key]) : "—");
    writeText(volume, candle ? marketSol(candle.v) : "—");
    legend.current.dataset.move = !candle ? "" : BigInt(candle.c) >= BigInt(candle.o) ? "up" : "down";
  }, []);

  const writeLabel = useCallback((candles) => {
    const { drawing } = live.current;
    root.current.dataset.candles = String(candles.items.length);
    root.current.dataset.graduated = String(drawing.isMarked);
    root.current.dataset.last = candles.last?.c ?? "";
    if (Date.now() - live.current.labelled_ms < LABEL_MS) return;
    live.current.labelled_ms = Date.now();
    const bps = candles.last ? changeBps(candles.closeAt(Date.now() - HOUR_MS), candles.last.c) : null;
    const change = bps === null ? "" : `, ${bps < 0 ? "down" : "up"} ${percent(Math.abs(bps)).slice(1)} in 1 hour`;
    const last = candles.last ? `, last ${drawing.text(candles.last.c)} SOL${change}` : ", no trades yet";
    canvas.current?.setAttribute("aria-label", `${view.current.symbol}, ${NAMES[view.current.interval]}${last}`);
  }, []);

  useEffect(() => {
    let gone = false;
    let observer = null;
    const build = () => {
      if (gone) return;
      const supply = Number(totalSupply) / 10 ** decimals;
      const drawing = new Drawing(canvas.current, { supply, graduation: graduationPrice || null });
      live.current.drawing = drawing;
      drawing.setUnit(view.current.unit);
      drawing.chart.subscribeCrosshairMove((param) => {
        live.current.hovered = drawing.bucketOf(param);
        writeLegend();
      });
      drawing.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
        now.current.hidden = !drawing.isScrolledBack();
        if (range && range.from < NEAR_START) live.current.session?.older();
      });
      observer = new MutationObserver(() => {
        drawing.theme();
        drawing.drawAll(live.current.session?.shown ?? [], true);
      });
      observer.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
      setReady(true);
    };
    document.fonts.load(FONT).then(build, build); // a canvas does not swap fonts
    return () => {
      gone = true;
      observer?.disconnect();
      setReady(false);
      live.current.drawing?.remove();
      live.current.drawing = null;
    };
  }, [totalSupply, decimals, graduationPrice]);

  useEffect(() => {
    if (!ready || !token) return undefined;
    const { drawing } = live.current;
    drawing.drawAll([], false);
    drawing.setLength(LENGTHS_MS[interval]);
    const session = new CandleSession({
      token,
      interval,
      view: {
        phase: setPhase,
        drawAll: (shown, keepRange) => drawing.drawAll(shown, keepRange),
        drawLast: (candle) => drawing.drawLast(candle),
        toNow: () => drawing.toNow(false),
        drawn: ({ candles }) => {
          writeLegend();
          writeLabel(candles);
        },
      },
    });
    live.current.session = session;
    live.current.labelled_ms = 0;
    return () => {
      session.close();
      live.current.session = null;
    };
  }, [ready, token, interval]);

  useEffect(() => {
    const { drawing } = live.current;
    if (!ready || !drawing) return;
    drawing.setGraduated(graduated_ms);
    root.current.dataset.graduated = String(drawing.isMarked);
  }, [ready, graduated_ms]);

  useEffect(() => {
    const { drawing, session } = live.current;
    if (!drawing) return;
    drawing.setUnit(unit);
    drawing.drawAll(session?.shown ?? [], true);
    writeLegend();
  }, [unit]);

  const stepInterval = (by) => () => {
    const next = INTERVALS[INTERVALS.findIndex(([value]) => value === interval) + by];
    if (next) chooseInterval(next[0]);
  };
  useKeys({ "[": stepInterval(-1), "]": stepInterval(1), t: () => chooseUnit(unit === "mc" ? "price" : "mc") });

  const cells = LEGEND.map((name) => createElement("span", { key: name }, `${name} `, createElement("b", null, "—")));
  const toolbar = createElement(
    "div",
    { className: "bh-chart__bar", role: "toolbar", "aria-label": "Chart" },
    createElement(phone ? Choice : Radios, { label: "Interval", options: INTERVALS.map(([value, name]) => [value, value, name]), chosen: interval, onChoose: chooseInterval }),
    createElement(Radios, {
      label: "Unit",
      options: [["mc", UNITS.mc.label, "Market cap"], ["price", UNITS.price.label, "Price"]],
      chosen: unit,
      onChoose: chooseUnit,
    }),
    createElement("button", { ref: now, type: "button", hidden: true, className: "bh-chart__choice bh-chart__now", onClick: () => live.current.drawing?.toNow(true) }, "Go to now"),
  );
  const notes = {
    empty: createElement("div", { className: "bh-chart__note" }, "No trades yet. The first buy sets the first candle."),
    error: createElement(
      "div",
      { className: "bh-chart__note", role: "alert" },
      "The candles could not be loaded. ",
      createElement("button", { type: "button", className: "bh-button bh-button--dense", onClick: () => live.current.session?.retry() }, "Retry"),
    ),
    loading: createElement("div", { className: "bh-chart__note bh-chart__note--loading", "aria-hidden": true }),
  };
  return createElement(
    "div",
    { ref: root, id, className: `bh-chart ${className}`, "data-testid": "candle-chart", "data-interval": interval, "data-unit": unit, "data-phase": phase },
    toolbar,
    createElement(
      "div",
      { className: "bh-chart__legend", ref: legend },
      cells,
      createElement("span", null, "Vol ", createElement("b", null, "—")),
    ),
    createElement("div", { className: "bh-chart__area" }, createElement("div", { ref: canvas, className: "bh-chart__canvas", role: "img", "aria-label": symbol }), notes[phase] ?? null),
  );
}
