"""What the market looks like, read from the database: tokens, trades and candles as the API and the hub say them.

Portable read queries over one `Connection`; two of them in one `Database.read` are of one moment. Amounts and prices
are decimal strings (lamports, base units, 10^-15 SOL per whole token), times epoch milliseconds, null where not yet.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, and_, or_, select

from engine.curve import POOL_INPUT_FEE_BPS, POOL_TRADE_FEE_BPS, PowerCurve, Rounding
from engine.errors import Refusal
from engine.indicators.candles import MINUTE_MS, Candle, Interval, Tick, bucket_of, fold, resample
from engine.persistence.tables import CandleRow, TokenRow, TradeRow, table
from engine.trading.events import figures, trade_json
from engine.units import MAX_AMOUNT

ON_CURVE: Final = "curve"
GRADUATED: Final = ["graduating", "graduated"]
GRADUATING_PERCENT: Final = 50
"""Raised share from which a token counts as about to graduate."""

PROGRESS_SCALE: Final = 10**9
MAX_PAGE: Final = 200
MAX_CANDLES: Final = 1_000
TRADES_FOR_CANDLES: Final = 5_000
"""How many trades back candles shorter than a minute reach, at most."""

TRADES_PER_READ: Final = 500

_CURSOR = re.compile(r"([0-9]{1,19})\.([1-9A-HJ-NP-Za-km-z]{32,44})\Z")


_TOKENS, _TRADES, _CANDLES = table(TokenRow), table(TradeRow), table(CandleRow)


class InvalidCursor(Refusal):
    """A page cursor that none of our answers contained."""

    code = "invalid_cursor"
    status = 422


class Column(StrEnum):
    """The board's columns."""

    NEW = "new"
    GRADUATING = "graduating"
    GRADUATED = "graduated"


def token(connection: Connection, address: str) -> dict[str, Any] | None:
    """One token whatever its stage, or None. `price` is null before its first trade."""
    row = connection.execute(select(_TOKENS).where(_TOKENS.c.address == address)).mappings().first()
    return None if row is None else _token_json(row)


def tokens(
    connection: Connection, column: Column, limit: int, cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of a board column and the cursor of the next one, None at the end; at most 200 tokens.

    New: on the curve, newest first. Graduating: on the curve with at least half of their SOL raised, the largest
    share first. Graduated: newest graduation first. Tokens that are launching or failed are in none.

    Raises:
        InvalidCursor: the cursor is not one of ours.
    """
    limit = max(1, min(limit, MAX_PAGE))
    if column is Column.GRADUATING:
        return _graduating(connection, limit, cursor)
    if column is Column.NEW:
        stages, moment = [ON_CURVE], _TOKENS.c.created_at_ms
    else:
        stages, moment = GRADUATED, _TOKENS.c.graduated_at_ms
    query = select(_TOKENS).where(_TOKENS.c.stage.in_(stages))
    if cursor is not None:
        at_ms, address = _read_cursor(cursor)
        query = query.where(or_(moment < at_ms, and_(moment == at_ms, _TOKENS.c.address < address)))
    query = query.order_by(moment.desc(), _TOKENS.c.address.desc()).limit(limit + 1)
    rows = connection.execute(query).mappings().all()
    page = [_token_json(row) for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return page, None if last is None else f"{last[moment.name]}.{last['address']}"


def trades(connection: Connection, address: str, limit: int, before_seq: int | None = None) -> list[dict[str, Any]]:
    """The token's trades before that `seq`, newest first, at most 200: the keys of the `trade` event.

    The headline figures, which a trade event carries too, are the token's and not in here.
    """
    limit = max(1, min(limit, MAX_PAGE))
    query = _newest_trades(address).add_columns(_TOKENS.c.creator)
    query = query.outerjoin(_TOKENS, _TOKENS.c.address == _TRADES.c.token)
    if before_seq is not None:
        query = query.where(_TRADES.c.seq < before_seq)
    rows = connection.execute(query.limit(limit + 1)).mappings().all()
    earlier = [row["price"] for row in rows[1:]] + [0]
    return [trade_json(row, price, row["creator"]) for row, price in zip(rows[:limit], earlier, strict=False)]


def candles(
    connection: Connection, address: str, interval: Interval, limit: int, before_ms: int | None = None
) -> list[dict[str, Any]]:
    """The newest candles that begin before that moment, oldest first, at most 1,000, as `candle_json` says them.

    A candle exists only where a trade was (the whole rule: `engine.indicators.candles`). Candles shorter than a minute
    are built from at most the newest 5,000 trades before that moment; a client that follows the `candles` channel
    continues the last one.
    """
    return [candle_json(candle) for candle in candle_history(connection, address, interval, limit, before_ms)]


def candle_history(
    connection: Connection, address: str, interval: Interval, limit: int, before_ms: int | None = None
) -> list[Candle]:
    """`candles` as values."""
    limit = max(1, min(limit, MAX_CANDLES))
    # Only whole buckets: a page that ended inside one would show it twice, differently.
    until_ms = None if before_ms is None else bucket_of(max(before_ms, 0) + interval.ms - 1, interval.ms)
    if interval.ms < MINUTE_MS:
        return _from_trades(connection, address, interval, limit, until_ms)
    query = select(_CANDLES).where(_CANDLES.c.token == address)
    if until_ms is not None:
        query = query.where(_CANDLES.c.bucket_ms < until_ms)
    query = query.order_by(_CANDLES.c.bucket_ms.desc()).limit(limit * (interval.ms // MINUTE_MS))
    minutes = [
        Candle(
            row["bucket_ms"],
            row["open_price"],
            row["high_price"],
            row["low_price"],
            row["close_price"],
            row["volume_lamports"],
            row["trades"],
        )
        for row in reversed(connection.execute(query).mappings().all())
    ]
    # Rows cut off by the limit can only belong to buckets older than the last `limit` ones.
    return (minutes if interval is Interval.M1 else resample(minutes, interval.ms))[-limit:]


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


def changed_since(connection: Connection, at_ms: int) -> list[tuple[str, int]]:
    """Tokens written at or after that moment, and their `seq`: how a hub finds events the bus has lost."""
    query = select(_TOKENS.c.address, _TOKENS.c.seq).where(_TOKENS.c.updated_at_ms >= at_ms)
    return [(row.address, row.seq) for row in connection.execute(query)]


@lru_cache(maxsize=4096)
def graduation_price(k: str, n: int, decimals: int, curve_supply: int) -> int:
    """The price where the curve ends and the pool begins, in 10^-15 SOL per whole token."""
    return PowerCurve(k=Fraction(k), n=n, decimals=decimals).spot_price_units(curve_supply)


@lru_cache(maxsize=4096)
def raise_lamports(k: str, n: int, decimals: int, curve_supply: int) -> int:
    """Lamports the whole curve raises, fees apart; with them the pool opens."""
    return PowerCurve(k=Fraction(k), n=n, decimals=decimals).cost(0, curve_supply, Rounding.UP)


def _graduating(connection: Connection, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """By raised share, which depends on each token's own curve: SQL narrows, this sorts.

    On any curve half of the SOL needs at least half of the supply, so the condition loses none.
    """
    query = select(_TOKENS).where(
        _TOKENS.c.stage == ON_CURVE, _TOKENS.c.supply >= _TOKENS.c.curve_supply - _TOKENS.c.supply
    )
    rows = connection.execute(query).mappings().all()
    ranked = sorted(((_progress(row), row["address"], row) for row in rows), key=lambda entry: entry[:2], reverse=True)
    ranked = [entry for entry in ranked if entry[0] * 100 >= GRADUATING_PERCENT * PROGRESS_SCALE]
    if cursor is not None:
        after = _read_cursor(cursor)
        ranked = [entry for entry in ranked if entry[:2] < after]
    page = [_token_json(row) for _, _, row in ranked[:limit]]
    if len(ranked) <= limit:
        return page, None
    progress, address, _ = ranked[limit - 1]
    return page, f"{progress}.{address}"


def _progress(row: RowMapping) -> int:
    """Raised share of the SOL the curve needs, in 10^-9, floored."""
    needed = raise_lamports(row["k"], row["n"], row["decimals"], row["curve_supply"])
    return min(int(row["reserve_lamports"]), needed) * PROGRESS_SCALE // needed


def _read_cursor(cursor: str) -> tuple[int, str]:
    match = _CURSOR.match(cursor)
    if match is None or int(match[1]) > MAX_AMOUNT:
        raise InvalidCursor("This cursor is not one of ours; start again without it.")
    return int(match[1]), match[2]


def _newest_trades(address: str) -> Select[Any]:
    return select(_TRADES).where(_TRADES.c.token == address).order_by(_TRADES.c.seq.desc())


def _from_trades(
    connection: Connection, address: str, interval: Interval, limit: int, until_ms: int | None
) -> list[Candle]:
    """Read trades backwards until they fill `limit` whole buckets, come to their end, or to the end of the reach."""
    newest_first: list[RowMapping] = []
    whole = False
    while not whole and len(newest_first) < TRADES_FOR_CANDLES:
        query = _newest_trades(address)
        if until_ms is not None:
            query = query.where(_TRADES.c.executed_at_ms < until_ms)
        if newest_first:
            query = query.where(_TRADES.c.seq < newest_first[-1]["seq"])
        page = connection.execute(query.limit(TRADES_PER_READ)).mappings().all()
        newest_first += page
        whole = len(page) < TRADES_PER_READ
        if len({bucket_of(row["executed_at_ms"], interval.ms) for row in newest_first}) > limit:
            break
    rows = newest_first[::-1]
    ticks = [
        Tick(row["executed_at_ms"], rows[index - 1]["price"] if index else 0, row["price"], row["lamports"])
        for index, row in enumerate(rows)
    ]
    # The oldest bucket may lack trades when reading stopped before the first one: it is left out.
    return fold(ticks, interval.ms)[0 if whole else 1 :][-limit:]


def _token_json(row: Mapping[Any, Any]) -> dict[str, Any]:
    terms = (row["k"], row["n"], row["decimals"], row["curve_supply"])
    return {
        "address": row["address"],
        "name": row["name"],
        "symbol": row["symbol"],
        "description": row["description"],
        "image": None if row["image"] is None else f"/api/images/{row['image']}",
        "uri": row["uri"],
        "creator": row["creator"],
        "vault": row["vault"],
        "simulated": bool(row["simulated"]),
        "paused": bool(row["paused"]),
        "failure": row["failure"],
        "seq": row["seq"],
        "created_at_ms": row["created_at_ms"],
        "tradable_at_ms": row["tradable_at_ms"] or None,
        "graduated_at_ms": row["graduated_at_ms"] or None,
        "last_trade_at_ms": row["last_trade_at_ms"] or None,
        "price": str(row["price"]) if row["last_trade_at_ms"] else None,
        **figures(row),
        "decimals": row["decimals"],
        "total_supply": str(row["total_supply"]),
        "curve_supply": str(row["curve_supply"]),
        "raise_lamports": str(raise_lamports(*terms)),
        "graduation_price": str(graduation_price(*terms)),
        "fee_bps": row["fee_bps"],
        "minimum_buy_lamports": str(row["minimum_buy_lamports"]),
        "pool_fee_bps": POOL_INPUT_FEE_BPS,
        "pool_trade_fee_bps": POOL_TRADE_FEE_BPS,
        "opening_fee_bps": row["opening_fee_bps"],
        "opening_fee_ms": row["opening_fee_ms"],
        "opening_cap_tokens": str(row["opening_cap_tokens"]) if row["opening_cap_ms"] else None,
        "opening_cap_ms": row["opening_cap_ms"],
    }
