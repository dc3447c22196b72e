// One question to the operators' API: asked when it changes, and again every so often while the page is looked at.
import { useEffect, useState } from "react";
import { usePoll } from "$/public/external/blitzhub/pages/admin/frame/poll.js";
import { call } from "$/public/external/blitzhub/client/api.js";

export const AGAIN_MS = 15_000;

/** { answer, error }: the newest answer to `path`; the one to the path before stays until there is a new one. */
export const useAnswer = (path) => usePoll(path, AGAIN_MS);

/** A list page by page: { rows, more, error, next }; `name` is its key in the answers. */
export function useRows(path, name) {
  const [state, setState] = useState({ rows: null, cursor: null, error: null });
  const ask = async (cursor, signal) => {
    try {
      const answer = await call("GET", cursor ? `${path}&cursor=${encodeURIComponent(cursor)}` : path, undefined, { signal });
      setState((old) => ({ rows: cursor ? [...old.rows, ...answer[name]] : answer[name], cursor: answer.next_cursor, error: null }));
    } catch (error) {
      if (!signal?.aborted) setState((old) => ({ ...old, error }));
    }
  };
  useEffect(() => {
    const stop = new AbortController();
    setState({ rows: null, cursor: null, error: null });
    ask(null, stop.signal);
    return () => stop.abort();
  }, [path]);
  return { ...state, next: () => ask(state.cursor) };
}
