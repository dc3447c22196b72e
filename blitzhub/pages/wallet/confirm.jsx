// The last step of a withdrawal: everything in full, the address whole, and a new sign-in where one is asked for.
import { useRef, useState } from "react";
import { Dialog } from "radix-ui";
import { newId, Refused, Unanswered } from "$/public/external/blitzhub/client/api.js";
import { exactSol, groupedAddress } from "$/public/external/blitzhub/feed/figures.js";
import { useSignInAgain } from "$/public/external/blitzhub/wallet/sign_in_again.js";
import { exactly, send, waitWords } from "./withdrawal.js";

const LABELS = { idle: "Withdraw", signing: "Confirm in your wallet…", sending: "Sending…", doubt: "Checking…" };

function Facts({ request, symbol, decimals, costs }) {
  const rows = [
    ["Amount", exactly(request.amount, request.asset, symbol, decimals)],
    ["Network fee", `${exactSol(costs.fee_lamports)} SOL`],
    ...(costs.rent_lamports === "0" ? [] : [["Rent of a token account there", `${exactSol(costs.rent_lamports)} SOL`]]),
    ["Leaves", costs.delay_ms ? `after ${waitWords(costs.delay_ms)}` : "at once"],
  ];
  return (
    <div className="bh-quote">
      {rows.map(([label, value]) => (
        <div key={label} className="bh-quote__row">
          <span className="bh-muted">{label}</span>
          <span className="bh-fig">{value}</span>
        </div>
      ))}
    </div>
  );
}

export function Confirm({ account, localnet, request, symbol, decimals, costs, openerRef, onClose, onSent }) {
  const [phase, setPhase] = useState("idle");
  const [words, setWords] = useState("");
  const { again, signIn, failed } = useSignInAgain(costs.sign_in_again, account, localnet);
  const id = useRef(newId()); // one question, one withdrawal, however often it is pressed
  const busy = phase !== "idle";
  const withdraw = async () => {
    setWords("");
    try {
      if (again) {
        setPhase("signing");
        await signIn();
      }
      setPhase("sending");
      await send("/me/withdrawals", { ...request, client_id: id.current }, () => setPhase("doubt"));
      onSent();
      if (again) location.reload(); // the live connection belongs to the session that has just ended
    } catch (error) {
      setPhase("idle");
      failed(error);
      const unknown = "We could not tell whether it arrived. Look at your history before you send another.";
      setWords(error instanceof Refused ? `Not withdrawn: ${error.message}` : error instanceof Unanswered ? unknown : error.message);
    }
  };
  const giveFocusBack = (event) => {
    event.preventDefault();
    openerRef.current?.focus();
  };
  return (
    <Dialog.Root open onOpenChange={(next) => !next && !busy && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="bh-scrim" />
        <Dialog.Content className="bh-modal bh-modal--centre" aria-describedby="withdraw-final" onCloseAutoFocus={giveFocusBack}>
          <Dialog.Title className="bh-h2">Withdraw {exactly(request.amount, request.asset, symbol, decimals)}?</Dialog.Title>
          <div className="bh-field">
            <span className="bh-label">{request.destination === account ? "To your own wallet" : "To"}</span>
            <div className="bh-funds__address bh-fig" data-testid="confirm-address">
              {groupedAddress(request.destination)}
            </div>
          </div>
          <Facts request={request} symbol={symbol} decimals={decimals} costs={costs} />
          <p id="withdraw-final" className="bh-muted">
            Once it is signed nobody can take it back.
          </p>
          {words && (
            <div className="bh-note bh-note--danger" role="alert">
              {words}
            </div>
          )}
          <div className="bh-modal__actions">
            <button type="button" className="bh-button" aria-disabled={busy} onClick={() => !busy && onClose()}>
              Back
            </button>
            <button type="button" className="bh-button bh-button--accent" aria-disabled={busy} onClick={() => !busy && withdraw()} data-testid="withdraw-confirm">
              {again && phase === "idle" ? "Sign in and withdraw" : LABELS[phase]}
            </button>
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
