// The quote box and the messages of the trade panel.
import { TriangleAlert } from "lucide-react";
import { ownSol, ownTokens, share } from "$/public/external/blitzhub/feed/figures.js";

const WARN_BPS = 500;
export const ACCEPT_BPS = 1_500;

function Row({ label, children, tone = "" }) {
  return (
    <div className="bh-quote__row">
      <span className="bh-muted">{label}</span>
      <span className={`bh-fig ${tone}`}>{children}</span>
    </div>
  );
}

function impactTone(bps) {
  if (bps === null || bps === undefined || bps < WARN_BPS) return "";
  return bps > ACCEPT_BPS ? "bh-down" : "bh-warn";
}

const amounts = (answer, side, symbol, decimals) =>
  side === "buy"
    ? [`${ownTokens(answer.tokens, decimals)} ${symbol}`, ownTokens(answer.minimum, decimals)]
    : [`${ownSol(answer.lamports)} SOL`, ownSol(answer.minimum)];

/** Four rows and room for a fifth, where a token account must be paid for: the button below never moves. */
export function QuoteBox({ quote, side, symbol, decimals, feeText }) {
  const { answer, fresh } = quote;
  const [receive, minimum] = answer ? amounts(answer, side, symbol, decimals) : ["—", "—"];
  const rent = answer && BigInt(answer.rent_lamports ?? 0) > 0n;
  const impact = answer?.price_impact_bps ?? null;
  const first = answer && impact === null && side === "buy";
  return (
    <div className="bh-quote" data-fresh={!answer || fresh} data-testid="quote">
      <Row label="You receive">
        <span data-testid="quote-receive">{receive}</span>
      </Row>
      <Row label="Minimum">
        <span data-testid="quote-minimum">{minimum}</span>
      </Row>
      <Row label={feeText && feeText !== "—" ? `Fee ${feeText}` : "Fee"}>
        <span data-testid="quote-fee">{answer ? `${ownSol(answer.fee_lamports, { pays: true })} SOL` : "—"}</span>
      </Row>
      <Row label="Price impact" tone={impactTone(impact)}>
        <span className="bh-quote__impact" data-testid="quote-impact">
          {impact > WARN_BPS && <TriangleAlert className="bh-icon bh-quote__icon" aria-label="High" />}
          {first ? "First buy sets the price" : share(impact)}
        </span>
      </Row>
      {rent && <Row label="Account rent, refundable">{ownSol(answer.rent_lamports, { pays: true })} SOL</Row>}
    </div>
  );
}

export function AcceptImpact({ bps, accepted, onChange }) {
  return (
    <label className="bh-note bh-note--danger">
      <input type="checkbox" checked={accepted} onChange={(event) => onChange(event.target.checked)} data-testid="accept-impact" />I accept {share(bps)} price
      impact
    </label>
  );
}

export function Message({ message, onAction }) {
  if (!message) return null;
  return (
    <div className={`bh-note bh-note--${message.tone}`} role={message.tone === "danger" ? "alert" : "status"} data-testid="trade-message">
      <TriangleAlert className="bh-icon" aria-hidden />
      <span>
        {message.words}
        {message.actions?.length > 0 && (
          <span className="bh-note__actions">
            {message.actions.map(([name, label]) => (
              <button key={name} type="button" className="bh-button bh-button--dense" onClick={() => onAction(name)}>
                {label}
              </button>
            ))}
          </span>
        )}
      </span>
    </div>
  );
}
