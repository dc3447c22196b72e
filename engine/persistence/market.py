"""What the market looks like, read from the database: tokens and trades as the API and the hub say them.

Portable read queries over one `Connection`; two of them in one `Database.read` are of one moment. Amounts and prices
are decimal strings (lamports, base units, 10^-15 SOL per whole token), times epoch milliseconds, null where not yet.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, RowMapping, Select, and_, func, or_, select

from engine.curve import POOL_INPUT_FEE_BPS, POOL_TRADE_FEE_BPS, PowerCurve, Rounding
from engine.persistence.paging import MAX_PAGE, read_cursor
from engine.persistence.tables import TokenRow, TradeRow, table
from engine.trading.events import figures, indicators_json, trade_json

ON_CURVE: Final = "curve"
GRADUATED: Final = ["graduating", "graduated"]
GRADUATING_PERCENT: Final = 50
"""Raised share from which a token counts as about to graduate."""

PROGRESS_SCALE: Final = 10**9

_CURSOR = re.compile(r"([0-9]{1,19})\.([1-9A-HJ-NP-Za-km-z]{32,44})\Z")


_TOKENS, _TRADES = table(TokenRow), table(TradeRow)


class Column(StrEnum):
    """The board's columns."""

    NEW = "new"
    GRADUATING = "graduating"
    GRADUATED = "graduated"


class Wanted(NamedTuple):
    """What a token must have to be listed; of the SOL it needs, only while it is on its curve."""

    market_cap_lamports: int = 0
    holders: int = 0
    raised_percent: int = 0
    people: bool = False
    """Launched by somebody who does not say of itself that it is a program."""


ANY: Final = Wanted()


def token(connection: Connection, address: str) -> dict[str, Any] | None:
    """One token whatever its stage, or None. `price` is null before its first trade."""
    row = connection.execute(select(_TOKENS).where(_TOKENS.c.address == address)).mappings().first()
    return None if row is None else token_json(row)


def tokens(
    connection: Connection, column: Column, limit: int, cursor: str | None = None, wanted: Wanted = ANY
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of a board column and the cursor of the next one, None at the end; at most 200 tokens.

    New: on the curve, newest first. Graduating: on the curve with at least half of their SOL raised, the largest
    share first. Graduated: newest graduation first. Tokens that are launching, failed or hidden are in none. With a
    share of SOL wanted, a page may hold less than its limit and yet have a next one.

    Raises:
        InvalidCursor: the cursor is not one of ours.
    """
    limit = max(1, min(limit, MAX_PAGE))
    if column is Column.GRADUATING:
        return _graduating(connection, limit, cursor, wanted)
    if column is Column.NEW:
        stages, moment = [ON_CURVE], _TOKENS.c.created_at_ms
    else:
        stages, moment = GRADUATED, _TOKENS.c.graduated_at_ms
    query = _listed(wanted).where(_TOKENS.c.stage.in_(stages))
    if cursor is not None:
        at_ms, address = read_cursor(_CURSOR, cursor)
        query = query.where(or_(moment < at_ms, and_(moment == at_ms, _TOKENS.c.address < address)))
    query = query.order_by(moment.desc(), _TOKENS.c.address.desc()).limit(limit + 1)
    rows = connection.execute(query).mappings().all()
    page = [token_json(row) for row in rows[:limit] if _has_raised(row, wanted)]
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


def newest(
    connection: Connection, address: str, limit: int
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]] | None:
    """One token, its newest trades as `trades` says them, and their rows, newest first, in one statement; None if there
    is no such token. With less than `limit` rows, these are all.
    """
    last = _newest_trades(address).limit(limit).subquery()
    place = func.row_number().over(order_by=last.c.seq.desc())
    tape = select(*(each.label(f"trade_{each.name}") for each in last.c), place.label("place")).subquery()
    query = select(tape, _TOKENS).join_from(
        tape, _TOKENS, and_(tape.c.trade_token == _TOKENS.c.address, tape.c.place == 1), isouter=True
    )
    found = connection.execute(query.order_by(tape.c.trade_seq.desc())).mappings().all()
    if not found:
        untraded = token(connection, address)
        return None if untraded is None else (untraded, [], [])
    rows = [{each.name: row[f"trade_{each.name}"] for each in _TRADES.c} for row in found]
    earlier = [row["price"] for row in rows[1:]] + [0]
    shown = rows if len(rows) < limit else rows[:-1]  # what the price was before the oldest is not known
    said = [trade_json(row, price, found[0]["creator"]) for row, price in zip(shown, earlier, strict=False)]
    return token_json(found[0]), said, rows


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


def _listed(wanted: Wanted) -> Select[Any]:
    """The tokens that boards show, but for the share they have raised, which depends on each one's own curve."""
    query = select(_TOKENS).where(
        _TOKENS.c.hidden == 0,
        _TOKENS.c.market_cap_lamports >= wanted.market_cap_lamports,
        _TOKENS.c.holders >= wanted.holders,
    )
    return query.where(_TOKENS.c.simulated == 0) if wanted.people else query


def _has_raised(row: RowMapping, wanted: Wanted) -> bool:
    return row["stage"] != ON_CURVE or _progress(row) * 100 >= wanted.raised_percent * PROGRESS_SCALE


def _graduating(
    connection: Connection, limit: int, cursor: str | None, wanted: Wanted
) -> tuple[list[dict[str, Any]], str | None]:
    """By raised share, which depends on each token's own curve: SQL narrows, this sorts.

    On any curve half of the SOL needs at least half of the supply, so the condition loses none.
    """
    query = _listed(wanted).where(
        _TOKENS.c.stage == ON_CURVE,
        _TOKENS.c.supply >= _TOKENS.c.curve_supply - _TOKENS.c.supply,
    )
    rows = connection.execute(query).mappings().all()
    ranked = sorted(((_progress(row), row["address"], row) for row in rows), key=lambda entry: entry[:2], reverse=True)
    least = max(GRADUATING_PERCENT, wanted.raised_percent) * PROGRESS_SCALE
    ranked = [entry for entry in ranked if entry[0] * 100 >= least]
    if cursor is not None:
        after = read_cursor(_CURSOR, cursor)
        ranked = [entry for entry in ranked if entry[:2] < after]
    page = [token_json(row) for _, _, row in ranked[:limit]]
    if len(ranked) <= limit:
        return page, None
    progress, address, _ = ranked[limit - 1]
    return page, f"{progress}.{address}"


def _progress(row: RowMapping) -> int:
    """Raised share of the SOL the curve needs, in 10^-9, floored."""
    needed = raise_lamports(row["k"], row["n"], row["decimals"], row["curve_supply"])
    return min(int(row["reserve_lamports"]), needed) * PROGRESS_SCALE // needed


def _newest_trades(address: str) -> Select[Any]:
    return select(_TRADES).where(_TRADES.c.token == address).order_by(_TRADES.c.seq.desc())


def token_json(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A token's row as the API says it."""
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
        "held": bool(row["held"]),
        "failure": row["failure"],
        "seq": row["seq"],
        "created_at_ms": row["created_at_ms"],
        "tradable_at_ms": row["tradable_at_ms"] or None,
        "graduated_at_ms": row["graduated_at_ms"] or None,
        "last_trade_at_ms": row["last_trade_at_ms"] or None,
        "price": str(row["price"]) if row["last_trade_at_ms"] else None,
        **figures(row),
        **indicators_json(row),
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
