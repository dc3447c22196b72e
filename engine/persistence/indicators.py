"""The figures that are made off the trade path: what the indicators worker reads and writes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, case, func, select

from engine.persistence.bulk import chunks, select_by_keys, update_rows
from engine.persistence.trading import BALANCES, TOKENS, TRADES, lock_tokens
from engine.units import BPS_PER_ONE

Row = dict[str, Any]

FIGURES: Final = (
    "volume_24h_lamports",
    "traders_24h",
    "price_5m_ago",
    "price_1h_ago",
    "price_6h_ago",
    "price_24h_ago",
    "top_ten_bps",
    "creator_bps",
)
TOP: Final = 10

_TAPE: Final = (TRADES.c.token, TRADES.c.seq, TRADES.c.account_id, TRADES.c.lamports, TRADES.c.price)
_AT_ONCE: Final = 50_000


class Shares(NamedTuple):
    """What of a token's total supply its ten largest holders have together, and its creator; floored."""

    top_ten_bps: int
    creator_bps: int


def standing(connection: Connection) -> list[Row]:
    """Every token that was ever traded: where it stands, and the figures that are written of it."""
    columns = ("address", "seq", "price", "last_trade_at_ms", *FIGURES)
    query = select(*(TOKENS.c[name] for name in columns)).where(TOKENS.c.last_trade_at_ms > 0)
    return [dict(row) for row in connection.execute(query).mappings()]


def tape_since(connection: Connection, at_ms: int) -> Iterator[list[Row]]:
    """Every trade after that moment, in parts. Reads the whole table: once, when a worker starts."""
    query = (
        select(*_TAPE, TRADES.c.executed_at_ms)
        .join(TOKENS, TOKENS.c.address == TRADES.c.token)
        .where(TOKENS.c.last_trade_at_ms > at_ms, TRADES.c.executed_at_ms > at_ms)
        .execution_options(yield_per=_AT_ONCE)
    )
    for part in connection.execute(query).mappings().partitions(_AT_ONCE):
        yield [dict(row) for row in part]


def trades_at(connection: Connection, numbers: Iterable[tuple[str, int]]) -> list[Row]:
    """The trades with these numbers (token and `seq`); other movements have numbers too, and are not in the answer."""
    return select_by_keys(connection, TRADES, ("token", "seq"), numbers)


def shares(connection: Connection, tokens: Sequence[str]) -> dict[str, Shares]:
    """Of each of these tokens that somebody holds."""
    found: dict[str, Shares] = {}
    for part in chunks(tokens):
        place = func.row_number().over(partition_by=BALANCES.c.asset, order_by=BALANCES.c.amount.desc())
        held = (
            select(BALANCES.c.asset, BALANCES.c.account_id, BALANCES.c.amount, place.label("place"))
            .where(BALANCES.c.asset.in_(part), BALANCES.c.amount > 0)
            .subquery()
        )
        query = (
            select(
                TOKENS.c.address,
                TOKENS.c.total_supply,
                func.sum(case((held.c.place <= TOP, held.c.amount), else_=0)).label("of_top"),
                func.sum(case((held.c.account_id == TOKENS.c.creator, held.c.amount), else_=0)).label("of_creator"),
            )
            .join(TOKENS, TOKENS.c.address == held.c.asset)
            .group_by(TOKENS.c.address, TOKENS.c.total_supply)
        )
        for row in connection.execute(query):
            top, creator = (int(each) * BPS_PER_ONE // row.total_supply for each in (row.of_top, row.of_creator))
            found[row.address] = Shares(top, creator)
    return found


def write(connection: Connection, rows: Sequence[Row], now_ms: int) -> None:
    """Set the figures of these tokens, each with its `address`, as measured at that moment.

    The rows are locked in the order in which everybody locks them.
    """
    lock_tokens(connection, (row["address"] for row in rows))
    measured = [row | {"measured_at_ms": now_ms} for row in rows]
    update_rows(connection, TOKENS, ("address",), (*FIGURES, "measured_at_ms"), measured)
