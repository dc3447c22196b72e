// The tab's title follows the market, but not faster than one reads.
import { useEffect, useRef } from "react";
import { useMarket } from "$/public/external/blitzhub/client/market.js";
import { marketSol } from "$/public/external/blitzhub/feed/figures.js";

const AT_MOST_EVERY_MS = 5_000;

export function PageTitle({ token, symbol = "", cap = "" }) {
  const market = useMarket(token);
  const shownAt = useRef(0);
  const now = market.market_cap_lamports ?? cap;
  useEffect(() => {
    if (!symbol) return undefined;
    const show = () => {
      shownAt.current = Date.now();
      document.title = Number(now) ? `${marketSol(now)} SOL · ${symbol} · BlitzHub` : `${symbol} · BlitzHub`;
    };
    const wait = shownAt.current + AT_MOST_EVERY_MS - Date.now();
    const timer = setTimeout(show, Math.max(wait, 0));
    return () => clearTimeout(timer);
  }, [symbol, now]);
  return null;
}
