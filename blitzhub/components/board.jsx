// The board's three columns. Cards are rendered when a column's members change; figures are written in place.
import { createElement, useEffect, useRef, useState } from "react";
import { Link, useNavigate } from "react-router";
import { toast } from "sonner";
import { faultsOf, FilterBar, filterCount, passes, useFilters } from "$/public/external/blitzhub/components/board/board_filters.jsx";
import { useFound } from "$/public/external/blitzhub/components/board/board_found.js";
import { TokenCard } from "$/public/external/blitzhub/components/board/token_card.jsx";
import { BoardMarket, COLUMNS } from "$/public/external/blitzhub/components/board/board_market.js";

const REORDER_MS = 2_000;
const NEW_MS = 1_200;
const FULL_COLUMN = 100;
const SKELETONS = 6;
const HEADS = {
  new: "New",
  trending_5m: "Trending, 5 minutes",
  trending_1h: "Trending, 1 hour",
  trending_6h: "Trending, 6 hours",
  trending_24h: "Trending, 24 hours",
  graduating: "About to graduate",
  graduated: "Graduated",
};
const TABS = { graduating: "Graduating", graduated: "Graduated" };
const EMPTY = {
  new: "No tokens yet. The first launch opens the market.",
  graduating: "No token has raised half of its SOL yet.",
  graduated: "No token has graduated yet.",
};

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
  return [shown, hold, held];
}

function Empty({ column, filtered, onClear }) {
  if (filtered) {
    const clear = createElement("button", { type: "button", className: "bh-button", onClick: onClear }, "Clear filters");
    return createElement("div", { className: "bh-empty" }, createElement("span", null, "No token matches."), clear);
  }
  const action = column === "new" ? createElement(Link, { to: "/launch", className: "bh-button bh-button--accent" }, "Launch token") : null;
  return createElement("div", { className: "bh-empty" }, createElement("span", null, EMPTY[column] ?? "Nobody has traded in this time."), action);
}

function Column({ market, slot, column, chosen, filters, onClear, onCount }) {
  const [{ order: whole, fresh, more }, hold, held] = useOrder(market, column);
  const on = filterCount(filters) > 0;
  const found = useFound(market, column, filters, on, held);
  const listed = (found ?? whole)?.filter((address) => market.tokens.has(address));
  const order = on ? listed?.filter((address) => passes(filters, market.tokens.get(address))) : whole;
  useEffect(() => onCount(slot, order?.length ?? null), [order?.length]);
  const cards = order
    ? order.map((address) => createElement(TokenCard, { key: address, market, address, isNew: fresh.has(address) }))
    : Array.from({ length: SKELETONS }, (_, index) => createElement("li", { key: index, className: "bh-skeleton bh-token-card bh-token-card--loading", "aria-hidden": true }));
  return createElement(
    "section",
    { className: "bh-column", "data-column": slot, "data-ranking": column, "data-chosen": chosen, "aria-label": HEADS[column] },
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
      order && !order.length ? createElement("li", { className: "bh-column__empty" }, createElement(Empty, { column, filtered: on, onClear })) : cards,
    ),
  );
}

const countText = (size) => (size >= FULL_COLUMN ? `${FULL_COLUMN}+` : String(size));

export function Board({ className = "" }) {
  const market = useRef(null);
  market.current ??= new BoardMarket();
  const [chosen, setChosen] = useState("new");
  const [counts, setCounts] = useState({});
  const filtering = useFilters();
  const [open, setOpen] = useState(() => filterCount(filtering.filters) > 0 || Object.keys(faultsOf(filtering.params)).length > 0);
  const navigate = useNavigate();
  useEffect(() => market.current.follow(tell), []);
  function tell({ address, symbol }) {
    toast.success(`${symbol} has graduated`, {
      id: `graduated-${address}`,
      description: "It trades in its pool now.",
      action: { label: "Open", onClick: () => navigate(`/token/${address}`) },
    });
  }
  const onCount = (column, size) => setCounts((now) => (now[column] === size ? now : { ...now, [column]: size }));
  const { trend } = filtering.filters;
  const columnOf = (slot) => (slot === "new" && trend ? `trending_${trend}` : slot);
  const tabs = COLUMNS.map((slot) =>
    createElement(
      "button",
      { key: slot, type: "button", role: "tab", className: "bh-tab", "aria-selected": slot === chosen, onClick: () => setChosen(slot) },
      TABS[slot] ?? (trend ? "Trending" : "New"),
      createElement("span", { className: "bh-fig bh-faint" }, counts[slot] == null ? "" : ` ${countText(counts[slot])}`),
    ),
  );
  return createElement(
    "div",
    { className: `bh-board ${className}`, "data-testid": "board" },
    createElement(FilterBar, { ...filtering, open, onOpen: setOpen }),
    createElement("div", { role: "tablist", className: "bh-tabs bh-board__tabs", "aria-label": "Columns" }, tabs),
    createElement(
      "div",
      { className: "bh-board__columns" },
      COLUMNS.map((slot) => createElement(Column, { key: columnOf(slot), market: market.current, slot, column: columnOf(slot), chosen: slot === chosen, filters: filtering.filters, onClear: filtering.clear, onCount })),
    ),
  );
}
