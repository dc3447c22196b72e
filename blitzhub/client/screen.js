// How wide the screen is, as a fact that components can follow.
import { useSyncExternalStore } from "react";

const follow = (query) => {
  const subscribe = (listener) => {
    query.addEventListener("change", listener);
    return () => query.removeEventListener("change", listener);
  };
  return () => useSyncExternalStore(subscribe, () => query.matches);
};

/** Whether the trade panel stands beside the chart. */
export const useWide = follow(matchMedia("(min-width: 1024px)"));

/** Whether there is room for one column only, and fingers for pointers. */
export const usePhone = follow(matchMedia("(max-width: 639px)"));
