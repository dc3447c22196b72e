// Buying and selling one token. Amounts are BigInt base units from the field to the request; no float touches them.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { TriangleAlert } from "lucide-react";
import { toast } from "sonner";
import { exactText, readAmount, units as readUnits } from "$/public/external/blitzhub/client/amounts.js";
import { newId, Refused } from "$/public/external/blitzhub/client/api.js";
import { useConnection, useMarket } from "$/public/external/blitzhub/client/market.js";
import { useBuyingPausedSince } from "$/public/external/blitzhub/client/platform.js";
import { useKeys } from "$/public/external/blitzhub/client/keys.js";
import { resume, send, sentOrder, useSentOrders } from "$/public/external/blitzhub/client/orders.js";
import { useWide } from "$/public/external/blitzhub/client/screen.js";
import { clock, ownSol, ownTokens, share } from "$/public/external/blitzhub/feed/figures.js";
import { FaucetButton } from "$/public/external/blitzhub/wallet/faucet.jsx";
import { ACCEPT_BPS, AcceptImpact, Message, QuoteBox } from "./panel_parts.jsx";
import { maximum, useQuote } from "./quote.js";
import { Slippage, useSlippage } from "./slippage.jsx";
import { buttonState, refusalSentence } from "./trade_words.js";

const SOL_DECIMALS = 9;
const BUY_PRESETS = ["0.1", "0.5", "1"];
const SELL_PERCENTS = [25n, 50n, 75n, 100n];
const ON_POOL = ["graduating", "graduated"];
const QUEUED_TOAST_MS = 150;
const draftStore = (token) => `blitzhub.draft.${token}`;

/** What is typed per side, kept over the reload that a sign-in makes. */
function useDraft(token, initialSide) {
  const [draft, setDraft] = useState(() => {
    try {
      const kept = JSON.parse(sessionStorage.getItem(draftStore(token)) ?? "{}");
      return { side: "buy", buy: "", sell: "", ...kept, ...(initialSide ? { side: initialSide } : {}) };
    } catch {
      return { side: initialSide || "buy", buy: "", sell: "" };
    }
  });
  const change = (news) =>
    setDraft((old) => {
      const next = { ...old, ...news };
      sessionStorage.setItem(draftStore(token), JSON.stringify(next));
      return next;
    });
  return [draft, change];
}

let typedInto = "";

/** Somebody who types while the page is drawn anew, because another backend took over, goes on typing. */
function useKeptFocus(token, field) {
  useLayoutEffect(() => {
    const input = field.current;
    if (typedInto === token) {
      input?.focus({ preventScroll: true });
      input?.setSelectionRange(input.value.length, input.value.length);
    }
    typedInto = "";
    return () => {
      if (input && document.activeElement === input) typedInto = token;
    };
  }, [token]);
}

function useAccepted(token) {
  const key = `blitzhub.impact.${token}`;
  const [accepted, setAccepted] = useState(() => sessionStorage.getItem(key) === "1");
  return [
    accepted,
    (value) => {
      setAccepted(value);
      sessionStorage.setItem(key, value ? "1" : "0");
    },
  ];
}

/** Remembers the last order sent, over a reload if it was in doubt, and says what became of it where that asks for a decision. */
function useOutcome({ token, account, decimals, context }) {
  const [message, setMessage] = useState(null);
  const [last, setLast] = useState(null);
  const orders = useSentOrders(account, token);
  const order = last && orders.find((o) => o.client_order_id === last.id);
  const doubt = orders.find((o) => o.state === "unknown" || o.state === "sending");
  useEffect(() => {
    if (!doubt || last?.id === doubt.client_order_id) return;
    const { client_order_id: id, side, amount, limit } = doubt; // sent before this page was loaded
    setLast({ id, side, text: exactText(BigInt(amount), side === "buy" ? SOL_DECIMALS : decimals), limit });
  }, [doubt?.client_order_id]);
  useEffect(() => {
    if (order?.state !== "rejected") return;
    const actions = { not_arrived: [["retry", "Try again"]], slippage: [["retry", "Try the new price"], ["limit", "Change limit"]], deadline: [["retry", "Try again"]], engine_error: [["retry", "Try again"]] };
    const words = refusalSentence(order.reason, { ...context, side: last.side, limit: last.limit, orderId: order.order_id }, order.detail);
    setMessage({ tone: "danger", words, actions: actions[order.reason] ?? [], text: last.text, side: last.side });
  }, [order?.state]);
  return { message, setMessage, setLast, doubt };
}

function announceQueued(id, words) {
  setTimeout(() => {
    const order = sentOrder(id);
    if (order?.state === "queued") toast.info(words, { id: order.order_id, duration: 4000 });
  }, QUEUED_TOAST_MS);
}

function Amount({ id, text, onText, decimals, unit, amount, onEnter, focusRef }) {
  return (
    <label className="bh-amount" data-invalid={Boolean(amount.error)}>
      <span className="bh-visually-hidden">Amount in {unit}</span>
      <input
        ref={focusRef}
        className="bh-amount__input"
        inputMode="decimal"
        autoComplete="off"
        placeholder="0"
        value={text}
        maxLength={32}
        onChange={(event) => onText(event.target.value)}
        onPaste={(event) => {
          const pasted = event.clipboardData.getData("text").trim();
          const read = readAmount(pasted, decimals);
          if (read.units === null) return;
          event.preventDefault();
          onText(exactText(read.units, decimals));
        }}
        onKeyDown={(event) => event.key === "Enter" && onEnter()}
        aria-invalid={Boolean(amount.error)}
        data-testid={id}
      />
      <span className="bh-amount__unit">{unit}</span>
    </label>
  );
}

export function TradePanel({ token, symbol, decimals = 6, minimumBuyLamports = "0", feeBps = 0, stage: stageAtLoad, paused: pausedAtLoad, account = "", lamports = "", held = "", localnet = false, initialSide = "", onAccepted }) {
  const market = useMarket(token);
  const live = useConnection();
  const stage = market.stage ?? stageAtLoad;
  const platformPausedSince = useBuyingPausedSince();
  const paused = (market.paused ?? pausedAtLoad) || platformPausedSince !== null;
  const isHeld = market.held ?? false;
  const [draft, change] = useDraft(token, initialSide);
  const { side } = draft;
  const text = draft[side];
  const slippage = useSlippage();
  const [editing, setEditing] = useState(false);
  const [accepted, setAccepted] = useAccepted(token);
  const [busy, setBusy] = useState(false);
  const field = useRef(null);
  useKeptFocus(token, field);
  const own = side === "buy" ? SOL_DECIMALS : decimals;
  const amount = useMemo(() => readAmount(text, own), [text, own]);
  const quote = useQuote({ token, side, units: amount.units, slippageBps: slippage.bps, account, balance: `${lamports}|${held}`, seq: market.seq });
  const context = { side, symbol, limit: share(slippage.bps) };
  const { message, setMessage, setLast, doubt } = useOutcome({ token, account, decimals, context });
  useEffect(resume, []);

  const heldUnits = readUnits(held) ?? 0n;
  const limit = !account ? null : side === "sell" ? heldUnits : quote.fits && quote.answer.max != null ? BigInt(quote.answer.max) : readUnits(lamports);
  const impact = quote.answer?.price_impact_bps ?? 0;
  const mustAccept = quote.fits && impact > ACCEPT_BPS;
  const phase = doubt?.state === "unknown" ? "unknown" : doubt || busy ? "sending" : "idle";
  const button = buttonState({
    side, symbol, stage, paused, account, phase, amount, limit, quote,
    offline: live.offline, minimum: BigInt(minimumBuyLamports || "0"), accepted: !mustAccept || accepted,
    typed: side === "buy" ? `${exactText(amount.units ?? 0n, own)} SOL` : ownTokens(amount.units ?? 0n, decimals),
  });

  const setText = (next) => {
    change({ [side]: next });
    setMessage(null);
  };
  const pick = (next) => {
    change({ side: next });
    setMessage(null);
  };
  const signIn = () => window.dispatchEvent(new Event("blitzhub:sign-in"));
  const useMost = async () => {
    if (!account) return signIn();
    try {
      const most = await maximum(token, side, side === "buy" ? minimumBuyLamports : held);
      if (most !== null) setText(exactText(most, own));
    } catch (error) {
      setMessage({ tone: "danger", words: refusalSentence(error.code, context, error.message) });
    }
  };
  const presets =
    side === "buy"
      ? [...BUY_PRESETS.map((value) => ({ label: value, chosen: text === value, press: () => setText(value) })), { label: "Max", press: useMost }]
      : SELL_PERCENTS.map((percent) => {
          const value = exactText((heldUnits * percent) / 100n, decimals);
          return { label: `${percent}%`, chosen: heldUnits > 0n && text === value, off: heldUnits === 0n, press: () => (account ? heldUnits > 0n && setText(value) : signIn()) };
        });

  const submit = async () => {
    if (!button.ready) return;
    if (button.signIn) return signIn();
    const id = newId();
    const body =
      side === "buy"
        ? { client_order_id: id, token, lamports: String(amount.units), min_tokens_out: quote.answer.minimum }
        : { client_order_id: id, token, tokens: String(amount.units), min_lamports_out: quote.answer.minimum };
    setMessage(null);
    setBusy(true);
    setLast({ id, side, text, limit: context.limit });
    try {
      await send(side, body, { symbol, account, amount: String(amount.units), limit: context.limit });
      change({ [side]: "" });
      announceQueued(id, side === "buy" ? `Queued: buy ${symbol} for ${text} SOL` : `Queued: sell ${text} ${symbol}`);
      onAccepted?.();
    } catch (error) {
      const code = error instanceof Refused ? error.code : "error";
      const words = refusalSentence(code, { ...context, retryAfterS: error.retryAfterS }, error.message);
      const actions = code === "funds" ? [["most", side === "buy" ? "Use the most" : "Use all"]] : code === "slippage" ? [["retry", "Try the new price"], ["limit", "Change limit"]] : [];
      setMessage({ tone: "danger", words, actions, text, side });
    }
    setBusy(false);
  };
  const act = (name) => {
    const from = message;
    setMessage(null);
    if (name === "limit") setEditing(true);
    if (name === "most") useMost();
    if (name === "retry" || name === "limit") change({ side: from.side, [from.side]: from.text });
  };
  useKeys({
    b: () => (pick("buy"), field.current?.focus()),
    s: () => (pick("sell"), field.current?.focus()),
    m: useMost,
    ...Object.fromEntries(presets.map((preset, index) => [String(index + 1), preset.press])),
  });

  const unit = side === "buy" ? "SOL" : symbol;
  const over = limit !== null && amount.units !== null && amount.units > limit;
  const short = side === "buy" && account && over;
  return (
    <section className="bh-trade" aria-label={`Trade ${symbol}`} data-testid="trade-panel" data-side={side} data-phase={phase}>
      <div className="bh-trade__sides" role="group" aria-label="Side">
        {["buy", "sell"].map((name) => (
          <button key={name} type="button" className={`bh-trade__side bh-trade__side--${name}`} aria-pressed={side === name} onClick={() => pick(name)} data-testid={`side-${name}`}>
            {name === "buy" ? "Buy" : "Sell"}
          </button>
        ))}
      </div>
      <div className="bh-trade__have bh-small">
        <span className="bh-muted">You have</span>
        <span className="bh-fig" data-testid="trade-have">
          {!account ? "—" : side === "buy" ? (lamports ? `${ownSol(lamports)} SOL` : "—") : `${ownTokens(heldUnits, decimals)} ${symbol}`}
        </span>
      </div>
      <Amount id="amount" text={text} onText={setText} decimals={own} unit={unit} amount={amount} onEnter={submit} focusRef={field} />
      {amount.error && (
        <div className="bh-error" role="status">
          {amount.error}
        </div>
      )}
      <div className="bh-trade__presets">
        {presets.map((preset) => (
          <button key={preset.label} type="button" className="bh-chip" aria-pressed={Boolean(preset.chosen)} aria-disabled={Boolean(preset.off)} onClick={preset.press} data-testid={`preset-${preset.label}`}>
            {preset.label}
          </button>
        ))}
      </div>
      <Slippage slippage={slippage} open={editing} onOpen={setEditing} />
      <QuoteBox quote={quote} side={side} symbol={symbol} decimals={decimals} feeText={share(quote.answer?.fee_bps ?? (ON_POOL.includes(stage) || market.opening_fee_ms ? null : feeBps))} />
      {mustAccept && account && !over && <AcceptImpact bps={impact} accepted={accepted} onChange={setAccepted} />}
      <button
        type="button"
        className={`bh-button bh-button--main bh-button--wide bh-button--${side}`}
        aria-disabled={!button.ready}
        title={button.reason || undefined}
        onClick={submit}
        data-testid="trade-submit"
      >
        {button.label}
      </button>
      {button.reason && !button.ready && button.reason !== button.label && (
        <div className="bh-hint" role={phase === "unknown" ? "alert" : undefined}>
          {button.reason}
        </div>
      )}
      {short && localnet && <FaucetButton balance={lamports} />}
      <Message message={message} onAction={act} />
      {isHeld && (
        <div className="bh-note bh-note--warn" data-testid="token-held">
          <TriangleAlert className="bh-icon" aria-hidden />
          Orders of {symbol} are taken and wait in their order: operators hold its queue. What is past its time limit is not executed.
        </div>
      )}
      {(live.offline || live.state === "stale") && (
        <div className="bh-note bh-note--warn">
          <TriangleAlert className="bh-icon" aria-hidden />
          {live.since_ms ? `Live prices stopped at ${clock(live.since_ms)}. ` : ""}
          {live.offline ? "The server cannot be reached; nothing is sent until it can." : "Your minimum received still protects you."}
        </div>
      )}
    </section>
  );
}

/** Beside the chart; phones and tablets have the sheet instead. */
export function SideTradePanel(props) {
  return useWide() ? <TradePanel {...props} /> : null;
}
