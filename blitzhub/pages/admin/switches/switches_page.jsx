// Everything an operator can switch, and everything that is switched now.
import { useState } from "react";
import { clock, shortAddress } from "$/public/external/blitzhub/feed/figures.js";
import { call } from "$/public/external/blitzhub/client/api.js";
import { ActionButton, useActions } from "$/public/external/blitzhub/pages/admin/frame/action.jsx";
import { usePoll } from "$/public/external/blitzhub/pages/admin/frame/poll.js";

const BACK = { paused: "resume_token", held: "release_token", hidden: "unhide_token", frozen: "unfreeze_account" };
const TOKEN_ACTIONS = ["pause_token", "hold_token", "hide_token"];

/** The token at that address by its symbol, or why there is none. */
async function found(address) {
  const token = await call("GET", `/tokens/${encodeURIComponent(address)}`);
  return { address: token.address, symbol: token.symbol };
}

function OneToken({ staff, ask }) {
  const [address, setAddress] = useState("");
  const [token, setToken] = useState(null);
  const [words, setWords] = useState("");
  const find = async (event) => {
    event.preventDefault();
    setToken(null);
    setWords("");
    try {
      setToken(await found(address.trim()));
    } catch (error) {
      setWords(error.message);
    }
  };
  return (
    <section className="bh-card bh-card--pad bh-switches__card" aria-label="A token">
      <h2 className="bh-title">A token</h2>
      <form className="bh-switches__form" onSubmit={find}>
        <input className="bh-input bh-fig" aria-label="Token's address" placeholder="Address" value={address} onChange={(event) => setAddress(event.target.value)} data-testid="switch-token" />
        <button type="submit" className="bh-button">
          Find
        </button>
      </form>
      {words && <div className="bh-error">{words}</div>}
      {token && (
        <div className="bh-switches__actions">
          <b data-testid="switch-symbol">{token.symbol}</b>
          {TOKEN_ACTIONS.map((action) => (
            <ActionButton key={action} action={action} target={token.address} name={token.symbol} staff={staff} onAsk={ask} />
          ))}
        </div>
      )}
    </section>
  );
}

function OneAccount({ staff, ask }) {
  const [address, setAddress] = useState("");
  const target = address.trim();
  return (
    <section className="bh-card bh-card--pad bh-switches__card" aria-label="An account">
      <h2 className="bh-title">An account</h2>
      <div className="bh-switches__form">
        <input className="bh-input bh-fig" aria-label="Account's wallet" placeholder="Wallet" value={address} onChange={(event) => setAddress(event.target.value)} data-testid="switch-account" />
        {target.length >= 32 && <ActionButton action="freeze_account" target={target} name={shortAddress(target)} staff={staff} onAsk={ask} />}
      </div>
      <p className="bh-hint">What the chain's refusals froze is released with `python -m workers frozen`.</p>
    </section>
  );
}

export function SwitchesPage({ account = "", localnet = false }) {
  const { answer, error, again } = usePoll("/admin/switched");
  const { answer: staff } = usePoll("/admin/status");
  const { ask, dialog, note } = useActions({ account, localnet, staff, again });
  const switched = answer?.switched ?? [];
  const since = answer?.platform_paused_since_ms;
  return (
    <div className="bh-engine" data-testid="switches">
      {note}
      {error && <div className="bh-note bh-note--warn">{error.message}</div>}
      {staff?.role === "viewer" && <p className="bh-muted">You look; operators switch.</p>}
      <div className="bh-engine__pair">
        <OneToken staff={staff} ask={ask} />
        <OneAccount staff={staff} ask={ask} />
      </div>
      <section className="bh-card bh-engine__card" aria-label="Switched now">
        <h2 className="bh-title bh-engine__title">Switched now</h2>
        <div className="bh-engine__scroll">
          <table className="bh-table bh-table--roomy">
            <tbody>
              {since && (
                <tr data-testid="switched" data-what="platform">
                  <td>The platform</td>
                  <td>paused since {clock(since)}</td>
                  <td className="bh-engine__do">
                    <ActionButton action="resume_platform" target="platform" name="the platform" staff={staff} onAsk={ask} />
                  </td>
                </tr>
              )}
              {switched.map((each) => (
                <tr key={each.what + each.target} data-testid="switched" data-what={each.what} data-target={each.target}>
                  <td>
                    {each.symbol} <span className={`bh-fig ${each.symbol ? "bh-muted" : ""}`} title={each.target}>{shortAddress(each.target)}</span>
                  </td>
                  <td>
                    {each.what}
                    {each.failure ? `: ${each.failure}` : ""}
                  </td>
                  <td className="bh-engine__do">{!each.failure && <ActionButton action={BACK[each.what]} target={each.target} name={each.symbol ?? shortAddress(each.target)} staff={staff} onAsk={ask} />}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {!since && !switched.length && <div className="bh-empty">Nothing is switched off.</div>}
        </div>
      </section>
      {dialog}
    </div>
  );
}
