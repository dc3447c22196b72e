// The rows behind a figure: trades, or the accounts that made them, page by page.
import { Link } from "react-router";
import { TriangleAlert, X } from "lucide-react";
import { CopyText } from "$/public/external/blitzhub/components/browser/copy_text.jsx";
import { compactTokens, count, exactSol, marketSol, price } from "$/public/external/blitzhub/feed/figures.js";
import { useRows } from "./asking.js";

export const moment = (ms) => (ms ? new Date(ms).toISOString().slice(0, 19).replace("T", " ") : "—");

export const Sol = ({ lamports }) => <span title={`${exactSol(lamports)} SOL`}>{marketSol(lamports)}</span>;

export function Price({ units }) {
  const { lead, zeros, digits, exact } = price(units);
  return (
    <span title={exact}>
      {lead}
      {zeros > 0 && <sub>{zeros}</sub>}
      {digits}
    </span>
  );
}

export function Failed({ error }) {
  return (
    <div className="bh-note bh-note--warn" role="alert">
      <TriangleAlert className="bh-icon" aria-hidden />
      {error.message}
    </div>
  );
}

function TradeRows({ rows }) {
  return (
    <table className="bh-table" data-testid="trade-rows">
      <thead>
        <tr>
          <th>Time, UTC</th>
          <th>Side</th>
          <th>Token</th>
          <th className="bh-right">SOL</th>
          <th className="bh-right">Fee</th>
          <th className="bh-right">Of it the creator's</th>
          <th className="bh-right">Tokens</th>
          <th className="bh-right">Price</th>
          <th>Trader</th>
          <th>Order</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.order_id} data-testid="trade-row">
            <td className="bh-fig bh-muted">{moment(row.executed_at_ms)}</td>
            <td className={row.side === "buy" ? "bh-up" : "bh-down"}>{row.side === "buy" ? "Buy" : "Sell"}</td>
            <td>
              <Link to={`/admin/tokens/${row.token}`} className="bh-link">{row.symbol}</Link>
            </td>
            <td className="bh-right"><Sol lamports={row.lamports} /></td>
            <td className="bh-right">{exactSol(row.fee_lamports)}</td>
            <td className="bh-right">{exactSol(row.creator_fee_lamports)}</td>
            <td className="bh-right">{compactTokens(row.tokens, row.decimals)}</td>
            <td className="bh-right"><Price units={row.price} /></td>
            <td>
              <CopyText text={row.account_id} label="Trader" /> {row.simulated === 1 && <span className="bh-tag">sim</span>}
            </td>
            <td>
              <CopyText text={row.order_id} label="Order" />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function TraderRows({ rows }) {
  return (
    <table className="bh-table" data-testid="trader-rows">
      <thead>
        <tr>
          <th>Trader</th>
          <th className="bh-right">Trades</th>
          <th className="bh-right">Buys</th>
          <th className="bh-right">Volume, SOL</th>
          <th className="bh-right">Fees paid</th>
          <th>Last trade, UTC</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.subject} data-testid="trader-row">
            <td>
              <CopyText text={row.subject} label="Trader" />
            </td>
            <td className="bh-right">{count(row.trades)}</td>
            <td className="bh-right">{count(row.buys)}</td>
            <td className="bh-right"><Sol lamports={row.lamports} /></td>
            <td className="bh-right">{exactSol(row.fee_lamports)}</td>
            <td className="bh-fig bh-muted">{moment(row.last_at_ms)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const KINDS = { trades: TradeRows, traders: TraderRows };

/** `behind` is { kind, query, title }: which rows, of which time, and what they are called. */
export function Rows({ behind, onClose }) {
  const { rows, cursor, error, next } = useRows(`/admin/activity/${behind.kind}?${behind.query}`, behind.kind);
  const Table = KINDS[behind.kind];
  return (
    <section className="bh-card bh-rows" aria-label={behind.title} data-testid="rows">
      <div className="bh-rows__head">
        <h2 className="bh-title">{behind.title}</h2>
        <button type="button" className="bh-button bh-button--dense bh-button--ghost" onClick={onClose} aria-label="Close the rows">
          <X className="bh-icon" aria-hidden />
        </button>
      </div>
      {error && <Failed error={error} />}
      {rows === null && !error && <span className="bh-skeleton bh-rows__skeleton" aria-hidden />}
      {rows?.length === 0 && <div className="bh-empty">Nothing in this time.</div>}
      {rows?.length > 0 && (
        <div className="bh-rows__scroll" tabIndex={0} role="region" aria-label={behind.title}>
          <Table rows={rows} />
        </div>
      )}
      {cursor && (
        <button type="button" className="bh-button bh-button--dense bh-rows__more" onClick={next} data-testid="rows-more">
          More
        </button>
      )}
    </section>
  );
}
