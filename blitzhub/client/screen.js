// How wide the screen is, as a fact that components can follow.
import { useSyncExternalStore } from "react";

const wide = matchMedia("(min-width: 1024px)");

const subscribe = (listener) => {
  wide.addEventListener("change", listener);
  return () => wide.removeEventListener("change", listener);
};

/** Whether the trade panel stands beside the chart. */
export const useWide = () => useSyncExternalStore(subscribe, () => wide.matches);
