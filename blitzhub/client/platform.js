// What this tab knows of the platform's own switches: heard with each answer of GET /api/proof.
import { useSyncExternalStore } from "react";

let buyingPausedSince = null;
const listeners = new Set();

/** Take in what the proof says beside its figures. */
export function heardOfPlatform(proof) {
  const since = proof.buying_paused_since_ms ?? null;
  if (since === buyingPausedSince) return;
  buyingPausedSince = since;
  for (const listener of listeners) listener();
}

function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Since when nobody may buy or launch, null while everybody may. */
export const useBuyingPausedSince = () => useSyncExternalStore(listen, () => buyingPausedSince);
