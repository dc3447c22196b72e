// Test SOL on a local chain. All buttons of a page share one state: a request is one request.
import { useEffect, useSyncExternalStore } from "react";
import { call } from "$/public/external/blitzhub/client/api.js";

const GIVE_UP_MS = 30_000;
let state = { phase: "idle", words: "", since: null };
const listeners = new Set();

function set(next) {
  state = next;
  for (const listener of listeners) listener();
}

const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

async function ask(balance) {
  set({ phase: "asking", words: "", since: balance });
  try {
    await call("POST", "/faucet");
    set({ phase: "coming", words: "", since: balance });
    setTimeout(() => state.phase === "coming" && set({ phase: "idle", words: "", since: null }), GIVE_UP_MS);
  } catch (error) {
    set({ phase: "idle", words: error.message, since: null });
  }
}

/** The deposit is here once the balance differs from the one it was asked at. */
function arrived(balance) {
  return state.since !== null && BigInt(balance || "0") > BigInt(state.since || "0");
}

/** The faucet as any control shows it; `balance` is the account's SOL, in lamports as text. */
export function useFaucet(balance) {
  const { phase, words } = useSyncExternalStore(subscribe, () => state);
  useEffect(() => {
    if (arrived(balance)) set({ phase: "idle", words: "", since: null });
  }, [balance, phase]);
  const waiting = phase !== "idle";
  const label = phase === "asking" ? "Asking…" : phase === "coming" ? "On its way" : "Get test SOL";
  return { phase, words, waiting, label, press: () => !waiting && ask(balance) };
}

export function FaucetButton({ balance = "0" }) {
  const { phase, words, waiting, label, press } = useFaucet(balance);
  return (
    <span className="bh-faucet">
      <button
        type="button"
        className="bh-button bh-button--outline"
        data-testid="faucet"
        data-phase={phase}
        aria-disabled={waiting}
        title={words || "Test SOL for this local chain"}
        onClick={press}
      >
        {label}
      </button>
      {words && (
        <span className="bh-faucet__words bh-small bh-warn" role="status">
          {words}
        </span>
      )}
    </span>
  );
}
