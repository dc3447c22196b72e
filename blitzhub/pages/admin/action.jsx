// One operator's action: why, the word typed, a new sign-in where the last one is too old, then what the server says.
import { useState } from "react";
import { Dialog } from "radix-ui";
import { call, Refused } from "$/public/external/blitzhub/client/api.js";
import { useSignInAgain } from "$/public/external/blitzhub/wallet/sign_in_again.js";

const LABELS = { idle: null, signing: "Confirm in your wallet…", sending: "Sending…" };

/** `asked`: { action, target, title, says, word, label }. `onDone(entry)` hears of the row of the audit log. */
export function ActionDialog({ asked, account, localnet, mayAct, onClose, onDone }) {
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const [phase, setPhase] = useState("idle");
  const [words, setWords] = useState("");
  const { again, signIn, signedIn, failed } = useSignInAgain(!mayAct, account, localnet);
  const ready = phase === "idle" && reason.trim().length >= 3 && typed.trim() === asked.word;
  const send = async (event) => {
    event.preventDefault();
    if (!ready) return;
    setWords("");
    try {
      if (again) {
        setPhase("signing");
        await signIn();
        signedIn();
      }
      setPhase("sending");
      const { action, target } = asked;
      onDone(await call("POST", "/admin/actions", { action, target, reason, typed: typed.trim() }));
    } catch (error) {
      setPhase("idle");
      failed(error);
      const unknown = "We could not tell whether it was done. Look at the audit log before you try again.";
      setWords(error instanceof Refused ? `Not done: ${error.message}` : error.message || unknown);
    }
  };
  return (
    <Dialog.Root open onOpenChange={(open) => !open && phase === "idle" && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="bh-scrim" />
        <Dialog.Content className="bh-modal bh-modal--centre" aria-describedby="action-says">
          <Dialog.Title className="bh-h2">{asked.title}</Dialog.Title>
          <p id="action-says" className="bh-muted">
            {asked.says}
          </p>
          <form className="bh-action" onSubmit={send}>
            <label className="bh-field">
              <span className="bh-label">Why, for the audit log</span>
              <input className="bh-input" value={reason} maxLength={300} onChange={(event) => setReason(event.target.value)} data-testid="action-reason" />
            </label>
            <label className="bh-field">
              <span className="bh-label">
                Type <b>{asked.word}</b> to do it
              </span>
              <input className="bh-input" value={typed} autoComplete="off" onChange={(event) => setTyped(event.target.value)} data-testid="action-word" />
            </label>
            {words && (
              <div className="bh-note bh-note--danger" role="alert">
                {words}
              </div>
            )}
            <div className="bh-modal__actions">
              <button type="button" className="bh-button" aria-disabled={phase !== "idle"} onClick={() => phase === "idle" && onClose()}>
                Back
              </button>
              <button type="submit" className="bh-button bh-button--danger" aria-disabled={!ready} data-testid="action-do">
                {LABELS[phase] ?? (again ? `Sign in and ${asked.label.toLowerCase()}` : asked.label)}
              </button>
            </div>
          </form>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** What each action says before it is done. */
export const ACTIONS = {
  pause_token: (name) => ["Pause", `Pause ${name}?`, "Nobody buys it, those whose buy waits neither. Selling and reading go on."],
  resume_token: (name) => ["Resume", `Resume ${name}?`, "It can be bought again."],
  hold_token: (name) => ["Hold", `Hold the queue of ${name}?`, "Its orders are taken and wait; none is executed until it is released. Deadlines go on."],
  release_token: (name) => ["Release", `Release the queue of ${name}?`, "What waits is executed, in its order; what is past its deadline is rejected."],
  hide_token: (name) => ["Hide", `Hide ${name}?`, "It leaves the board. Its page stays, and whoever holds it can sell."],
  unhide_token: (name) => ["Show", `Show ${name} again?`, "It comes back to the board."],
  pause_platform: () => ["Pause platform", "Pause the platform?", "Nobody buys or launches anything. Selling, withdrawing and reading go on."],
  resume_platform: () => ["Resume platform", "Resume the platform?", "Everybody can buy and launch again."],
  freeze_account: (name) => ["Freeze", `Freeze ${name}?`, "The account neither trades nor withdraws until it is unfrozen. Its owner is told that an operator did it."],
  unfreeze_account: (name) => ["Unfreeze", `Unfreeze ${name}?`, "It trades and withdraws again."],
  replay_parked: (name) => ["Replay", `Replay order ${name}?`, "A trade worker executes it now, with a new deadline."],
  reject_parked: (name) => ["Reject", `Reject order ${name}?`, "A trade worker records it as rejected. Its owner is told why."],
};

const WORDS = {
  pause_platform: "PAUSE",
  resume_platform: "RESUME",
  freeze_account: "FREEZE",
  unfreeze_account: "UNFREEZE",
  replay_parked: "REPLAY",
  reject_parked: "REJECT",
};

/** What to ask for `action` on `target`; `name` is the token's symbol, or how the target is called. */
export function asking(action, target, name) {
  const [label, title, says] = ACTIONS[action](name);
  return { action, target, label, title, says, word: WORDS[action] ?? name };
}

/** A button that asks for an action; absent for viewers. */
export function ActionButton({ action, target, name, staff, onAsk }) {
  if (staff?.role !== "operator") return null;
  const asked = asking(action, target, name);
  return (
    <button type="button" className="bh-button bh-button--dense bh-button--outline" onClick={() => onAsk(asked)} data-testid={`do-${action}`} data-target={target}>
      {asked.label}
    </button>
  );
}

/** What a page with actions needs: the dialog, how to ask, and who asks. */
export function useActions({ account, localnet, staff, again }) {
  const [asked, setAsked] = useState(null);
  const [done, setDone] = useState(null);
  const dialog = asked && (
    <ActionDialog
      asked={asked}
      account={account}
      localnet={localnet}
      mayAct={Boolean(staff?.may_act)}
      onClose={() => setAsked(null)}
      onDone={(entry) => {
        setAsked(null);
        setDone(entry);
        again();
      }}
    />
  );
  const note = done && (
    <div className="bh-note" role="status" data-testid="action-done">
      <span>
        Done: {done.action.replaceAll("_", " ")}, on record as row{" "}
        <a className="bh-link" href={`/admin/audit?row=${done.seq}`}>
          {done.seq}
        </a>
        .
      </span>
    </div>
  );
  return { ask: setAsked, dialog, note };
}
