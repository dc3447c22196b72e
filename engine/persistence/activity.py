"""What the operators' dashboard reads: tallies, tokens, the trades and traders behind a figure. Read queries only."""

import re
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, case, func, or_, select

from engine.indicators.tallies import PLATFORM, SUMS, TOKEN, TRADER, Span
from engine.persistence.paging import MAX_PAGE, read_cursor
from engine.persistence.tallies import TALLIES
from engine.persistence.trading import BALANCES, TOKENS, TRADES, TRANSFERS
from engine.units import MAX_AMOUNT

Row = dict[str, Any]

TOKEN_FACTS: Final = (
    "address", "name", "symbol", "creator", "simulated", "stage", "paused", "held", "hidden", "k", "n", "decimals",
    "total_supply", "curve_supply", "seq", "supply", "reserve_lamports", "creator_fees_lamports",
    "platform_fees_lamports", "last_trade_at_ms", "price", "market_cap_lamports", "liquidity_lamports",
    "volume_24h_lamports", "holders", "created_at_ms", "tradable_at_ms", "graduated_at_ms",
)  # fmt: skip
"""What the token table shows, with what progress is computed from."""

TRADE_FACTS: Final = (
    "order_id", "token", "seq", "account_id", "side", "simulated", "lamports", "fee_lamports", "creator_fee_lamports",
    "tokens", "price", "executed_at_ms",
)  # fmt: skip

_CURSOR: Final = re.compile(r"([0-9]{1,19})\.([0-9A-Za-z]{1,44})\Z")


def platform(connection: Connection, span: Span, from_ms: int, until_ms: int) -> list[Row]:
    """The platform's tallies that begin in that time, oldest first."""
    return _rows(connection, _in_time(select(TALLIES), PLATFORM, span, from_ms, until_ms).order_by(TALLIES.c.begin_ms))


def traders_in(connection: Connection, span: Span, from_ms: int, middle_ms: int, until_ms: int) -> tuple[int, int]:
    """How many different accounts traded before and from the middle on."""
    name, begin = TALLIES.c.subject, TALLIES.c.begin_ms
    early = func.count(case((begin < middle_ms, name)).distinct())
    late = func.count(case((begin >= middle_ms, name)).distinct())
    row = connection.execute(_in_time(select(early, late), TRADER, span, from_ms, until_ms)).one()
    return int(row[0]), int(row[1])


def newcomers(connection: Connection, step_ms: int, from_ms: int, until_ms: int) -> dict[int, int]:
    """How many accounts made their first trade in each step of that time that had any."""
    first = TALLIES.c.first_at_ms
    begin = (first - first % step_ms).label("first_step_ms")
    query = _in_time(select(begin, func.count()), TRADER, Span.EVER, 0, 1)
    query = query.where(first >= from_ms, first < until_ms).group_by(begin)
    return {int(row[0]): int(row[1]) for row in connection.execute(query)}


def by_token(connection: Connection, span: Span, from_ms: int, until_ms: int) -> list[Row]:
    """The figures of each token that was traded in that time; its address is the `subject`."""
    sums = (func.sum(TALLIES.c[name]).label(name) for name in SUMS)
    query = _in_time(select(TALLIES.c.subject, *sums), TOKEN, span, from_ms, until_ms).group_by(TALLIES.c.subject)
    return [
        {"subject": row["subject"]} | {name: int(row[name]) for name in SUMS} for row in _mappings(connection, query)
    ]


def token_facts(connection: Connection) -> list[Row]:
    """Every token, whatever its stage."""
    return _rows(connection, select(*(TOKENS.c[name] for name in TOKEN_FACTS)))


def one_token(connection: Connection, address: str) -> Row | None:
    """One token, whatever its stage."""
    query = select(*(TOKENS.c[name] for name in TOKEN_FACTS)).where(TOKENS.c.address == address)
    row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)


def token_moments(connection: Connection, from_ms: int, until_ms: int) -> tuple[list[int], list[int]]:
    """When tokens became tradable in that time, and when they filled their curve."""
    launched, graduated = TOKENS.c.tradable_at_ms, TOKENS.c.graduated_at_ms
    query = select(launched, graduated).where(or_(launched >= from_ms, graduated >= from_ms))
    rows = connection.execute(query).all()
    within = [[int(each) for each in column if from_ms <= each < until_ms] for column in zip(*rows, strict=True)]
    return (within[0], within[1]) if within else ([], [])


def cohorts(
    connection: Connection, span: Span, span_ms: int, offset_ms: int, from_ms: int
) -> list[tuple[int, int, int]]:
    """(span of the first trade, span, accounts that traded in it) of the accounts that began at or after `from_ms`."""
    ever = TALLIES.alias("ever")
    cohort = (ever.c.first_at_ms - (ever.c.first_at_ms - offset_ms) % span_ms).label("cohort_ms")
    query = _in_time(select(cohort, TALLIES.c.begin_ms, func.count()), TRADER, span, from_ms, MAX_AMOUNT)
    same = and_(
        ever.c.kind == TRADER, ever.c.span == Span.EVER.value, ever.c.begin_ms == 0, ever.c.subject == TALLIES.c.subject
    )
    query = query.select_from(TALLIES.join(ever, same)).where(ever.c.first_at_ms >= from_ms)
    return [(int(a), int(b), int(c)) for a, b, c in connection.execute(query.group_by(cohort, TALLIES.c.begin_ms))]


def trades_page(
    connection: Connection,
    from_ms: int,
    until_ms: int,
    limit: int,
    cursor: str | None = None,
    token: str | None = None,
    account_id: str | None = None,
    side: str | None = None,
) -> tuple[list[Row], str | None]:
    """Trades of that time, newest first, at most 200, and the cursor of the next page, None at the end."""
    at, order_id = TRADES.c.executed_at_ms, TRADES.c.order_id
    moment = at if token is None else TRADES.c.seq  # the same order within a token, where that index is
    query = select(*(TRADES.c[name] for name in TRADE_FACTS), TOKENS.c.symbol, TOKENS.c.decimals)
    query = query.join(TOKENS, TOKENS.c.address == TRADES.c.token).where(at >= from_ms, at < until_ms)
    for column, wanted in ((TRADES.c.token, token), (TRADES.c.account_id, account_id), (TRADES.c.side, side)):
        if wanted is not None:
            query = query.where(column == wanted)
    if cursor is not None:
        at_ms, name = read_cursor(_CURSOR, cursor)
        query = query.where(moment <= at_ms, or_(moment < at_ms, order_id < name))
    return _page(connection, query.order_by(moment.desc(), order_id.desc()), limit, moment.name, "order_id")


def traders_page(
    connection: Connection, span: Span, from_ms: int, until_ms: int, limit: int, cursor: str | None = None
) -> tuple[list[Row], str | None]:
    """Who traded in that time, the largest volume first, with their figures of it; paged like `trades_page`."""
    lamports = func.sum(TALLIES.c.lamports)
    sums = [func.sum(TALLIES.c[name]).label(name) for name in ("trades", "buys", "lamports", "fee_lamports")]
    last = func.max(TALLIES.c.last_at_ms).label("last_at_ms")
    query = _in_time(select(TALLIES.c.subject, *sums, last), TRADER, span, from_ms, until_ms)
    query = query.group_by(TALLIES.c.subject)
    if cursor is not None:
        amount, name = read_cursor(_CURSOR, cursor)
        query = query.having(or_(lamports < amount, and_(lamports == amount, TALLIES.c.subject < name)))
    page, after = _page(
        connection, query.order_by(lamports.desc(), TALLIES.c.subject.desc()), limit, "lamports", "subject"
    )
    figures = ("trades", "buys", "lamports", "fee_lamports", "last_at_ms")
    return [row | {name: int(row[name]) for name in figures} for row in page], after


def token_flows(connection: Connection, token: str, step_ms: int) -> list[Row]:
    """Each account's trades of a token by step, side and whether simulated: their sums, and when the first was."""
    at = TRADES.c.executed_at_ms
    begin = (at - at % step_ms).label("begin_ms")
    keys = (TRADES.c.account_id, begin, TRADES.c.side, TRADES.c.simulated)
    query = select(
        *keys,
        func.count().label("trades"),
        func.sum(TRADES.c.lamports).label("lamports"),
        func.sum(TRADES.c.tokens).label("tokens"),
        func.min(at).label("first_at_ms"),
    )
    rows = _mappings(connection, query.where(TRADES.c.token == token).group_by(*keys))
    return [dict(row) | {name: int(row[name]) for name in ("begin_ms", "lamports", "tokens")} for row in rows]


def token_transfers(connection: Connection, token: str, step_ms: int) -> list[Row]:
    """What each account received (above 0) or gave away of a token without trading, by step."""
    at = TRANSFERS.c.created_at_ms
    begin = (at - at % step_ms).label("begin_ms")
    query = select(TRANSFERS.c.account_id, begin, func.sum(TRANSFERS.c.amount).label("tokens"))
    query = query.where(TRANSFERS.c.asset == token, TRANSFERS.c.account_id.is_not(None))
    rows = _mappings(connection, query.group_by(TRANSFERS.c.account_id, begin))
    return [dict(row) | {name: int(row[name]) for name in ("begin_ms", "tokens")} for row in rows]


def closing_trades(connection: Connection, token: str, step_ms: int) -> list[Row]:
    """The last trade of each step of a token, oldest first: where curve and price stood."""
    at = TRADES.c.executed_at_ms
    begin = at - at % step_ms
    last = select(func.max(TRADES.c.seq)).where(TRADES.c.token == token).group_by(begin)
    query = select(at, TRADES.c.seq, TRADES.c.price, TRADES.c.supply, TRADES.c.reserve_lamports)
    return _rows(connection, query.where(TRADES.c.token == token, TRADES.c.seq.in_(last)).order_by(TRADES.c.seq))


def holdings(connection: Connection, token: str) -> dict[str, int]:
    """What each holder has of a token, base units, the largest first."""
    query = select(BALANCES.c.account_id, BALANCES.c.amount).where(BALANCES.c.asset == token, BALANCES.c.amount > 0)
    rows = connection.execute(query.order_by(BALANCES.c.amount.desc()))
    return {row.account_id: int(row.amount) for row in rows}


def _in_time(query: Any, kind: str, span: Span, from_ms: int, until_ms: int) -> Any:
    begin = TALLIES.c.begin_ms
    return query.where(TALLIES.c.kind == kind, TALLIES.c.span == span.value, begin >= from_ms, begin < until_ms)


def _page(connection: Connection, query: Any, limit: int, moment: str, name: str) -> tuple[list[Row], str | None]:
    limit = max(1, min(limit, MAX_PAGE))
    rows = _rows(connection, query.limit(limit + 1))
    page = rows[:limit]
    return page, f"{int(page[-1][moment])}.{page[-1][name]}" if len(rows) > limit else None


def _mappings(connection: Connection, query: Any) -> Sequence[Any]:
    return connection.execute(query).mappings().all()


def _rows(connection: Connection, query: Any) -> list[Row]:
    return [dict(row) for row in _mappings(connection, query)]
