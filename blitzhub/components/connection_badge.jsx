// How the market socket stands, in a dot and a word.
import { createElement, useState, useSyncExternalStore } from "react";
import { connection, connectionDetails, onConnection } from "$/public/external/blitzhub/feed/feed.js";
import { clock } from "$/public/external/blitzhub/feed/figures.js";

const BEFORE = Object.freeze({ state: "reconnecting", since_ms: null, offline: false });

function words({ state, since_ms }) {
  if (state === "live") return "Live";
  if (state === "stale") return `Stale since ${clock(since_ms)}`;
  return "Reconnecting";
}

function tooltip() {
  const { delay_ms, seq, heard_ms } = connectionDetails();
  if (!heard_ms) return "Nothing heard yet";
  const delay = delay_ms === null ? "" : `Delay ${delay_ms} ms · `;
  return `${delay}last seq ${seq ?? "—"} · last frame ${clock(heard_ms)}`;
}

export function ConnectionBadge({ className = "", id }) {
  const now = useSyncExternalStore(onConnection, connection, () => BEFORE);
  const [title, setTitle] = useState("");
  return createElement(
    "span",
    {
      id,
      className: `bh-badge ${className}`,
      "data-state": now.state,
      "data-testid": "connection-badge",
      role: "status",
      title,
      onPointerEnter: () => setTitle(tooltip()),
    },
    words(now),
  );
}
