// Every token with every indicator: sorted by any column, filtered, exported as it is shown.
import { useEffect, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { ArrowDown, ArrowUp, Download } from "lucide-react";
import { count, share, shortAddress } from "$/public/external/blitzhub/feed/figures.js";
import { useAnswer } from "./asking.js";
import { PeriodBar, usePeriod } from "./period.jsx";
import { Failed, moment, Price, Sol } from "./rows.jsx";

const STAGES = ["launching", "curve", "graduating", "graduated", "failed"];
const FLAGS = ["paused", "held", "hidden", "simulated"];
const ONLY = { launched: "Launched in this time", graduated: "Graduated in this time" };
const FILTERS = ["sort", "descending", "text", "stage", "flag", "only"];
const TYPED_MS = 300;

const sol = (row, name) => <Sol lamports={row[name]} />;
const number = (row, name) => count(row[name]);
const time = (row, name) => moment(row[name]).slice(0, 16);
// Column, head, how it reads, whether it is about the chosen time.
const COLUMNS = [
  ["stage", "Stage", (row) => row.stage],
  ["price", "Price", (row) => <Price units={row.price} />],
  ["market_cap_lamports", "Market cap", sol],
  ["liquidity_lamports", "Liquidity", sol],
  ["progress_bps", "Raised", (row) => share(row.progress_bps)],
  ["holders", "Holders", number],
  ["volume_24h_lamports", "Volume 24h", sol],
  ["lamports", "Volume", sol, true],
  ["trades", "Trades", number, true],
  ["buys", "Buys", number, true],
  ["fee_lamports", "Fees", sol, true],
  ["ever_lamports", "Volume ever", sol],
  ["ever_trades", "Trades ever", number],
  ["ever_fee_lamports", "Fees ever", sol],
  ["platform_fees_lamports", "To sweep", sol],
  ["creator_fees_lamports", "To claim", sol],
  ["tradable_at_ms", "Tradable since", time],
  ["graduated_at_ms", "Graduated", time],
  ["last_trade_at_ms", "Last trade", time],
];
const WORDS = new Set(["stage"]);

function Head({ column, head, sort, descending, onSort, ofPeriod }) {
  const Arrow = descending ? ArrowDown : ArrowUp;
  const isSorted = sort === column;
  return (
    <th className={WORDS.has(column) || column === "name" ? "" : "bh-right"} aria-sort={isSorted ? (descending ? "descending" : "ascending") : "none"}>
      <button type="button" className="bh-sort" aria-pressed={isSorted} title={ofPeriod ? "In the chosen time" : undefined} onClick={() => onSort(column)} data-testid={`sort-${column}`}>
        {head}
        {ofPeriod && <span className="bh-sort__mark" aria-label="in the chosen time">*</span>}
        {isSorted && <Arrow aria-hidden />}
      </button>
    </th>
  );
}

function Flags({ row }) {
  return FLAGS.filter((name) => row[name] === 1).map((name) => (
    <span key={name} className="bh-tag">
      {name === "simulated" ? "sim" : name}
    </span>
  ));
}

function Filters({ params, change }) {
  const [text, setText] = useState(params.get("text") ?? "");
  useEffect(() => {
    const timer = setTimeout(() => (params.get("text") ?? "") !== text && change({ text }), TYPED_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const select = (name, label, values) => (
    <select className="bh-input bh-filters__select" aria-label={label} value={params.get(name) ?? ""} onChange={(event) => change({ [name]: event.target.value })} data-testid={`filter-${name}`}>
      <option value="">{label}: all</option>
      {values.map(([value, word]) => (
        <option key={value} value={value}>
          {word}
        </option>
      ))}
    </select>
  );
  return (
    <div className="bh-filters">
      <input className="bh-input bh-filters__text" placeholder="Name, symbol or address" aria-label="Name, symbol or address" maxLength={60} value={text} onChange={(event) => setText(event.target.value)} data-testid="filter-text" />
      {select("stage", "Stage", STAGES.map((name) => [name, name]))}
      {select("flag", "Marked", FLAGS.map((name) => [name, name]))}
      {select("only", "Moment", Object.entries(ONLY))}
    </div>
  );
}

export function Tokens() {
  const [period, change] = usePeriod("24h");
  const [params] = useSearchParams();
  const [page, setPage] = useState(0);
  const query = new URLSearchParams(period);
  FILTERS.forEach((name) => params.get(name) && query.set(name, params.get(name)));
  const asked = query.toString();
  useEffect(() => setPage(0), [asked]);
  const { answer, error } = useAnswer(`/admin/activity/tokens?${asked}&page=${page}`);
  const [sort, descending] = [params.get("sort") ?? "lamports", params.get("descending") !== "false"];
  const onSort = (column) => change({ sort: column, descending: column === sort && descending ? "false" : "" });
  const shown = answer ? [page * answer.page_size + (answer.tokens.length ? 1 : 0), page * answer.page_size + answer.tokens.length] : [0, 0];
  return (
    <div className="bh-activity" data-testid="tokens" data-ready={answer !== null}>
      <h1 className="bh-visually-hidden">Tokens</h1>
      <PeriodBar query={period} change={change} steps={false}>
        <span className="bh-filters__exports">
          {["csv", "parquet"].map((kind) => (
            <a key={kind} className="bh-button bh-button--dense" href={`/api/admin/activity/tokens.${kind}?${asked}`} download data-testid={`export-${kind}`}>
              <Download className="bh-icon" aria-hidden />
              {kind === "csv" ? "CSV" : "Parquet"}
            </a>
          ))}
        </span>
      </PeriodBar>
      <Filters params={params} change={change} />
      {error && <Failed error={error} />}
      <section className="bh-card bh-tokens" aria-label="Tokens">
        <div className="bh-tokens__scroll" tabIndex={0} role="region" aria-label="Tokens">
          <table className="bh-table bh-table--tall" data-testid="token-table">
            <thead>
              <tr>
                <Head column="name" head="Token" sort={sort} descending={descending} onSort={onSort} />
                {COLUMNS.map(([column, head, , ofPeriod]) => (
                  <Head key={column} column={column} head={head} sort={sort} descending={descending} onSort={onSort} ofPeriod={ofPeriod} />
                ))}
              </tr>
            </thead>
            <tbody>
              {answer?.tokens.map((row) => (
                <tr key={row.address} data-testid="token-row" data-address={row.address}>
                  <td>
                    <Link to={`/admin/tokens/${row.address}`} className="bh-tokens__name" title={`${row.name} ${row.address}`}>
                      <b>{row.symbol}</b> <span className="bh-muted">{row.name}</span> <span className="bh-fig bh-faint">{shortAddress(row.address)}</span>
                    </Link>{" "}
                    <Flags row={row} />
                  </td>
                  {COLUMNS.map(([column, , reads]) => (
                    <td key={column} className={WORDS.has(column) ? "" : "bh-right"} data-column={column} data-value={row[column]}>
                      {reads(row, column)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {answer?.matching === 0 && <div className="bh-empty">No token matches.</div>}
        <div className="bh-tokens__foot">
          <span className="bh-small bh-muted" data-testid="token-count">
            {answer ? `${shown[0]}–${shown[1]} of ${count(answer.matching)}. * in the chosen time; SOL where nothing else is said` : "…"}
          </span>
          <button type="button" className="bh-button bh-button--dense" disabled={page === 0} onClick={() => setPage(page - 1)}>
            Back
          </button>
          <button type="button" className="bh-button bh-button--dense" disabled={!answer || shown[1] >= answer.matching} onClick={() => setPage(page + 1)} data-testid="next-page">
            Next
          </button>
        </div>
      </section>
    </div>
  );
}
