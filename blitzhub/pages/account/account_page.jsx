// The account page: what may act for the account besides this browser.
import { Keys } from "./keys.jsx";
import { Sessions } from "./sessions.jsx";

export function AccountPage({ account = "", known = false }) {
  if (!known) return <span className="bh-skeleton bh-funds__skeleton" aria-hidden />;
  if (!account) {
    return (
      <div className="bh-message">
        <h1 className="bh-h2">Sign in to see your keys and sessions.</h1>
        <button type="button" className="bh-button bh-button--accent" onClick={() => window.dispatchEvent(new Event("blitzhub:sign-in"))}>
          Sign in
        </button>
      </div>
    );
  }
  return (
    <div className="bh-account">
      <h1 className="bh-h1">Keys and sessions</h1>
      <Keys />
      <Sessions />
    </div>
  );
}
