// An operators' question asked again and again, while the page is looked at.
import { useCallback, useEffect, useRef, useState } from "react";
import { call } from "$/public/external/blitzhub/client/api.js";

/**
 * What `path` answers, asked every `everyMs`: { answer, error, heardAt, again }. An answer stays when the next fails;
 * then `error` says why, and `heardAt` how old it is (by Date.now()). `again()` asks at once.
 */
export function usePoll(path, everyMs = 2_000) {
  const [found, setFound] = useState({ answer: null, error: null, heardAt: 0 });
  const asked = useRef(0);
  const ask = useCallback(async () => {
    const number = ++asked.current;
    try {
      const answer = await call("GET", path);
      if (number === asked.current) setFound({ answer, error: null, heardAt: Date.now() });
    } catch (error) {
      if (number === asked.current) setFound((before) => ({ ...before, error }));
    }
  }, [path]);
  useEffect(() => {
    let timer = null;
    let ended = false;
    const round = async () => {
      if (!document.hidden) await ask();
      if (!ended) timer = setTimeout(round, everyMs);
    };
    round();
    return () => {
      ended = true;
      asked.current += 1;
      clearTimeout(timer);
    };
  }, [ask, everyMs]);
  return { ...found, again: ask };
}
