// Beside the form: the card as the board will show it, the curve, and what is paid for what.
import { useEffect, useMemo, useState } from "react";
import { TokenCard } from "$/public/external/blitzhub/components/board/token_card.jsx";
import { compactTokens, exactSol, NONE, ownSol, ownTokens, priceText, share } from "$/public/external/blitzhub/feed/figures.js";
import { pictureBlob } from "./picture.jsx";

function usePictureUrl(crop) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    if (!crop) {
      setUrl("");
      return undefined;
    }
    let made = "";
    const timer = setTimeout(async () => {
      made = URL.createObjectURL(await pictureBlob(crop));
      setUrl(made);
    }, 150);
    return () => {
      clearTimeout(timer);
      if (made) URL.revokeObjectURL(made);
    };
  }, [crop]);
  return url;
}

const NOBODY = () => () => {};

/** The board's own card, as it will stand there once the first buy is made. */
export function CardPreview({ draft, crop, preview }) {
  const image = usePictureUrl(crop);
  const buys = BigInt(preview.first_tokens ?? 0) > 0n;
  const key = JSON.stringify([draft.name, draft.symbol, image, preview.first_tokens, preview.total_lamports]);
  const market = useMemo(() => {
    const token = {
      address: "",
      name: draft.name || "Name",
      symbol: draft.symbol || "SYMBOL",
      image,
      stage: "curve",
      created_at_ms: Date.now(),
      price: buys ? preview.first_price : null,
      market_cap_lamports: preview.first_market_cap_lamports ?? null,
      reserve_lamports: preview.first_reserve_lamports ?? "0",
      raise_lamports: preview.raise_lamports ?? "1",
      holders: buys ? 1 : 0,
    };
    return { tokens: new Map([["", token]]), onToken: NOBODY };
  }, [key]);
  return (
    <section aria-label="Preview of the card">
      <TokenCard key={key} market={market} address="" preview />
    </section>
  );
}

const WIDE = 350;
const HIGH = 132;

/** Price against supply; the first buy's share of it is shaded, the end of the curve is where the token graduates. */
export function Curve({ preview }) {
  const points = preview.curve ?? [];
  const bought = preview.first_share ?? 0;
  if (!points.length) return <span className="bh-skeleton bh-curve__loading" aria-hidden />;
  const at = ([x, y]) => `${(x * WIDE).toFixed(1)},${(HIGH - y * HIGH).toFixed(1)}`;
  const shaded = points.filter(([x]) => x <= bought);
  const edge = shaded.length ? [...shaded, [bought, bought ? heightAt(points, bought) : 0]] : [];
  return (
    <section className="bh-card bh-card--pad bh-curve" aria-label="The curve">
      <div className="bh-small bh-muted">Price by tokens sold</div>
      <svg viewBox={`-4 -10 ${WIDE + 8} ${HIGH + 14}`} role="img" aria-label={`The price rises to ${priceText(preview.price_at_graduation)} SOL when the curve is sold out`}>
        {edge.length > 0 && <polygon points={`0,${HIGH} ${edge.map(at).join(" ")} ${(bought * WIDE).toFixed(1)},${HIGH}`} fill="var(--bh-buy-tint)" stroke="var(--bh-buy)" strokeWidth="1" />}
        <polyline points={points.map(at).join(" ")} fill="none" stroke="var(--bh-text-1)" strokeWidth="1.5" vectorEffect="non-scaling-stroke" />
        <line x1={WIDE} x2={WIDE} y1={-8} y2={HIGH} stroke="var(--bh-accent-line)" strokeDasharray="4 4" />
        <line x1={0} x2={WIDE} y1={HIGH} y2={HIGH} stroke="var(--bh-line-2)" />
      </svg>
      <div className="bh-curve__feet bh-small bh-faint">
        <span>0</span>
        <span className="bh-fig-inline">
          Graduates at {compactTokens(preview.curve_supply)} sold, {ownSol(preview.raise_lamports).replace(/\.0000$/, "")} SOL raised
        </span>
      </div>
    </section>
  );
}

function heightAt(points, x) {
  const after = points.findIndex(([px]) => px >= x);
  if (after <= 0) return points[0]?.[1] ?? 0;
  const [[x0, y0], [x1, y1]] = [points[after - 1], points[after]];
  return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}

function Line({ label, children, strong, testid }) {
  return (
    <div className={`bh-quote__row${strong ? " bh-quote__row--strong" : ""}`}>
      <span className={strong ? "" : "bh-muted"}>{label}</span>
      <span className="bh-fig" data-testid={testid}>
        {children}
      </span>
    </div>
  );
}

const paid = (lamports) => (lamports == null ? NONE : <span title={`${exactSol(lamports)} SOL`}>{ownSol(lamports, { pays: true })} SOL</span>);

/** What the launch costs, each part on its line, and what the first buy brings. */
export function Costs({ preview, symbol }) {
  const buys = preview.total_lamports == null || BigInt(preview.first_buy_lamports) > 0n;
  return (
    <div className="bh-quote" data-testid="launch-costs">
      <Line label="First buy">{paid(preview.first_buy_lamports)}</Line>
      <Line label="Mint rent">{paid(preview.mint_rent_lamports)}</Line>
      <Line label="Vault rent">{paid(preview.vault_rent_lamports)}</Line>
      {buys && <Line label="Own token account rent, refundable">{paid(preview.account_rent_lamports)}</Line>}
      <Line label="You pay" strong testid="launch-total">
        {paid(preview.total_lamports)}
      </Line>
      {buys && (
        <Line label="You receive" strong testid="launch-receive">
          {ownTokens(preview.first_tokens)} {symbol} {preview.first_tokens && <span className="bh-faint">({share(preview.first_share_bps)})</span>}
        </Line>
      )}
    </div>
  );
}
