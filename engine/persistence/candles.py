"""Candles read from the database: a page of history, and the newest of every interval for a hub.

Minutes are stored; longer candles are put together from them by the database, shorter ones from trades. Portable
read queries over one `Connection`. The rule by which trades become candles stands in `engine.indicators.candles`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, Subquery, func, literal, select, union_all

from engine.indicators.candles import MINUTE_MS, Candle, Interval, Tick, bucket_of, fold
from engine.persistence.tables import CandleRow, TradeRow, table

MAX_CANDLES: Final = 1_000
TRADES_FOR_CANDLES: Final = 5_000
"""How many trades back one page of candles shorter than a minute reaches, at most, if it holds one candle then."""

TRADES_PER_READ: Final = 500

_TRADES, _CANDLES = table(TradeRow), table(CandleRow)


class Page(NamedTuple):
    """Candles, oldest first, and where the page before them ends: None at the beginning of the history."""

    candles: list[Candle]
    before_ms: int | None


def end_of(interval: Interval, before_ms: int) -> int:
    """Where a page that was asked for with `before_ms` ends: at a whole bucket, else it would show one cut in two."""
    return bucket_of(max(before_ms, 0) + interval.ms - 1, interval.ms)


def page(connection: Connection, address: str, interval: Interval, limit: int, before_ms: int | None = None) -> Page:
    """The newest candles that begin before that moment, at most 1,000. A candle exists only where a trade was."""
    limit = max(1, min(limit, MAX_CANDLES))
    until_ms = None if before_ms is None else end_of(interval, before_ms)
    if interval.ms < MINUTE_MS:
        return _from_trades(connection, address, interval, limit, until_ms)
    rows = connection.execute(_from_minutes(address, interval, limit + 1, until_ms)).all()
    found = sorted(_candle(row) for row in rows)
    candles = found[-limit:]
    return Page(candles, candles[0].bucket_ms if len(found) > limit else None)


def newest(
    connection: Connection, address: str, trades: Sequence[Mapping[str, Any]], whole: bool, count: int
) -> dict[Interval, list[Candle]]:
    """The newest `count` candles of every interval, oldest first, in one statement.

    `trades` are the token's newest, newest first, `whole` says that there are no older ones. Seconds are made of these;
    where so much was traded that they hold no whole candle, they are read like a page.
    """
    found: dict[Interval, list[Candle]] = {interval: [] for interval in Interval}
    if not trades:
        return found
    for interval in Interval:
        if interval.ms < MINUTE_MS:
            candles = _fold(trades, interval, whole)[-count:]
            found[interval] = candles or page(connection, address, interval, count).candles
    of_length = {interval.ms: interval for interval in Interval if interval.ms >= MINUTE_MS}
    parts = [_from_minutes(address, interval, count, None) for interval in of_length.values()]
    for row in connection.execute(union_all(*parts)):
        found[of_length[row.length_ms]].append(_candle(row))
    return {interval: sorted(candles)[-count:] for interval, candles in found.items()}


def _from_minutes(address: str, interval: Interval, limit: int, until_ms: int | None) -> Select[Any]:
    """At least the newest `limit` candles of the interval, whole, and perhaps one older one that is not."""
    minutes = _minutes(address, limit * (interval.ms // MINUTE_MS), until_ms)
    start = (minutes.c.bucket_ms - minutes.c.bucket_ms % interval.ms).label("start_ms")
    begun = select(minutes, start).subquery()
    spans = (
        select(
            begun.c.start_ms,
            func.min(begun.c.bucket_ms).label("first_ms"),
            func.max(begun.c.bucket_ms).label("last_ms"),
            func.max(begun.c.high_price).label("high_price"),
            func.min(begun.c.low_price).label("low_price"),
            func.sum(begun.c.volume_lamports).label("volume_lamports"),
            func.sum(begun.c.trades).label("trades"),
        )
        .group_by(begun.c.start_ms)
        .subquery()
    )
    first, last = _CANDLES.alias(), _CANDLES.alias()
    return (
        select(
            literal(interval.ms).label("length_ms"),
            spans.c.start_ms,
            first.c.open_price,
            spans.c.high_price,
            spans.c.low_price,
            last.c.close_price,
            spans.c.volume_lamports,
            spans.c.trades,
        )
        .join(first, (first.c.token == address) & (first.c.bucket_ms == spans.c.first_ms))
        .join(last, (last.c.token == address) & (last.c.bucket_ms == spans.c.last_ms))
    )


def _minutes(address: str, limit: int, until_ms: int | None) -> Subquery:
    query = select(_CANDLES).where(_CANDLES.c.token == address)
    if until_ms is not None:
        query = query.where(_CANDLES.c.bucket_ms < until_ms)
    return query.order_by(_CANDLES.c.bucket_ms.desc()).limit(limit).subquery()


def _candle(row: Any) -> Candle:
    """A row of `_from_minutes`; sums come as decimals from some databases."""
    _, start_ms, opened, high, low, closed, volume_lamports, trades = row
    return Candle(int(start_ms), opened, high, low, closed, int(volume_lamports), int(trades))


def _from_trades(connection: Connection, address: str, interval: Interval, limit: int, until_ms: int | None) -> Page:
    """Read trades backwards until they fill `limit` whole buckets, come to their end, or to the end of the reach."""
    newest_first: list[Mapping[Any, Any]] = []
    while True:
        query = select(_TRADES).where(_TRADES.c.token == address)
        if until_ms is not None:
            query = query.where(_TRADES.c.executed_at_ms < until_ms)
        if newest_first:
            query = query.where(_TRADES.c.seq < newest_first[-1]["seq"])
        query = query.order_by(_TRADES.c.seq.desc()).limit(TRADES_PER_READ)
        read = connection.execute(query).mappings().all()
        newest_first += read
        whole = len(read) < TRADES_PER_READ
        buckets = len({bucket_of(row["executed_at_ms"], interval.ms) for row in newest_first})
        if whole or buckets > limit or (buckets > 1 and len(newest_first) >= TRADES_FOR_CANDLES):
            break
    found = _fold(newest_first, interval, whole)
    candles = found[-limit:]
    return Page(candles, None if whole and len(found) <= limit else candles[0].bucket_ms)


def _fold(newest_first: Sequence[Mapping[Any, Any]], interval: Interval, whole: bool) -> list[Candle]:
    """Candles of trades; the oldest bucket may lack some where older trades were not read, and is left out."""
    rows = newest_first[::-1]
    ticks = [
        Tick(row["executed_at_ms"], rows[index - 1]["price"] if index else 0, row["price"], row["lamports"])
        for index, row in enumerate(rows)
    ]
    return fold(ticks, interval.ms)[0 if whole else 1 :]


def candle_json(candle: Candle) -> dict[str, Any]:
    """`t` epoch ms of the bucket; `o h l c` prices, `v` lamports as strings; `n` trades."""
    return {
        "t": candle.bucket_ms,
        "o": str(candle.open_price),
        "h": str(candle.high_price),
        "l": str(candle.low_price),
        "c": str(candle.close_price),
        "v": str(candle.volume_lamports),
        "n": candle.trades,
    }
