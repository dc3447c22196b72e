// One token's life: holders, volume by class of trader, curve progress, concentration, what its creator did.
import { useState } from "react";
import { Link, useLocation } from "react-router";
import { Plot } from "$/public/external/blitzhub/charts/plot/plot.jsx";
import { CopyText } from "$/public/external/blitzhub/components/browser/copy_text.jsx";
import { compactTokens, count, exactTokens, marketSol, share } from "$/public/external/blitzhub/feed/figures.js";
import { useAnswer } from "./asking.js";
import { Failed, moment, Price, Rows, Sol } from "./rows.jsx";

const CHARTS = [
  ["holders", "Holders"],
  ["progress", "SOL raised of what graduates it, %"],
  ["volume", "Volume by class of trader, SOL"],
];

function Figure({ caption, children, title }) {
  return (
    <div className="bh-card bh-stat" title={title}>
      <span className="bh-caption">{caption}</span>
      <span className="bh-stat__figure">{children}</span>
    </div>
  );
}

function Classes({ sums, decimals }) {
  return (
    <table className="bh-table" data-testid="classes">
      <thead>
        <tr>
          <th>Class</th>
          <th className="bh-right">Trades</th>
          <th className="bh-right">Volume</th>
          <th className="bh-right">Paid, SOL</th>
          <th className="bh-right">Received, SOL</th>
          <th className="bh-right">Bought</th>
          <th className="bh-right">Sold</th>
        </tr>
      </thead>
      <tbody>
        {Object.entries(sums).map(([name, row]) => (
          <tr key={name}>
            <td>{name}</td>
            <td className="bh-right">{count(row.trades)}</td>
            <td className="bh-right"><Sol lamports={row.lamports} /></td>
            <td className="bh-right"><Sol lamports={row.bought_lamports} /></td>
            <td className="bh-right"><Sol lamports={row.sold_lamports} /></td>
            <td className="bh-right">{compactTokens(row.bought, decimals)}</td>
            <td className="bh-right">{compactTokens(row.sold, decimals)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Creator({ answer }) {
  const { creator, token } = answer;
  return (
    <section className="bh-card bh-rows" aria-label="The creator">
      <div className="bh-rows__head">
        <h2 className="bh-title">
          The creator <CopyText text={token.creator} label="Creator" />
        </h2>
      </div>
      <p className="bh-small bh-muted bh-rows__words" data-testid="creator">
        {count(creator.trades)} trades: paid {marketSol(creator.bought_lamports)} SOL, received {marketSol(creator.sold_lamports)} SOL; holds{" "}
        <span title={exactTokens(creator.held, token.decimals)}>{compactTokens(creator.held, token.decimals)}</span> of {compactTokens(token.supply, token.decimals)} sold.
      </p>
      {answer.creator_trades.length > 0 && (
        <div className="bh-rows__scroll" tabIndex={0} role="region" aria-label="The creator's trades">
          <table className="bh-table" data-testid="creator-trades">
            <tbody>
              {answer.creator_trades.map((row) => (
                <tr key={row.order_id}>
                  <td className="bh-fig bh-muted">{moment(row.executed_at_ms)}</td>
                  <td className={row.side === "buy" ? "bh-up" : "bh-down"}>{row.side === "buy" ? "Buy" : "Sell"}</td>
                  <td className="bh-right"><Sol lamports={row.lamports} /></td>
                  <td className="bh-right">{compactTokens(row.tokens, row.decimals)}</td>
                  <td className="bh-right"><Price units={row.price} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Report({ answer }) {
  const { token, concentration_bps: bps } = answer;
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <div className="bh-activity__cards">
        <Figure caption="Stage">{token.stage}</Figure>
        <Figure caption="Price, SOL"><Price units={token.last_trade_at_ms ? token.price : null} /></Figure>
        <Figure caption="Market cap, SOL"><Sol lamports={token.market_cap_lamports} /></Figure>
        <Figure caption="Raised">{share(token.progress_bps)}</Figure>
        <Figure caption="Holders">{count(token.holders)}</Figure>
        <Figure caption="Largest 1 / 10 / 50 hold" title="Of the tokens in accounts">
          <span className="bh-stat__three" data-testid="concentration">{["1", "10", "50"].map((each) => share(bps[each])).join(" / ")}</span>
        </Figure>
      </div>
      <div className="bh-activity__charts">
        {CHARTS.map(([name, title]) => (
          <section key={name} className="bh-card bh-plotcard" aria-label={title} data-testid={`chart-${name}`}>
            <h3 className="bh-plotcard__title">{title}</h3>
            <Plot figure={answer.charts[name]} label={`${title} over time`} />
          </section>
        ))}
        <section className="bh-card bh-rows" aria-label="Classes of traders">
          <div className="bh-rows__head">
            <h2 className="bh-title">Classes of traders</h2>
            <button type="button" className="bh-button bh-button--dense" onClick={() => setOpen(!isOpen)} data-testid="open-trades">
              {isOpen ? "Hide the trades" : "All trades"}
            </button>
          </div>
          <div className="bh-rows__scroll" tabIndex={0} role="region" aria-label="Classes of traders">
            <Classes sums={answer.by_class} decimals={token.decimals} />
          </div>
        </section>
      </div>
      {isOpen && <Rows behind={{ kind: "trades", query: `token=${token.address}`, title: `Trades of ${token.symbol}` }} onClose={() => setOpen(false)} />}
      <Creator answer={answer} />
    </>
  );
}

export function TokenMetrics() {
  const address = useLocation().pathname.split("/").filter(Boolean)[2] ?? "";
  const { answer, error } = useAnswer(`/admin/activity/tokens/${encodeURIComponent(address)}`);
  const known = answer?.token.address === address ? answer : null;
  return (
    <div className="bh-activity" data-testid="token-metrics" data-ready={known !== null}>
      <div className="bh-period">
        <Link to="/admin/tokens" className="bh-link">Tokens</Link>
        <h1 className="bh-h2">{known ? `${known.token.symbol} · ${known.token.name}` : "…"}</h1>
        <CopyText text={address} label="Token" />
        <Link to={`/token/${address}`} className="bh-link">Its page</Link>
      </div>
      {error && <Failed error={error} />}
      {known ? <Report answer={known} /> : !error && <span className="bh-skeleton bh-plotcard" aria-hidden />}
    </div>
  );
}
