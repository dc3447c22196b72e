// Keys that act on the page, off while one types or an overlay is open.
import { useEffect, useRef } from "react";

const TAKEN = "input, textarea, select, [role=dialog], [role=menu]";

/** Presses of `actions`' keys (in small letters) call them. No key alone may send an order. */
export function useKeys(actions) {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const press = (event) => {
      const written = event.getModifierState("AltGraph"); // how some keyboards write [ and ]
      if (!written && (event.ctrlKey || event.metaKey || event.altKey)) return;
      if (event.target.closest?.(TAKEN)) return;
      const action = latest.current[event.key.toLowerCase()];
      if (!action) return;
      event.preventDefault();
      action();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
}
