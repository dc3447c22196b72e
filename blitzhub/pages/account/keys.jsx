// API keys for bots: made here, shown once, revoked here.
import { useCallback, useEffect, useState } from "react";
import { TriangleAlert } from "lucide-react";
import { CopyText } from "$/public/external/blitzhub/components/browser/copy_text.jsx";
import { call } from "$/public/external/blitzhub/client/api.js";
import { age } from "$/public/external/blitzhub/feed/figures.js";

const SCOPES = [
  ["read", "Read", "balances, orders, withdrawals"],
  ["trade", "Trade", "buy, sell, launch"],
  ["withdraw", "Withdraw", "to your wallet and addresses paid before"],
];

function Made({ made, onDone }) {
  return (
    <div className="bh-note bh-note--warn bh-account__made" role="status">
      <TriangleAlert className="bh-icon" aria-hidden />
      <div>
        <b>Copy the key now: it is shown this once.</b>
        <div className="bh-funds__address bh-fig" data-testid="key-secret">
          {made.secret}
        </div>
        <div className="bh-funds__row">
          <CopyText text={made.secret} word="Copy key" label="Key" />
          <button type="button" className="bh-button bh-button--dense" onClick={onDone} data-testid="key-done">
            I have it
          </button>
        </div>
      </div>
    </div>
  );
}

function NewKey({ onMade }) {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState(["read"]);
  const [words, setWords] = useState("");
  const [busy, setBusy] = useState(false);
  const turn = (scope) => setScopes((known) => (known.includes(scope) ? known.filter((one) => one !== scope) : [...known, scope]));
  const lack = !name.trim() ? "Give the key a name" : !scopes.length ? "Choose what it may do" : "";
  const make = async (event) => {
    event.preventDefault();
    if (lack || busy) return;
    setBusy(true);
    setWords("");
    try {
      onMade(await call("POST", "/auth/keys", { name, scopes }));
      setName("");
      setScopes(["read"]);
    } catch (error) {
      setWords(error.message);
    }
    setBusy(false);
  };
  return (
    <form className="bh-account__new" onSubmit={make} noValidate>
      <label className="bh-field">
        <span className="bh-label">Name</span>
        <input className="bh-input" value={name} maxLength={40} autoComplete="off" placeholder="Market maker" onChange={(event) => setName(event.target.value)} data-testid="key-name" />
      </label>
      <fieldset className="bh-account__scopes">
        <legend className="bh-label">It may</legend>
        {SCOPES.map(([scope, label, hint]) => (
          <label key={scope} className="bh-account__scope">
            <input type="checkbox" checked={scopes.includes(scope)} onChange={() => turn(scope)} data-testid={`scope-${scope}`} />
            <span>
              {label} <span className="bh-small bh-muted">{hint}</span>
            </span>
          </label>
        ))}
      </fieldset>
      {words && (
        <div className="bh-error" role="alert">
          {words}
        </div>
      )}
      <button type="submit" className="bh-button bh-button--accent" aria-disabled={Boolean(lack) || busy} data-testid="key-make">
        {lack || "Make key"}
      </button>
    </form>
  );
}

function Row({ made, now, onRevoke }) {
  const revoked = made.revoked_at_ms !== null;
  return (
    <tr data-testid="key-row" data-key={made.key_id} data-revoked={revoked}>
      <td>
        <bdi>{made.name}</bdi>
      </td>
      <td>{made.scopes.join(", ")}</td>
      <td className="bh-fig bh-muted bh-wide-only">{age(made.created_at_ms, now)}</td>
      <td className="bh-fig bh-muted">{made.used_at_ms ? age(made.used_at_ms, now) : "never"}</td>
      <td className="bh-right">
        {revoked ? (
          <span className="bh-pill">Revoked</span>
        ) : (
          <button type="button" className="bh-button bh-button--dense" onClick={() => onRevoke(made)} data-testid="key-revoke">
            Revoke
          </button>
        )}
      </td>
    </tr>
  );
}

export function Keys() {
  const [keys, setKeys] = useState(null);
  const [made, setMade] = useState(null);
  const [words, setWords] = useState("");
  const read = useCallback(async () => {
    try {
      setKeys((await call("GET", "/auth/keys")).keys);
    } catch (error) {
      setWords(error.message);
    }
  }, []);
  useEffect(() => {
    read();
  }, [read]);
  const revoke = async ({ key_id }) => {
    setWords("");
    try {
      await call("DELETE", `/auth/keys/${key_id}`);
    } catch (error) {
      setWords(error.message);
    }
    read();
  };
  const now = Date.now();
  return (
    <section className="bh-card bh-card--pad bh-funds__card" aria-label="API keys">
      <h2 className="bh-title">API keys</h2>
      <p className="bh-small bh-muted">For bots. A key acts for your account with what you allow it, until you revoke it.</p>
      {made && <Made made={made} onDone={() => setMade(null)} />}
      <NewKey
        onMade={(answer) => {
          setMade(answer);
          read();
        }}
      />
      {words && (
        <div className="bh-error" role="alert">
          {words}
        </div>
      )}
      {keys?.length > 0 && (
        <div className="bh-scroll" tabIndex={0} role="region" aria-label="API keys">
          <table className="bh-table bh-table--roomy">
            <thead>
              <tr>
                <th>Name</th>
                <th>May</th>
                <th className="bh-wide-only">Age</th>
                <th>Last used</th>
                <th className="bh-right">End it</th>
              </tr>
            </thead>
            <tbody>
              {keys.map((one) => (
                <Row key={one.key_id} made={one} now={now} onRevoke={revoke} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
