// Where the account is signed in, and the end of all of it.
import { useEffect, useState } from "react";
import { call } from "$/public/external/blitzhub/client/api.js";
import { age } from "$/public/external/blitzhub/feed/figures.js";

const since = (then, now) => (age(then, now) === "now" ? "now" : `${age(then, now)} ago`);

export function Sessions() {
  const [sessions, setSessions] = useState([]);
  const [words, setWords] = useState("");
  useEffect(() => {
    call("GET", "/auth/sessions").then(
      (answer) => setSessions(answer.sessions),
      (error) => setWords(error.message),
    );
  }, []);
  const end = async () => {
    setWords("");
    try {
      await call("POST", "/auth/logout-everywhere");
      location.reload();
    } catch (error) {
      setWords(error.message);
    }
  };
  const now = Date.now();
  return (
    <section className="bh-card bh-card--pad bh-funds__card" aria-label="Sessions">
      <h2 className="bh-title">Signed in</h2>
      <ul className="bh-account__sessions">
        {sessions.map((session) => (
          <li key={session.created_at_ms} data-testid="session-row">
            <b>{session.current ? "This browser" : "Another browser"}</b>
            <span className="bh-small bh-muted">
              signed in {since(session.created_at_ms, now)}, last seen {since(session.seen_at_ms, now)}
            </span>
          </li>
        ))}
      </ul>
      {words && (
        <div className="bh-error" role="alert">
          {words}
        </div>
      )}
      <button type="button" className="bh-button bh-button--outline bh-account__out" onClick={end} data-testid="sign-out-everywhere">
        Sign out everywhere
      </button>
      <p className="bh-hint">API keys stay good until you revoke them.</p>
    </section>
  );
}
