// The quote of what is typed: asked shortly after typing and again when the market moves; old figures stay, dimmed.
import { useEffect, useRef, useState } from "react";
import { call, Unanswered } from "$/public/external/blitzhub/client/api.js";

const TYPING_MS = 150;
const AGAIN_MS = 500;
const RETRY_MS = 2_000;

const NONE = { answer: null, key: "", error: null };

/**
 * `balance` is what the account has: the server answers with the largest order that it covers.
 * @returns {{answer: object|null, fits: boolean, fresh: boolean, error: Error|null}} `fits`: the answer is about this
 * very amount and bound; `fresh`: and about the market as it is now
 */
export function useQuote({ token, side, units, slippageBps, account, balance, seq }) {
  const [state, setState] = useState(NONE);
  const latest = useRef(seq);
  const askAgain = useRef(null);
  latest.current = seq;
  const key = units ? `${token}|${side}|${units}|${slippageBps}|${account}|${balance}` : "";
  useEffect(() => {
    if (!key) {
      setState(NONE);
      return;
    }
    const stop = new AbortController();
    let timer = 0;
    let asking = false;
    let asked = { at_ms: 0, seq: 0 };
    const askIn = (wait_ms) => {
      timer = setTimeout(() => {
        timer = 0;
        ask();
      }, wait_ms);
    };
    const ask = async () => {
      asking = true;
      asked = { at_ms: Date.now(), seq: latest.current ?? 0 };
      const query = new URLSearchParams({ side, amount: String(units), slippage_bps: String(slippageBps) });
      try {
        const answer = await call("GET", `/tokens/${token}/quote?${query}`, undefined, { signal: stop.signal });
        setState({ answer, key, error: null });
      } catch (error) {
        if (stop.signal.aborted) return;
        setState((old) => ({ answer: old.key === key ? old.answer : null, key, error }));
        // A market that stands still would never ask again by itself.
        if (error instanceof Unanswered || error.retryAfterS) askIn(error.retryAfterS ? error.retryAfterS * 1000 : RETRY_MS);
      }
      asking = false;
      askAgain.current?.();
    };
    // A market that moves faster than anybody can ask must not put the question off each time.
    askAgain.current = () => {
      if (stop.signal.aborted || asking || timer || (latest.current ?? 0) <= asked.seq) return;
      askIn(Math.max(0, asked.at_ms + AGAIN_MS - Date.now()));
    };
    askIn(TYPING_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
      askAgain.current = null;
    };
  }, [key]);
  useEffect(() => askAgain.current?.(), [seq]);
  const fits = state.key === key && state.answer !== null;
  return { answer: key ? state.answer : null, error: state.key === key ? state.error : null, fits, fresh: fits && state.answer.seq >= (seq ?? 0) };
}

/** The largest amount the server would not refuse, as BigInt; null when it does not say. */
export async function maximum(token, side, amount) {
  const query = new URLSearchParams({ side, amount: String(amount), slippage_bps: "100" });
  const { max } = await call("GET", `/tokens/${token}/quote?${query}`);
  return max === null || max === undefined ? null : BigInt(max);
}
