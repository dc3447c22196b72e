// The quote of what is typed: asked shortly after typing and again when the market moves; old figures stay, dimmed.
import { useEffect, useRef, useState } from "react";
import { call } from "$/public/external/blitzhub/client/api.js";

const TYPING_MS = 150;
const AGAIN_MS = 500;

const NONE = { answer: null, key: "", error: null };

/**
 * `balance` is what the account has: the server answers with the largest order that it covers.
 * @returns {{answer: object|null, fits: boolean, fresh: boolean, error: Error|null}} `fits`: the answer is about this
 * very amount and bound; `fresh`: and about the market as it is now
 */
export function useQuote({ token, side, units, slippageBps, account, balance, seq }) {
  const [state, setState] = useState(NONE);
  const askedAt = useRef(0);
  const key = units ? `${token}|${side}|${units}|${slippageBps}|${account}|${balance}` : "";
  useEffect(() => {
    if (!key) {
      setState(NONE);
      return;
    }
    const stop = new AbortController();
    const wait = Math.max(TYPING_MS, state.key === key ? askedAt.current + AGAIN_MS - Date.now() : 0);
    const timer = setTimeout(async () => {
      askedAt.current = Date.now();
      const query = new URLSearchParams({ side, amount: String(units), slippage_bps: String(slippageBps) });
      try {
        const answer = await call("GET", `/tokens/${token}/quote?${query}`, undefined, { signal: stop.signal });
        setState({ answer, key, error: null });
      } catch (error) {
        if (!stop.signal.aborted) setState((old) => ({ answer: old.key === key ? old.answer : null, key, error }));
      }
    }, wait);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [key, seq]);
  const fits = state.key === key && state.answer !== null;
  return { answer: key ? state.answer : null, error: state.key === key ? state.error : null, fits, fresh: fits && state.answer.seq >= (seq ?? 0) };
}

/** The largest amount the server would not refuse, as BigInt; null when it does not say. */
export async function maximum(token, side, amount) {
  const query = new URLSearchParams({ side, amount: String(amount), slippage_bps: "100" });
  const { max } = await call("GET", `/tokens/${token}/quote?${query}`);
  return max === null || max === undefined ? null : BigInt(max);
}
