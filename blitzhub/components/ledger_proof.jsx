// Whether ledger and chain agree, in the status bar; asked again while the page is looked at, aged by the second.
import { createElement, useEffect, useState } from "react";
import { call } from "$/public/external/blitzhub/client/api.js";
import { heardOfPlatform } from "$/public/external/blitzhub/client/platform.js";
import { told } from "$/public/external/blitzhub/components/ledger_proof/ledger_proof.js";

const ASK_MS = 10_000;
const NOTHING = { proof: null, heard: 0 };

export function LedgerProof({ href }) {
  const [known, setKnown] = useState(NOTHING);
  const [now, setNow] = useState(0);

  useEffect(() => {
    let due = 0;
    const ask = async () => {
      const proof = await call("GET", "/proof").catch(() => null);
      // Without an answer the last one goes on ageing, and says so by itself.
      if (proof === null) return;
      heardOfPlatform(proof);
      setKnown({ proof, heard: performance.now() });
    };
    const tick = () => {
      if (document.hidden) return;
      const at = performance.now();
      if (at >= due) {
        due = at + ASK_MS;
        ask();
      }
      setNow(at);
    };
    tick();
    const timer = setInterval(tick, 1000);
    document.addEventListener("visibilitychange", tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", tick);
    };
  }, []);

  const [state, words] = told(known.proof, known.heard, Math.max(now, known.heard));
  return createElement("a", { href, className: "bh-proof", "data-state": state, "data-testid": "ledger-proof" }, words);
}
