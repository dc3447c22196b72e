// Launching a token: one form, the server's validators, and a last look before what cannot be changed.
import { useEffect, useRef, useState } from "react";
import { Dialog } from "radix-ui";
import { useNavigate } from "react-router";
import { exactText, readAmount } from "$/public/external/blitzhub/client/amounts.js";
import { call, Refused } from "$/public/external/blitzhub/client/api.js";
import { ownSol } from "$/public/external/blitzhub/feed/figures.js";
import { FaucetButton } from "$/public/external/blitzhub/wallet/faucet.jsx";
import { draftId, forgetDraft, launch, useLaunchDraft } from "./draft.js";
import { OpeningFields, openingOf, openingText } from "./opening.jsx";
import { Picture, pictureBlob } from "./picture.jsx";
import { CardPreview, Costs, Curve } from "./summary.jsx";

const CHECK_MS = 400;
const SOL_DECIMALS = 9;
const FIRST_BUYS = ["0", "0.1", "0.5", "1"];
const LIMITS = { name: 32, symbol: 10, description: 500 };
const FAULTS = [["image", "Check the picture"], ["name", "Check the name"], ["symbol", "Check the symbol"], ["description", "Check the description"], ["first_buy", "Check the first buy"], ["opening", "Check the opening rules"]];
const FIELD_OF_CODE = { invalid_name: "name", invalid_symbol: "symbol", invalid_description: "description", invalid_opening: "opening", unknown_image: "image", not_an_image: "image", image_too_large: "image", body_too_large: "image" };

/** Ask the server about the draft, `CHECK_MS` after the last change or when a field is left. */
function useChecks(draft, firstBuy, onCheck) {
  const asked = useRef("");
  const timer = useRef(0);
  const args = [draft.name, draft.symbol, draft.description, firstBuy === null ? "" : String(firstBuy), openingText(draft)];
  const key = JSON.stringify(args);
  const now = () => {
    clearTimeout(timer.current);
    if (asked.current === key) return;
    asked.current = key;
    onCheck?.(...args);
  };
  useEffect(() => {
    timer.current = setTimeout(now, CHECK_MS);
    return () => clearTimeout(timer.current);
  }, [key]);
  return now;
}

function Field({ id, label, value, onChange, onBlur, error, touched, area, hint, ...rest }) {
  const limit = LIMITS[id];
  const shown = touched && error;
  const Tag = area ? "textarea" : "input";
  return (
    <div className="bh-field">
      <span className="bh-field__head">
        <label className="bh-label" htmlFor={`launch-${id}`}>
          {label}
        </label>
        <span className="bh-hint bh-fig-inline">
          {[...value].length} / {limit}
        </span>
      </span>
      <Tag
        id={`launch-${id}`}
        className="bh-input"
        value={value}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
        onBlur={onBlur}
        aria-invalid={Boolean(shown)}
        aria-describedby={`launch-${id}-words`}
        data-testid={`launch-${id}`}
        {...rest}
      />
      <div id={`launch-${id}-words`} className={shown ? "bh-error" : "bh-hint"} role={shown ? "alert" : undefined} data-testid={shown ? `error-${id}` : undefined}>
        {shown || hint || ""}
      </div>
    </div>
  );
}

function missing({ draft, errors, buy, account, preview, lamports }) {
  if (!draft.name) return "Enter a name";
  if (!draft.symbol) return "Enter a symbol";
  if (buy.error) return buy.error;
  for (const [field, words] of FAULTS) if (errors[field]) return words;
  if (!account) return null;
  if (!preview.total_lamports) return "Asking for the costs…";
  if (lamports && BigInt(lamports) < BigInt(preview.total_lamports)) return "Not enough SOL";
  return null;
}

function Confirm({ open, onOpen, phase, draft, preview, onLaunch, words, openerRef }) {
  const busy = phase !== "idle";
  const giveFocusBack = (event) => {
    event.preventDefault();
    openerRef.current?.focus();
  };
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !busy && onOpen(next)}>
      <Dialog.Portal>
        <Dialog.Overlay className="bh-scrim" />
        <Dialog.Content className="bh-modal bh-modal--centre" aria-describedby="launch-fixed" onCloseAutoFocus={giveFocusBack}>
          <Dialog.Title className="bh-h2">Launch {draft.symbol}?</Dialog.Title>
          <Costs preview={preview} symbol={draft.symbol} />
          <p id="launch-fixed" className="bh-muted">
            Name, symbol, picture, supply, curve and opening rules cannot be changed later.
          </p>
          {words && (
            <div className="bh-note bh-note--danger" role="alert">
              {words}
            </div>
          )}
          <div className="bh-modal__actions">
            <button type="button" className="bh-button" aria-disabled={busy} onClick={() => !busy && onOpen(false)}>
              Back
            </button>
            <button type="button" className="bh-button bh-button--accent" aria-disabled={busy} onClick={() => !busy && onLaunch()} data-testid="launch-confirm">
              {{ idle: `Launch ${draft.symbol}`, picture: "Sending the picture…", sending: "Sending…", doubt: "Checking…" }[phase]}
            </button>
          </div>
          {phase === "doubt" && <div className="bh-hint">No answer yet. Asking again under the same id, so it is launched once.</div>}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

export function LaunchForm({ errors: serverErrors = {}, preview = {}, account = "", lamports = "", localnet = false, onCheck }) {
  const navigate = useNavigate();
  const [draft, change] = useLaunchDraft();
  const [crop, setCrop] = useState(null);
  const [touched, setTouched] = useState({});
  const [refused, setRefused] = useState({});
  const [open, setOpen] = useState(false);
  const [phase, setPhase] = useState("idle");
  const [words, setWords] = useState("");
  const opener = useRef(null);
  const buy = readAmount(draft.firstBuy || "0", SOL_DECIMALS);
  const checkNow = useChecks(draft, buy.units, onCheck);
  const errors = { ...serverErrors, ...refused };
  const lack = missing({ draft, errors, buy, account, preview, lamports });

  useEffect(() => {
    const timer = setTimeout(() => setTouched((old) => ({ ...old, ...Object.fromEntries(["name", "symbol", "description"].filter((f) => draft[f]).map((f) => [f, true])) })), CHECK_MS);
    return () => clearTimeout(timer);
  }, [draft]);
  const set = (field) => (value) => {
    change({ [field]: field === "symbol" ? value.toUpperCase() : value });
    setRefused({});
  };
  const leave = (field) => () => {
    setTouched((old) => ({ ...old, [field]: true }));
    checkNow();
  };
  const press = () => {
    if (lack) {
      setTouched({ name: true, symbol: true, description: true });
      return;
    }
    if (!account) window.dispatchEvent(new Event("blitzhub:sign-in"));
    else {
      setWords("");
      setOpen(true);
    }
  };
  const send = async () => {
    setWords("");
    try {
      let image;
      if (crop) {
        setPhase("picture");
        ({ image } = await call("POST", "/images", await pictureBlob(crop)));
      }
      setPhase("sending");
      const body = { client_id: draftId(draft, change), name: draft.name, symbol: draft.symbol };
      if (draft.description) body.description = draft.description;
      if (image) body.image = image;
      Object.assign(body, openingOf(draft));
      if (buy.units > 0n) Object.assign(body, { first_buy_lamports: String(buy.units), first_buy_min_tokens_out: preview.first_tokens });
      const address = await launch(body, () => setPhase("doubt"));
      forgetDraft();
      navigate(`/token/${address}`);
    } catch (error) {
      setPhase("idle");
      const field = error instanceof Refused ? FIELD_OF_CODE[error.code] : undefined;
      if (field) setRefused({ [field]: error.message });
      if (field) setOpen(false);
      else setWords(error instanceof Refused ? `Not launched: ${error.message} Nothing was spent.` : error.message);
    }
  };
  const total = preview.total_lamports ? `${ownSol(preview.total_lamports, { pays: true })} SOL` : "";
  const label = lack ?? (account ? `Launch ${draft.symbol} · ${total}` : "Sign in to launch");
  const button = (
    <button ref={opener} type="button" className="bh-button bh-button--main bh-button--wide bh-button--accent" aria-disabled={Boolean(lack)} onClick={press} data-testid="launch-submit">
      {label}
    </button>
  );
  return (
    <div className="bh-launch">
      <form className="bh-launch__form" onSubmit={(event) => event.preventDefault()} noValidate>
        <h1 className="bh-h1">Launch a token</h1>
        <section className="bh-launch__block" aria-label="Identity">
          <h2 className="bh-title">1 Identity</h2>
          <div className="bh-launch__identity">
            <Picture crop={crop} onCrop={setCrop} error={errors.image ?? ""} onError={(image) => setRefused(image ? { image } : {})} />
            <div className="bh-launch__names">
              <Field id="name" label="Name" value={draft.name} onChange={set("name")} onBlur={leave("name")} error={errors.name} touched={touched.name} placeholder="Voltage Cat" maxLength={64} />
              <Field id="symbol" label="Symbol" value={draft.symbol} onChange={set("symbol")} onBlur={leave("symbol")} error={errors.symbol} touched={touched.symbol} placeholder="VOLT" maxLength={20} spellCheck={false} />
            </div>
          </div>
          <Field id="description" label="Description" area rows={3} value={draft.description} onChange={set("description")} onBlur={leave("description")} error={errors.description} touched={touched.description} hint="Optional" maxLength={1000} />
        </section>
        <section className="bh-launch__block" aria-label="First buy">
          <h2 className="bh-title">2 First buy</h2>
          <div className="bh-launch__buys">
            {FIRST_BUYS.map((value) => (
              <button key={value} type="button" className="bh-chip" aria-pressed={buy.units !== null && exactText(buy.units, SOL_DECIMALS) === value} onClick={() => set("firstBuy")(value)} data-testid={`first-buy-${value}`}>
                {value}
              </button>
            ))}
            <label className="bh-amount bh-amount--small">
              <span className="bh-visually-hidden">First buy in SOL</span>
              <input className="bh-amount__input" inputMode="decimal" autoComplete="off" value={draft.firstBuy} maxLength={24} onChange={(event) => set("firstBuy")(event.target.value)} onBlur={checkNow} data-testid="launch-first-buy" />
              <span className="bh-amount__unit">SOL</span>
            </label>
          </div>
          <div className={buy.error || errors.first_buy ? "bh-error" : "bh-hint"}>{buy.error || errors.first_buy || "Your own buy, before anybody else's. It may be none."}</div>
        </section>
        <section className="bh-launch__block" aria-label="Fair launch">
          <OpeningFields draft={draft} onChange={(rules) => (change(rules), setRefused({}))} error={errors.opening} />
        </section>
        <p className="bh-hint">Fixed for ever: name, symbol, supply, curve, opening rules. The mint's authorities are given up in the launch itself.</p>
      </form>
      <aside className="bh-launch__aside">
        <CardPreview draft={draft} crop={crop} preview={preview} />
        <Curve preview={preview} />
        <div className="bh-card bh-card--pad bh-launch__pay">
          <Costs preview={preview} symbol={draft.symbol} />
          <div className="bh-launch__press">
            {total && <div className="bh-launch__sum bh-small bh-fig-inline">You pay {total}</div>}
            {button}
          </div>
          {lack === "Not enough SOL" && localnet && <FaucetButton balance={lamports} />}
        </div>
      </aside>
      <Confirm open={open} onOpen={setOpen} phase={phase} draft={draft} preview={preview} onLaunch={send} words={words} openerRef={opener} />
    </div>
  );
}
