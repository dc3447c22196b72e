"""What happened on the platform: figures over time, the token table and its exports, tokens, cohorts, the rows behind.

Amounts are decimal strings of base units, as everywhere in the API; the figures of charts are for drawing only.
"""

from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Query, Response

from blitzhub.api.dependencies import InServices
from blitzhub.charts import activity_plots as plots
from engine.identifiers import is_address
from engine.indicators.tallies import Span
from engine.persistence import activity, reports
from engine.persistence.database import Connection
from engine.persistence.paging import MAX_PAGE
from engine.persistence.tallies import COUNTED_REPORT
from engine.reports import cohorts as cohort_report
from engine.reports import token_table as table
from engine.reports.overview import overview as make_overview
from engine.reports.period import Period, read_period
from engine.reports.token_report import token_report
from engine.trading.inputs import UnknownToken
from engine.units import MAX_AMOUNT

Text = Annotated[str | None, Query(max_length=100)]
Moment = Annotated[int, Query(ge=0, le=MAX_AMOUNT)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]

_PARQUET: Final = "application/vnd.apache.parquet"
_CREATOR_TRADES: Final = 20

router = APIRouter(prefix="/activity")


def period_of(
    services: InServices,
    range_: Annotated[str | None, Query(alias="range", max_length=4)] = None,
    first: Text = None,
    last: Text = None,
    step: Text = None,
) -> Period:
    """The time that is asked about."""
    return read_period(services.clock.now_ms(), range_, first, last, step)


InPeriod = Annotated[Period, Depends(period_of)]


def query_of(
    period: InPeriod,
    sort: Text = None,
    descending: bool = True,
    text: Text = None,
    stage: Text = None,
    flag: Text = None,
    only: Text = None,
) -> table.Query:
    """What of the token table is asked for; `only` is `launched` or `graduated`, in the period."""
    within = (period.from_ms, period.until_ms)
    if only not in (None, "launched", "graduated"):
        raise table.InvalidQuery("The table has no such filter.")
    return table.Query(
        sort=sort or "lamports",
        descending=descending,
        text=(text or "").strip(),
        stage=stage or "",
        flag=flag or "",
        launched_in=within if only == "launched" else None,
        graduated_in=within if only == "graduated" else None,
    )


InQuery = Annotated[table.Query, Depends(query_of)]


@router.get("/overview")
async def overview(services: InServices, period: InPeriod) -> Response:
    """Totals, those of the period before, and the charts."""

    def read(connection: Connection) -> dict[str, Any]:
        found = make_overview(connection, period)
        counted = reports.latest(connection, COUNTED_REPORT)
        return {
            "from_ms": period.from_ms,
            "until_ms": period.until_ms,
            "step": period.step,
            "counted_at_ms": None if counted is None else counted[1],
            "now_ms": services.clock.now_ms(),
            "totals": _strings(found.totals),
            "before": _strings(found.before),
            "charts": plots.overview_charts(found),
        }

    return _json(await services.database.read(read))


@router.get("/tokens")
async def tokens(
    services: InServices, period: InPeriod, query: InQuery, page: Annotated[int, Query(ge=0, le=100_000)] = 0
) -> Response:
    """One page of the token table; `matching` is how many rows all pages have."""

    def read(connection: Connection) -> dict[str, Any]:
        rows = table.chosen(table.token_table(connection, period), query)
        shown = rows.slice(page * table.PAGE, table.PAGE).to_dicts()
        return {"matching": rows.height, "page_size": table.PAGE, "tokens": [_strings(row) for row in shown]}

    return _json(await services.database.read(read))


@router.get("/tokens.csv")
async def tokens_csv(services: InServices, period: InPeriod, query: InQuery) -> Response:
    """Every row that matches, exact, to be opened as a table."""
    body = await services.database.read(lambda c: table.csv(table.chosen(table.token_table(c, period), query)))
    return _download(body, "text/csv; charset=utf-8", "blitzhub-tokens.csv")


@router.get("/tokens.parquet")
async def tokens_parquet(services: InServices, period: InPeriod, query: InQuery) -> Response:
    """The same for programs: integers of base units."""
    body = await services.database.read(lambda c: table.parquet(table.chosen(table.token_table(c, period), query)))
    return _download(body, _PARQUET, "blitzhub-tokens.parquet")


@router.get("/tokens/{address}")
async def token(services: InServices, address: str) -> Response:
    """One token's life; its creator's newest trades beside it."""
    if not is_address(address):
        raise UnknownToken("There is no token at this address.")

    def read(connection: Connection) -> dict[str, Any] | None:
        found = token_report(connection, address, services.clock.now_ms())
        if found is None:
            return None
        own = partial(activity.trades_page, connection, 0, MAX_AMOUNT, _CREATOR_TRADES, token=address)
        return {
            "token": _strings(found.facts) | {"progress_bps": table.progress_bps(found.facts)},
            "by_class": {name: _strings(sums) for name, sums in found.by_class.items()},
            "concentration_bps": {str(count): bps for count, bps in found.concentration.items()},
            "creator": _strings(found.creator),
            "creator_trades": [_strings(row) for row in own(account_id=found.facts["creator"])[0]],
            "charts": plots.token_charts(found),
        }

    answer = await services.database.read(read)
    if answer is None:
        raise UnknownToken("There is no token at this address.")
    return _json(answer)


@router.get("/cohorts")
async def cohorts(services: InServices, span: Span = Span.WEEK) -> Response:
    """Who began when, and how many of them came back."""
    if span not in cohort_report.SHOWN:
        raise table.InvalidQuery("Cohorts go by day or by week.")
    read = partial(cohort_report.cohorts, now_ms=services.clock.now_ms(), span=span)
    found = await services.database.read(read)
    return _json({"span": span, "cohorts": [asdict(each) for each in found]})


@router.get("/trades")
async def trades(
    services: InServices,
    from_ms: Moment = 0,
    until_ms: Moment = MAX_AMOUNT,
    token: Text = None,
    account: Text = None,
    side: Text = None,
    cursor: Text = None,
    limit: Limit = 50,
) -> Response:
    """The trades behind a figure, newest first."""
    read = partial(
        activity.trades_page,
        from_ms=from_ms,
        until_ms=until_ms,
        limit=limit,
        cursor=cursor,
        token=token,
        account_id=account,
        side=side,
    )
    page, after = await services.database.read(read)
    return _json({"trades": [_strings(row) for row in page], "next_cursor": after})


@router.get("/traders")
async def traders(
    services: InServices,
    from_ms: Moment,
    until_ms: Moment,
    span: Span = Span.HOUR,
    cursor: Text = None,
    limit: Limit = 50,
) -> Response:
    """The accounts behind a figure, the largest volume first; `span` is what the time is whole in."""
    read = partial(activity.traders_page, span=span, from_ms=from_ms, until_ms=until_ms, limit=limit, cursor=cursor)
    page, after = await services.database.read(read)
    return _json({"traders": [_strings(row) for row in page], "next_cursor": after})


_AMOUNTS: Final = ("lamports", "tokens", "price", "bought", "sold", "held", "supply")


def _strings(row: dict[str, Any]) -> dict[str, Any]:
    """With every amount as decimal text."""
    return {name: str(value) if _is_amount(name) and value is not None else value for name, value in row.items()}


def _is_amount(name: str) -> bool:
    return name in _AMOUNTS or name.endswith(("_lamports", "_supply"))


def _json(answer: dict[str, Any]) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json")


def _download(body: bytes, media_type: str, name: str) -> Response:
    return Response(body, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
