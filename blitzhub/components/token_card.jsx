// The card of one token: rendered once, its figures are written in place.
import { createElement, useEffect, useRef, useState } from "react";
import { Link } from "react-router";
import { count, graduationPercent, marketSol, share, shortAddress } from "$/public/external/blitzhub/feed/figures.js";
import { direction, flash, keepAge, paintChange, writeText } from "$/public/external/blitzhub/feed/paint.js";
import { Bar, paintBar } from "$/public/external/blitzhub/components/graduation_bar/graduation_bar.jsx";
import { isGraduated } from "$/public/external/blitzhub/components/board/board_market.js";

const SOON_PERCENT = 90n;

function pillOf(token) {
  if (token.paused) return ["Paused", "bh-pill bh-pill--warn"];
  if (isGraduated(token)) return [token.stage === "graduating" ? "Moving to its pool" : "Graduated", "bh-pill bh-pill--accent"];
  const soon = BigInt(token.reserve_lamports) * 100n >= BigInt(token.raise_lamports) * SOON_PERCENT;
  return soon ? ["Graduating soon", "bh-pill bh-pill--accent"] : ["", ""];
}

function Picture({ token }) {
  const [broken, setBroken] = useState(false);
  if (token.image && !broken) {
    return createElement("img", { className: "bh-token-card__image", src: token.image, alt: "", loading: "lazy", width: 56, height: 56, onError: () => setBroken(true) });
  }
  return createElement("span", { className: "bh-token-card__image", "aria-hidden": true }, [...token.symbol][0] ?? "");
}

/** A card of `market` (a `BoardMarket`, or anything with its `tokens` and `onToken`); a preview leads nowhere. */
export function TokenCard({ market, address, isNew = false, preview = false }) {
  const token = market.tokens.get(address);
  const cells = useRef({});
  const cell = (name) => (element) => (cells.current[name] = element);
  useEffect(() => {
    let cap = token.market_cap_lamports;
    const paint = (quiet) => {
      const now = market.tokens.get(address);
      const { figure, change, holders, top, bar, percent, pill } = cells.current;
      if (!now || !figure) return;
      const traded = now.price !== null;
      if (writeText(figure, marketSol(traded ? now.market_cap_lamports : null)) && !quiet) flash(figure, direction(cap, now.market_cap_lamports));
      cap = now.market_cap_lamports;
      paintChange(change, now.price_1h_ago, now.price);
      writeText(top, now.top_ten_bps ? `top 10 ${share(now.top_ten_bps)}` : "");
      writeText(holders, `${count(now.holders)} ${now.holders === 1 ? "holder" : "holders"}`);
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
    createElement("span", { ref: cell("change"), className: "bh-fig bh-fig-percent bh-live bh-change", title: "Price change in 1 hour", "data-field": "change" }),
    createElement("span", { ref: cell("pill"), className: "bh-pill bh-token-card__pill", hidden: true }),
  );
  const names = createElement(
    "span",
    { className: "bh-token-card__names" },
    createElement(
      "span",
      { className: "bh-token-card__title" },
      preview
        ? createElement("bdi", { className: "bh-token-card__symbol" }, token.symbol)
        : createElement(Link, { to: `/token/${address}`, className: "bh-card__link bh-token-card__symbol" }, token.symbol),
      createElement("bdi", { className: "bh-token-card__name", title: token.name }, token.name),
    ),
    createElement(
      "span",
      { className: "bh-token-card__line" },
      createElement("span", { ref: cell("age"), className: "bh-fig-inline" }),
      token.address ? createElement("span", { className: "bh-fig", title: token.address }, shortAddress(token.address)) : null,
      token.simulated ? createElement("span", { className: "bh-tag", title: "Launched by a simulated trader" }, "sim") : null,
    ),
    createElement(
      "span",
      { className: "bh-token-card__line" },
      createElement("span", { ref: cell("holders"), className: "bh-fig-inline" }),
      createElement("span", { ref: cell("top"), className: "bh-fig-inline", title: "Of the total supply, the ten largest holders together", "data-field": "top_ten" }),
    ),
  );
  return createElement(
    preview ? "div" : "li",
    { className: `bh-card bh-token-card ${preview ? "" : "bh-card--link"}`, "data-address": address, "data-new": isNew || undefined, "data-testid": preview ? "launch-preview" : "token-card" },
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
