// Cards beside the chart that follow the token itself: its graduation or its pool, its opening's rules, creator fees.
import { useEffect, useRef, useState } from "react";
import { toast } from "sonner";
import { call } from "$/public/external/blitzhub/client/api.js";
import { useMarket } from "$/public/external/blitzhub/client/market.js";
import { LiveGraduationBar } from "$/public/external/blitzhub/components/graduation_bar/graduation_bar.jsx";
import { compactTokens, exactSol, exactTokens, marketSol, ownSol, priceText, share } from "$/public/external/blitzhub/feed/figures.js";

const ON_POOL = ["graduating", "graduated"];
const MINIMUM_CLAIM = 1_000_000n;

/** The token as the page was loaded with, and what the market has said since. */
function useToken(facts) {
  const live = useMarket(facts.address);
  return { ...facts, ...live };
}

function Row({ label, title, children, testid }) {
  return (
    <div className="bh-quote__row" title={title}>
      <span className="bh-muted">{label}</span>
      <span className="bh-fig" data-testid={testid}>
        {children}
      </span>
    </div>
  );
}

function Pool({ token }) {
  const { symbol, decimals, pool_fee_bps: inside, pool_trade_fee_bps: outside } = token;
  const fee = `${share(inside)} stay in the pool, ${share(outside)} go to the platform and the creator`;
  return (
    <div className="bh-pool" data-testid="pool">
      <Row label="SOL side" title={`${exactSol(token.reserve_lamports)} SOL`} testid="pool-sol">
        {marketSol(token.reserve_lamports)} SOL
      </Row>
      <Row label="Token side" title={`${exactTokens(token.pool_tokens ?? "0", decimals)} ${symbol}`} testid="pool-tokens">
        {compactTokens(token.pool_tokens ?? "0", decimals)} {symbol}
      </Row>
      <Row label="Price" testid="pool-price">
        {priceText(token.price)} SOL
      </Row>
      <Row label="Fee" title={fee} testid="pool-fee">
        {share(inside + outside)}
      </Row>
    </div>
  );
}

/** Says it once, when it happens while the page is open. */
function useGraduationNews(token) {
  const before = useRef(token.stage);
  useEffect(() => {
    if (before.current === "curve" && ON_POOL.includes(token.stage)) {
      toast.success(`${token.symbol} has graduated`, { id: `graduated-${token.address}`, description: "It trades in its pool now, at the same price." });
    }
    before.current = token.stage;
  }, [token.stage]);
}

export function GraduationCard({ facts }) {
  const token = useToken(facts);
  const pools = ON_POOL.includes(token.stage);
  useGraduationNews(token);
  return (
    <section className="bh-card bh-card--pad bh-graduating" data-testid="graduation" data-stage={token.stage}>
      <h2 className="bh-small bh-muted">{pools ? "Pool" : "Graduation"}</h2>
      <LiveGraduationBar token={facts.address} raised={facts.reserve_lamports} needed={facts.raise_lamports} stage={facts.stage} />
      {pools && <Pool token={token} />}
    </section>
  );
}

function useNow(until_ms) {
  const [now_ms, setNow] = useState(() => Date.now());
  const over = now_ms >= until_ms;
  useEffect(() => {
    if (over) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [over]);
  return now_ms;
}

function lasting(ms) {
  const seconds = Math.ceil(ms / 1_000);
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}

/** What holds for everybody in the first moments: there before anyone can buy, and gone when it is over. */
export function OpeningCard({ facts }) {
  const token = useToken(facts);
  const { opening_fee_bps: bps = 0, opening_fee_ms: fee_ms = 0, opening_cap_tokens: cap = null, opening_cap_ms: cap_ms = 0 } = token;
  const opened_ms = token.tradable_at_ms ?? null;
  const now_ms = useNow(opened_ms === null ? Infinity : opened_ms + Math.max(fee_ms, cap_ms));
  const passed_ms = opened_ms === null ? 0 : Math.max(now_ms - opened_ms, 0);
  const fees = fee_ms > passed_ms && token.stage !== "failed" && !ON_POOL.includes(token.stage);
  const caps = cap !== null && cap_ms > passed_ms && token.stage !== "failed";
  if (!fees && !caps) return null;
  return (
    <section className="bh-card bh-card--pad bh-opening" data-testid="opening">
      <h2 className="bh-small bh-muted">Opening rules, for everybody</h2>
      {fees && (
        <Row label="Extra fee on buys" title={`${share(bps)} at first, falling to nothing in ${lasting(fee_ms)}`} testid="opening-fee">
          {share(Math.ceil((bps * (fee_ms - passed_ms)) / fee_ms))}, gone {opened_ms === null ? "after" : "in"} {lasting(fee_ms - passed_ms)}
        </Row>
      )}
      {caps && (
        <Row label="One account may hold" title={`${exactTokens(cap, token.decimals)} ${token.symbol}`} testid="opening-cap">
          {compactTokens(cap, token.decimals)} for {lasting(cap_ms - passed_ms)}
        </Row>
      )}
    </section>
  );
}

/** What the token's trades have earned its creator; only they see the button. */
export function CreatorFeesCard({ facts, account = "" }) {
  const token = useToken(facts);
  const [busy, setBusy] = useState(false);
  if (!account || account !== facts.creator) return null;
  const accrued = BigInt(token.creator_fees_lamports ?? 0);
  const enough = accrued >= MINIMUM_CLAIM;
  const claim = async () => {
    if (busy || !enough) return;
    setBusy(true);
    try {
      const { lamports } = await call("POST", `/tokens/${facts.address}/claim`);
      toast.success(`Claimed ${ownSol(lamports)} SOL`, { description: "It is in your balance." });
    } catch (error) {
      toast.error(`Not claimed: ${error.message}`, { duration: Infinity, closeButton: true });
    }
    setBusy(false);
  };
  return (
    <section className="bh-card bh-card--pad bh-creator-fees" data-testid="creator-fees">
      <Row label="Your creator fees" title={`${exactSol(accrued)} SOL`} testid="creator-fees-amount">
        {ownSol(accrued)} SOL
      </Row>
      <button type="button" className="bh-button bh-button--dense bh-button--wide" aria-disabled={busy || !enough} title={enough ? undefined : `From ${ownSol(MINIMUM_CLAIM)} SOL on`} onClick={claim} data-testid="creator-fees-claim">
        {busy ? "Claiming…" : enough ? "Claim" : `Claim from ${ownSol(MINIMUM_CLAIM)} SOL on`}
      </button>
    </section>
  );
}
