// The audit log, newest first: who, what, on what, why, before and after, and the hash that chains it.
import { useCallback, useEffect, useState } from "react";
import { call } from "$/public/external/blitzhub/client/api.js";
import { clock, shortAddress } from "$/public/external/blitzhub/feed/figures.js";

const PAGE = 50;

const when = (ms) => `${new Date(ms).toLocaleDateString("en-GB", { day: "2-digit", month: "short" })} ${clock(ms)}`;
const short = (text) => (text.length > 20 ? shortAddress(text) : text);
const changed = (before, after) => {
  const [was, is] = [JSON.parse(before), JSON.parse(after)];
  return Object.keys({ ...was, ...is })
    .filter((name) => was[name] !== is[name])
    .map((name) => `${name}: ${was[name] ?? "—"} to ${is[name] ?? "—"}`)
    .join(", ");
};

export function AuditPage() {
  const [entries, setEntries] = useState(null);
  const [more, setMore] = useState(false);
  const [words, setWords] = useState("");
  const read = useCallback(async (before) => {
    try {
      const page = await call("GET", `/admin/audit?limit=${PAGE}${before ? `&before=${before}` : ""}`);
      setEntries((known) => [...(before ? known : []), ...page.entries]);
      setMore(page.entries.length === PAGE);
      setWords("");
    } catch (error) {
      setWords(error.message);
    }
  }, []);
  useEffect(() => {
    const wanted = Number(new URLSearchParams(location.search).get("row"));
    read(wanted ? wanted + 1 : undefined);
  }, [read]);
  return (
    <section className="bh-card bh-engine__card" aria-label="Audit log">
      <div className="bh-engine__head">
        <h2 className="bh-title">Audit log</h2>
        <a className="bh-button bh-button--dense" href="/api/admin/audit/export?format=csv" download>
          CSV
        </a>
        <a className="bh-button bh-button--dense" href="/api/admin/audit/export?format=jsonl" download>
          JSONL
        </a>
      </div>
      {words && (
        <div className="bh-error" role="alert">
          {words}
        </div>
      )}
      <div className="bh-engine__scroll" tabIndex={0} role="region" aria-label="Audit log, table">
        <table className="bh-table" data-testid="audit">
          <thead>
            <tr>
              {["Row", "Time", "Operator", "Action", "Target", "Reason", "Before, after", "Hash"].map((head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {(entries ?? []).map((each) => (
              <tr key={each.seq} data-testid="audit-row" data-action={each.action}>
                <td className="bh-fig">{each.seq}</td>
                <td className="bh-fig">{when(each.at_ms)}</td>
                <td className="bh-fig" title={each.operator}>
                  {short(each.operator)}
                </td>
                <td>{each.action.replaceAll("_", " ")}</td>
                <td className="bh-fig" title={each.target}>
                  {short(each.target)}
                </td>
                <td className="bh-audit__reason">{each.reason}</td>
                <td className="bh-fig">{changed(each.before, each.after)}</td>
                <td className="bh-fig" title={each.hash}>
                  {each.hash.slice(0, 8)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {entries?.length === 0 && <div className="bh-empty">Nobody has done anything yet.</div>}
        {more && (
          <div className="bh-empty">
            <button type="button" className="bh-button" onClick={() => read(entries.at(-1).seq)}>
              Older
            </button>
          </div>
        )}
      </div>
    </section>
  );
}
