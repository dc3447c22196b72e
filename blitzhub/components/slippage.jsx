// The slippage limit: automatic or one's own, always in sight, remembered in this browser.
import { useState } from "react";
import { Pencil, TriangleAlert } from "lucide-react";
import { share } from "$/public/external/blitzhub/feed/figures.js";

const STORE = "blitzhub.slippage";
const AUTO_BPS = 100;
const LEAST_BPS = 10;
const MOST_BPS = 5_000;
const WARN_BPS = 1_000;

/** The remembered limit: `own` is null for automatic, else basis points. */
export function useSlippage() {
  const [own, setOwn] = useState(() => {
    const stored = Number(localStorage.getItem(STORE));
    return Number.isInteger(stored) && stored >= LEAST_BPS && stored <= MOST_BPS ? stored : null;
  });
  const change = (bps) => {
    setOwn(bps);
    if (bps === null) localStorage.removeItem(STORE);
    else localStorage.setItem(STORE, String(bps));
  };
  return { own, bps: own ?? AUTO_BPS, change };
}

function readPercent(text) {
  const match = /^(\d{1,2})(?:\.(\d{1,2}))?$/.exec(text.trim());
  if (!match) return null;
  const bps = Number(match[1]) * 100 + Number((match[2] ?? "").padEnd(2, "0"));
  return bps >= LEAST_BPS && bps <= MOST_BPS ? bps : null;
}

export function Slippage({ slippage, open, onOpen }) {
  const [text, setText] = useState("");
  const { own, bps, change } = slippage;
  const toggle = () => {
    setText(own === null ? "" : (own / 100).toString());
    onOpen(!open);
  };
  const type = (event) => {
    setText(event.target.value);
    const read = readPercent(event.target.value);
    if (read !== null) change(read);
  };
  const wrong = text !== "" && readPercent(text) === null;
  return (
    <div className="bh-slippage">
      <div className="bh-slippage__row">
        <span className="bh-muted">Slippage</span>
        <button type="button" className="bh-slippage__edit" aria-expanded={open} onClick={toggle} data-testid="slippage">
          {own === null ? "Auto " : ""}
          <span className="bh-fig">{share(bps)}</span>
          <Pencil className="bh-icon" aria-hidden />
          <span className="bh-visually-hidden">Edit</span>
        </button>
      </div>
      {open && (
        <div className="bh-slippage__own">
          <button type="button" className="bh-chip" aria-pressed={own === null} onClick={() => (change(null), setText(""))}>
            Auto
          </button>
          <label className="bh-amount bh-amount--small">
            <span className="bh-visually-hidden">Own slippage limit in percent</span>
            <input className="bh-amount__input" inputMode="decimal" autoComplete="off" placeholder="0.10 to 50" value={text} onChange={type} aria-invalid={wrong} data-testid="slippage-input" />
            <span className="bh-amount__unit">%</span>
          </label>
        </div>
      )}
      {wrong && open && <div className="bh-error">From 0.10% to 50%, with a point</div>}
      {bps > WARN_BPS && (
        <div className="bh-note bh-note--warn">
          <TriangleAlert className="bh-icon" aria-hidden />
          You may receive up to {share(bps)} less than shown.
        </div>
      )}
    </div>
  );
}
