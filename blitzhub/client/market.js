// One token's live figures, merged into one object, for components that show them or act on them.
import { useCallback, useSyncExternalStore } from "react";
import { connection, onConnection, subscribe } from "$/public/external/blitzhub/feed/feed.js";

const NOTHING = Object.freeze({});
const markets = new Map();

function opened(token) {
  const known = markets.get(token);
  if (known) return known;
  const market = { state: NOTHING, listeners: new Set(), stop: null };
  markets.set(token, market);
  return market;
}

function tell(market, news) {
  market.state = { ...market.state, ...news };
  for (const listener of market.listeners) listener();
}

function follow(token, listener) {
  const market = opened(token);
  market.listeners.add(listener);
  market.stop ??= subscribe({ type: "token", token }, ({ snapshot, seq, data }) => {
    const { trades, candle, token: whole, ...changed } = data;
    tell(market, { ...(snapshot ? whole : changed), seq });
  });
  return () => {
    market.listeners.delete(listener);
    if (market.listeners.size) return;
    market.stop();
    markets.delete(token);
  };
}

/** The token's figures as last heard (keys of the API's token, `seq` among them); empty before the first frame. */
export function useMarket(token) {
  const subscribeTo = useCallback((listener) => (token ? follow(token, listener) : () => {}), [token]);
  return useSyncExternalStore(subscribeTo, () => markets.get(token)?.state ?? NOTHING);
}

/** How the live connection stands: `state` is "live", "reconnecting" or "stale", `since_ms` when it last was live. */
export const useConnection = () => useSyncExternalStore(onConnection, connection);
