// The largest holders. Vaults are not holders; the server leaves them out.
import { useEffect, useState } from "react";
import { TriangleAlert } from "lucide-react";
import { call } from "$/public/external/blitzhub/client/api.js";
import { useMarket } from "$/public/external/blitzhub/client/market.js";
import { compactTokens, share, shortAddress } from "$/public/external/blitzhub/feed/figures.js";

const AGAIN_MS = 3_000;
const SHOWN = 50;
const SKELETON_ROWS = 6;

function useHolders(token) {
  const { seq } = useMarket(token);
  const [state, setState] = useState({ holders: null, failed: false });
  const [at, setAt] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => setAt(seq ?? 0), AGAIN_MS);
    return () => clearTimeout(timer);
  }, [seq]);
  useEffect(() => {
    const stop = new AbortController();
    call("GET", `/tokens/${token}/holders?limit=${SHOWN}`, undefined, { signal: stop.signal })
      .then(({ holders }) => setState({ holders, failed: false }))
      .catch(() => stop.signal.aborted || setState((old) => ({ ...old, failed: true })));
    return () => stop.abort();
  }, [token, at]);
  return state;
}

const SkeletonRow = () => (
  <tr aria-hidden>
    <td colSpan={4}>
      <span className="bh-skeleton bh-table__skeleton" />
    </td>
  </tr>
);

function Row({ holder, rank, account, decimals }) {
  const own = holder.account === account;
  return (
    <tr data-own={own} data-testid="holder-row">
      <td className="bh-fig bh-muted">{rank}</td>
      <td>
        <span className="bh-fig" title={holder.account}>{own ? "you" : shortAddress(holder.account)}</span>{" "}
        {holder.creator && <span className="bh-tag">creator</span>} {holder.sim && <span className="bh-tag">sim</span>}
      </td>
      <td className="bh-right">{compactTokens(holder.amount, decimals)}</td>
      <td className="bh-right">
        <span className="bh-holder__bar" aria-hidden>
          <span style={{ width: `${Math.min(holder.share_bps / 100, 100)}%` }} />
        </span>
        {share(holder.share_bps)}
      </td>
    </tr>
  );
}

export function Holders({ token, decimals = 6, account = "" }) {
  const { holders, failed } = useHolders(token);
  if (failed && !holders) return <div className="bh-empty">The holders could not be loaded.</div>;
  if (holders && !holders.length) return <div className="bh-empty">Nobody holds this token yet.</div>;
  const topTen = (holders ?? []).slice(0, 10).reduce((sum, holder) => sum + holder.share_bps, 0);
  return (
    <div className="bh-scroll" tabIndex={0} role="region" aria-label="Holders">
      {topTen > 5_000 && (
        <div className="bh-note bh-note--warn">
          <TriangleAlert className="bh-icon" aria-hidden />
          The ten largest hold {share(topTen)} together.
        </div>
      )}
      <table className="bh-table" aria-busy={!holders} data-testid="holders">
        <thead>
          <tr>
            <th>#</th>
            <th>Holder</th>
            <th className="bh-right">Amount</th>
            <th className="bh-right">Share</th>
          </tr>
        </thead>
        <tbody>
          {holders
            ? holders.map((holder, index) => <Row key={holder.account} holder={holder} rank={index + 1} account={account} decimals={decimals} />)
            : Array.from({ length: SKELETON_ROWS }, (_, index) => <SkeletonRow key={index} />)}
        </tbody>
      </table>
    </div>
  );
}
