// The board's three columns. Cards are rendered when a column's members change; figures are written in place.
import { createElement, useEffect, useRef, useState } from "react";
import { Link } from "react-router";
import { count, graduationPercent, marketSol, shortAddress } from "$/public/external/blitzhub/feed/figures.js";
import { direction, flash, keepAge, writeText } from "$/public/external/blitzhub/feed/paint.js";
import { Bar, paintBar } from "$/public/external/blitzhub/components/graduation_bar/graduation_bar.jsx";
import { BoardMarket, COLUMNS, isGraduated } from "$/public/external/blitzhub/components/board/board_market.js";

const REORDER_MS = 2_000;
const NEW_MS = 1_200;
const SOON_PERCENT = 90n;
const FULL_COLUMN = 100;
const SKELETONS = 6;
const HEADS = { new: "New", graduating: "About to graduate", graduated: "Graduated" };
const TABS = { new: "New", graduating: "Graduating", graduated: "Graduated" };
const EMPTY = {
  new: "No tokens yet. The first launch opens the market.",
  graduating: "No token has raised half of its SOL yet.",
  graduated: "No token has graduated yet.",
};

function pillOf(token) {
  if (token.paused) return ["Paused", "bh-pill bh-pill--warn"];
  if (isGraduated(token)) return ["Graduated, pool", "bh-pill bh-pill--accent"];
  const soon = BigInt(token.reserve_lamports) * 100n >= BigInt(token.raise_lamports) * SOON_PERCENT;
  return soon ? ["Graduating soon", "bh-pill bh-pill--accent"] : ["", ""];
}

function Picture({ token }) {
  const [broken, setBroken] = useState(false);
  if (token.image && !broken) {
    return createElement("img", { className: "bh-token-card__image", src: token.image, alt: "", loading: "lazy", width: 56, height: 56, onError: () => setBroken(true) });
  }
  return createElement("span", { className: "bh-token-card__image", "aria-hidden": true }, [...token.symbol][0]);
}

function TokenCard({ market, address, isNew }) {
  const token = market.tokens.get(address);
  const cells = useRef({});
  const cell = (name) => (element) => (cells.current[name] = element);
  useEffect(() => {
    let cap = token.market_cap_lamports;
    const paint = (quiet) => {
      const now = market.tokens.get(address);
      const { figure, holders, bar, percent, pill } = cells.current;
      if (!now || !figure) return;
      const traded = now.price !== null;
      if (writeText(figure, marketSol(traded ? now.market_cap_lamports : null)) && !quiet) flash(figure, direction(cap, now.market_cap_lamports));
      cap = now.market_cap_lamports;
      writeText(holders, count(now.holders));
      const [word, style] = pillOf(now);
      writeText(pill, word);
      pill.className = `${style} bh-token-card__pill`;
      pill.hidden = !word;
      bar.parentElement.hidden = isGraduated(now);
      paintBar(bar, now);
      writeText(percent, graduationPercent(now.reserve_lamports, now.raise_lamports));
    };
    paint(true);
    const stops = [market.onToken(address, paint), keepAge(cells.current.age, token.created_at_ms)];
    return () => stops.forEach((stop) => stop());
  }, [market, address]);
  const figures = createElement(
    "span",
    { className: "bh-token-card__figures" },
    createElement("span", { className: "bh-token-card__cap" }, createElement("span", { ref: cell("figure"), className: "bh-fig bh-live bh-fig-sol", "data-field": "market_cap_lamports" }), " SOL"),
    createElement("span", { ref: cell("pill"), className: "bh-pill bh-token-card__pill", hidden: true }),
  );
  const names = createElement(
    "span",
    { className: "bh-token-card__names" },
    createElement(
      "span",
      { className: "bh-token-card__title" },
      createElement(Link, { to: `/token/${address}`, className: "bh-card__link bh-token-card__symbol" }, token.symbol),
      createElement("bdi", { className: "bh-token-card__name", title: token.name }, token.name),
    ),
    createElement(
      "span",
      { className: "bh-token-card__line" },
      createElement("span", { ref: cell("age"), className: "bh-fig-inline" }),
      createElement("span", { className: "bh-fig", title: token.address }, shortAddress(token.address)),
      token.simulated ? createElement("span", { className: "bh-tag", title: "Launched by a simulated trader" }, "sim") : null,
    ),
    createElement("span", { className: "bh-token-card__line" }, createElement("span", { ref: cell("holders"), className: "bh-fig-inline" }), " hold"),
  );
  return createElement(
    "li",
    { className: "bh-card bh-card--link bh-token-card", "data-address": address, "data-new": isNew || undefined, "data-testid": "token-card" },
    createElement(Picture, { token }),
    names,
    figures,
    createElement(
      "span",
      { className: "bh-token-card__bar" },
      createElement(Bar, { barRef: cell("bar") }),
      createElement("span", { ref: cell("percent"), className: "bh-fig" }),
    ),
  );
}

// The order a column shows: renewed at most every 2 s and never under a pointer or focus.
function useOrder(market, column) {
  const [shown, setShown] = useState({ order: null, fresh: new Set(), more: 0 });
  const held = useRef(false);
  const last = useRef({ order: null, at_ms: 0, timer: 0 });
  const renew = useRef(() => {});
  useEffect(() => {
    const update = () => {
      last.current.timer = 0;
      const order = market.order(column);
      if (!order) return;
      const known = last.current.order;
      const fresh = new Set(known ? order.filter((address) => !known.includes(address)) : []);
      if (held.current && known) {
        setShown((now) => (now.more === fresh.size ? now : { ...now, more: fresh.size }));
        return;
      }
      if (known && known.length === order.length && order.every((address, index) => address === known[index])) return;
      last.current.order = order;
      last.current.at_ms = Date.now();
      setShown({ order, fresh, more: 0 });
    };
    renew.current = () => {
      const wait_ms = last.current.at_ms + REORDER_MS - Date.now();
      if (wait_ms <= 0) update();
      else last.current.timer ||= setTimeout(update, wait_ms);
    };
    const stop = market.onColumns(renew.current);
    const sorting = column === "graduating" ? setInterval(renew.current, REORDER_MS) : 0;
    renew.current();
    return () => {
      stop();
      clearTimeout(last.current.timer);
      clearInterval(sorting);
    };
  }, [market, column]);
  useEffect(() => {
    if (!shown.fresh.size) return undefined;
    const timer = setTimeout(() => setShown((now) => ({ ...now, fresh: new Set() })), NEW_MS);
    return () => clearTimeout(timer);
  }, [shown.order]);
  const hold = (holding) => {
    held.current = holding;
    if (!holding) renew.current();
  };
  return [shown, hold];
}

function Empty({ column }) {
  const action = column === "new" ? createElement(Link, { to: "/launch", className: "bh-button bh-button--accent" }, "Launch token") : null;
  return createElement("div", { className: "bh-empty" }, createElement("span", null, EMPTY[column]), action);
}

function Column({ market, column, chosen, onCount }) {
  const [{ order, fresh, more }, hold] = useOrder(market, column);
  useEffect(() => onCount(column, order?.length ?? null), [order]);
  const cards = order
    ? order.map((address) => createElement(TokenCard, { key: address, market, address, isNew: fresh.has(address) }))
    : Array.from({ length: SKELETONS }, (_, index) => createElement("li", { key: index, className: "bh-skeleton bh-token-card bh-token-card--loading", "aria-hidden": true }));
  return createElement(
    "section",
    { className: "bh-column", "data-column": column, "data-chosen": chosen, "aria-label": HEADS[column] },
    createElement(
      "h2",
      { className: "bh-column__head" },
      HEADS[column],
      createElement("span", { className: "bh-fig bh-faint" }, order ? countText(order.length) : ""),
      more ? createElement("span", { className: "bh-pill bh-pill--accent bh-column__more" }, `${more} new, paused`) : null,
    ),
    createElement(
      "ul",
      {
        className: "bh-column__cards",
        tabIndex: 0,
        "aria-label": HEADS[column],
        "aria-busy": !order,
        onPointerEnter: (event) => event.pointerType === "mouse" && hold(true),
        onPointerLeave: () => hold(false),
        onFocus: (event) => event.target.matches(":focus-visible") && hold(true),
        onBlur: () => hold(false),
      },
      order && !order.length ? createElement("li", { className: "bh-column__empty" }, createElement(Empty, { column })) : cards,
    ),
  );
}

const countText = (size) => (size >= FULL_COLUMN ? `${FULL_COLUMN}+` : String(size));

export function Board({ className = "" }) {
  const market = useRef(null);
  market.current ??= new BoardMarket();
  const [chosen, setChosen] = useState("new");
  const [counts, setCounts] = useState({});
  useEffect(() => market.current.follow(), []);
  const onCount = (column, size) => setCounts((now) => (now[column] === size ? now : { ...now, [column]: size }));
  const tabs = COLUMNS.map((column) =>
    createElement(
      "button",
      { key: column, type: "button", role: "tab", className: "bh-tab", "aria-selected": column === chosen, onClick: () => setChosen(column) },
      TABS[column],
      createElement("span", { className: "bh-fig bh-faint" }, counts[column] == null ? "" : ` ${countText(counts[column])}`),
    ),
  );
  return createElement(
    "div",
    { className: `bh-board ${className}`, "data-testid": "board" },
    createElement("div", { role: "tablist", className: "bh-tabs bh-board__tabs", "aria-label": "Columns" }, tabs),
    createElement(
      "div",
      { className: "bh-board__columns" },
      COLUMNS.map((column) => createElement(Column, { key: column, market: market.current, column, chosen: column === chosen, onCount })),
    ),
  );
}
