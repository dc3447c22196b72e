// The tape: a token's trades, newest on top. React draws the table once; rows are written straight to it.
import { createElement, useEffect, useRef, useState } from "react";
import { subscribe } from "$/public/external/blitzhub/feed/feed.js";
import { clock, compactTokens, exactSol, exactTokens, marketSol, shortAddress } from "$/public/external/blitzhub/feed/figures.js";
import { fade, writePrice } from "$/public/external/blitzhub/feed/paint.js";

const ROWS = 60;
const SKELETON_ROWS = 6;
const HEADS = [["Time"], ["Side"], ["SOL", true], ["Tokens", true], ["Price", true], ["Trader", true]];
const SIDES = { buy: ["Buy", "bh-up", "var(--bh-buy-tint)"], sell: ["Sell", "bh-down", "var(--bh-sell-tint)"] };

function cell(text, className = "", title = "") {
  const made = document.createElement("td");
  made.textContent = text;
  if (className) made.className = className;
  if (title) made.title = title;
  return made;
}

function traderCell(trade, { account, creator }) {
  const own = Boolean(account) && trade.trader === account;
  const made = cell("", "bh-right bh-tape__trader", trade.trader);
  if (trade.sim) {
    const tag = document.createElement("span");
    tag.className = "bh-tag";
    tag.textContent = "sim";
    tag.title = "A simulated trader";
    made.append(tag, " ");
  }
  if (trade.first_buy) {
    const tag = document.createElement("span");
    tag.className = "bh-tag";
    tag.textContent = "first buy";
    tag.title = "The creator's own, made with the launch";
    made.append(tag, " ");
  }
  made.append(own ? "you" : trade.trader === creator ? "creator" : shortAddress(trade.trader));
  return made;
}

function rowOf(trade, view) {
  const [word, tone] = SIDES[trade.side];
  const row = document.createElement("tr");
  row.dataset.seq = trade.seq;
  row.dataset.side = trade.side;
  if (view.account && trade.trader === view.account) row.dataset.own = "true";
  if (view.liquidity > 0n && BigInt(trade.lamports) * 100n >= view.liquidity) row.dataset.large = "true";
  const price = cell("", "bh-right bh-tape__price");
  writePrice(price, trade.price);
  const moment = new Date(trade.at_ms);
  row.append(
    cell(clock(trade.at_ms), "bh-fig", `${moment.toLocaleDateString("en-GB")} ${clock(trade.at_ms)}.${String(trade.at_ms % 1000).padStart(3, "0")}`),
    cell(word, tone),
    cell(marketSol(trade.lamports), "bh-right", `${exactSol(trade.lamports)} SOL`),
    cell(compactTokens(trade.tokens, view.decimals), "bh-right bh-tape__tokens", exactTokens(trade.tokens, view.decimals)),
    price,
    traderCell(trade, view),
  );
  return row;
}

export function Tape({ token, account = "", creator = "", decimals = 6, className = "" }) {
  const body = useRef(null);
  const view = useRef({ account, creator, decimals, liquidity: 0n, held: false, waiting: [] });
  const [phase, setPhase] = useState("loading");
  const [missed, setMissed] = useState(0);
  const trades = useRef([]);
  Object.assign(view.current, { account, creator, decimals });

  const redraw = () => body.current?.replaceChildren(...trades.current.map((trade) => rowOf(trade, view.current)));
  const push = (fresh) => {
    trades.current = [...fresh, ...trades.current].slice(0, ROWS);
    const rows = fresh.map((trade) => rowOf(trade, view.current));
    body.current.prepend(...rows);
    while (body.current.rows.length > ROWS) body.current.lastElementChild.remove();
    rows.forEach((row, index) => fade(row, SIDES[fresh[index].side][2]));
  };
  const hold = (held) => {
    view.current.held = held;
    if (held || !view.current.waiting.length) return;
    push(view.current.waiting.slice(0, ROWS));
    view.current.waiting = [];
    setMissed(0);
  };

  useEffect(() => {
    if (!token) return undefined;
    trades.current = [];
    view.current.waiting = [];
    setPhase("loading");
    setMissed(0);
    const stops = [
      subscribe({ type: "token", token }, ({ data }) => {
        const liquidity = data.liquidity_lamports ?? data.token?.liquidity_lamports;
        if (liquidity) view.current.liquidity = BigInt(liquidity);
      }),
      subscribe({ type: "trades", token }, ({ snapshot, data }) => {
        if (!body.current) return;
        if (snapshot) {
          trades.current = data.trades.slice(0, ROWS);
          view.current.waiting = [];
          setMissed(0);
          redraw();
        } else if (view.current.held) {
          view.current.waiting = [...data.trades, ...view.current.waiting];
          setMissed(view.current.waiting.length);
        } else {
          push(data.trades.slice(0, ROWS));
        }
        setPhase(trades.current.length || view.current.waiting.length ? "trades" : "empty");
      }),
    ];
    return () => stops.forEach((stop) => stop());
  }, [token]);
  useEffect(redraw, [account, creator]);

  const head = HEADS.map(([label, right]) =>
    createElement("th", { key: label, scope: "col", className: `${right ? "bh-right" : ""} bh-tape__${label.toLowerCase()}` }, label),
  );
  const skeleton = Array.from({ length: SKELETON_ROWS }, (_, row) =>
    createElement("tr", { key: row }, createElement("td", { colSpan: HEADS.length }, createElement("span", { className: "bh-skeleton bh-table__skeleton" }))),
  );
  return createElement(
    "div",
    {
      className: `bh-tape ${className}`,
      "data-testid": "tape",
      role: "region",
      "aria-label": "Trades",
      tabIndex: 0,
      onPointerEnter: (event) => event.pointerType === "mouse" && hold(true),
      onPointerLeave: () => hold(false),
    },
    createElement(
      "table",
      { className: "bh-table bh-table--tall" },
      createElement("thead", null, createElement("tr", null, head)),
      createElement("tbody", { ref: body }),
      phase === "loading" ? createElement("tbody", { "aria-hidden": true }, skeleton) : null,
    ),
    phase === "empty" ? createElement("div", { className: "bh-empty" }, "No trades yet. The first buy sets the first candle.") : null,
    missed ? createElement("div", { className: "bh-pill bh-pill--accent bh-tape__new" }, `${missed} new`) : null,
  );
}
