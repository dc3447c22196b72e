"""What a replay reads and writes: the immutable rows, copied table by table, and the state that they must lead to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, func, select

from engine.persistence.bulk import chunks, insert_rows, update_rows
from engine.persistence.trading import ACCOUNTS, BALANCES, CANDLES, SETTLEMENTS, TOKENS, TRADES, TRANSFERS

Row = dict[str, Any]

TOKEN_STATE: Final = (
    "seq",
    "supply",
    "reserve_lamports",
    "creator_fees_lamports",
    "platform_fees_lamports",
    "price",
    "market_cap_lamports",
    "liquidity_lamports",
    "holders",
    "last_trade_at_ms",
    "graduated_at_ms",
)
"""What movements change in a token's row. The stage is the chain's to say, and the volume of 24 hours the clock's."""

_AT_ONCE: Final = 5_000


def is_empty(connection: Connection) -> bool:
    """Whether nothing of a ledger is in this database."""
    return all(connection.execute(select(func.count()).select_from(each)).scalar() == 0 for each in (ACCOUNTS, TOKENS))


def copy_facts(source: Connection, target: Connection, kinds: Sequence[str]) -> dict[str, int]:
    """Copy who and what there is, and every immutable row: accounts, tokens without their state, trades, transfers.

    Of the settlements only those of these kinds, which move a token's row. Returns how many rows of each table.
    """
    wanted = {
        ACCOUNTS: select(ACCOUNTS),
        TOKENS: select(TOKENS),
        TRADES: select(TRADES),
        TRANSFERS: select(TRANSFERS),
        SETTLEMENTS: select(SETTLEMENTS).where(SETTLEMENTS.c.kind.in_(kinds)),
    }
    counts: dict[str, int] = {}
    for table, statement in wanted.items():
        rows = source.execute(statement.execution_options(yield_per=_AT_ONCE)).mappings()
        counts[table.name] = 0
        for part in rows.partitions(_AT_ONCE):
            insert_rows(target, table, [_without_state(table, dict(row)) for row in part])
            counts[table.name] += len(part)
    return counts


def _without_state(table: Table, row: Row) -> Row:
    return row | dict.fromkeys(TOKEN_STATE, 0) if table is TOKENS else row


def tokens(connection: Connection) -> list[Row]:
    """Every token."""
    return [dict(row) for row in connection.execute(select(TOKENS).order_by(TOKENS.c.address)).mappings()]


def token_movements(connection: Connection, token: str) -> tuple[list[Row], dict[str, int]]:
    """A token's trades and other movements, and the surpluses of its graduation by settlement."""
    trades = select(TRADES).where(TRADES.c.token == token)
    others = select(SETTLEMENTS).where(SETTLEMENTS.c.token == token)
    surplus = select(TRANSFERS.c.settlement_id, TRANSFERS.c.amount).where(
        TRANSFERS.c.account_id.is_(None), TRANSFERS.c.kind == "surplus", TRANSFERS.c.token == token
    )
    rows = [dict(row) for statement in (trades, others) for row in connection.execute(statement).mappings()]
    return rows, {row.settlement_id: row.amount for row in connection.execute(surplus)}


def movements_by_account(connection: Connection) -> Iterator[tuple[str, list[Row]]]:
    """Every account with its trades and transfers."""
    ids = list(connection.execute(select(ACCOUNTS.c.account_id).order_by(ACCOUNTS.c.account_id)).scalars())
    for part in chunks(ids):
        found: dict[str, list[Row]] = {account_id: [] for account_id in part}
        for table in (TRADES, TRANSFERS):
            statement = select(table).where(table.c.account_id.in_(part))
            for row in connection.execute(statement).mappings():
                found[row["account_id"]].append(dict(row))
        yield from found.items()


def write_balances(connection: Connection, rows: Sequence[Row]) -> None:
    """Insert balances."""
    insert_rows(connection, BALANCES, rows)


def write_tokens(connection: Connection, rows: Sequence[Row]) -> None:
    """Write the tokens' state."""
    update_rows(connection, TOKENS, ("address",), TOKEN_STATE, rows)


def write_candles(connection: Connection, rows: Sequence[Row]) -> None:
    """Insert candles."""
    insert_rows(connection, CANDLES, rows)


def state(connection: Connection) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The state row by row: its name, and its figures.

    A balance of nothing is none, unless it is SOL: a closed token account leaves no row.
    """
    for row in connection.execute(select(BALANCES).order_by(BALANCES.c.account_id, BALANCES.c.asset)):
        if row.amount or row.account_seq:
            yield f"balance {row.account_id} {row.asset}", {"amount": row.amount, "account_seq": row.account_seq}
    for token in tokens(connection):
        yield f"token {token['address']}", {name: token[name] for name in TOKEN_STATE}
    for candle in connection.execute(select(CANDLES).order_by(CANDLES.c.token, CANDLES.c.bucket_ms)).mappings():
        figures = {name: value for name, value in candle.items() if name not in ("token", "bucket_ms")}
        yield f"candle {candle['token']} {candle['bucket_ms']}", figures
