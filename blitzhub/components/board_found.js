// What a filtered board shows: asked of the server, among all tokens, as long as filters are on.
import { useEffect, useState } from "react";
import { call } from "$/public/external/blitzhub/client/api.js";

const AGAIN_MS = 5_000;
const TYPED_MS = 300;
const MOST = 100;

const query = (column, { cap, holders, raised, people }) =>
  new URLSearchParams({ column, limit: MOST, market_cap_lamports: cap, holders, raised_percent: raised > 100n ? 100n : raised, people });

/** The addresses of a column's tokens that pass, in their order; null until they are known, and without filters. */
export function useFound(market, column, filters, on, held) {
  const [found, setFound] = useState(null);
  const asked = on && !column.startsWith("trending_") ? String(query(column, filters)) : null;
  useEffect(() => {
    setFound(null);
    if (!asked) return undefined;
    const stop = new AbortController();
    let timer = 0;
    const ask = async () => {
      try {
        const { tokens } = await call("GET", `/tokens?${asked}`, undefined, { signal: stop.signal });
        market.learn(tokens);
        const order = tokens.map(({ address }) => address);
        setFound((old) => (old && held.current ? old : order)); // nothing moves under a pointer
      } catch {
        // what was found stays, and is asked for again
      }
      if (!stop.signal.aborted) timer = setTimeout(ask, AGAIN_MS);
    };
    timer = setTimeout(ask, TYPED_MS);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [market, asked]);
  return found;
}
