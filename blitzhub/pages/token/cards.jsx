// One's own position in a token.
import { useEffect, useState } from "react";
import { call } from "$/public/external/blitzhub/client/api.js";
import { units } from "$/public/external/blitzhub/client/amounts.js";
import { useMarket } from "$/public/external/blitzhub/client/market.js";
import { NONE, ownSol, ownTokens } from "$/public/external/blitzhub/feed/figures.js";

const QUOTE_MS = 1_000;

/** What selling `held` now would return, fee and impact in; asked at most once a second as the market moves. */
function useWorth({ token, account, held, seq }) {
  const [worth, setWorth] = useState(null);
  useEffect(() => {
    if (!held) {
      setWorth(null);
      return;
    }
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      const query = new URLSearchParams({ side: "sell", amount: String(held), slippage_bps: "100" });
      try {
        setWorth((await call("GET", `/tokens/${token}/quote?${query}`, undefined, { signal: stop.signal })).lamports);
      } catch {
        if (!stop.signal.aborted) setWorth(null);
      }
    }, QUOTE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [token, account, held, seq]);
  return worth;
}

export function PositionCard({ token, symbol, decimals = 6, account = "", held = "" }) {
  const { seq } = useMarket(token);
  const amount = units(held) ?? 0n;
  const worth = useWorth({ token, account, held: account ? amount : 0n, seq });
  return (
    <section className="bh-card bh-card--pad bh-position" data-testid="position">
      <div className="bh-muted">Your position</div>
      {amount > 0n ? (
        <>
          <div className="bh-quote__row">
            <span className="bh-muted">You hold</span>
            <span className="bh-fig" data-testid="position-held">{ownTokens(amount, decimals)} {symbol}</span>
          </div>
          <div className="bh-quote__row" title="What selling all of it now would return, fee and price impact included">
            <span className="bh-muted">Worth if sold now</span>
            <span className="bh-fig" data-testid="position-worth">{worth === null ? NONE : `${ownSol(worth)} SOL`}</span>
          </div>
        </>
      ) : (
        <div className="bh-small bh-faint">{account ? `You hold no ${symbol}.` : "Sign in to see yours."}</div>
      )}
    </section>
  );
}
