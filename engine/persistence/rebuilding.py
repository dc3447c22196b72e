"""What the rebuild of the ledger reads: every row that moved balances, and the balances as they stand."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from engine.persistence.bulk import chunks
from engine.persistence.trading import BALANCES, TRADES, TRANSFERS


def account_movements(connection: Connection, account_ids: Iterable[str]) -> tuple[list[Any], list[Any]]:
    """Everything that ever moved these accounts' balances: their trades and their transfers, as bare rows."""
    trades: list[Any] = []
    transfers: list[Any] = []
    for part in chunks(list(account_ids)):
        columns = ("account_id", "account_seq", "token", "side", "lamports", "tokens")
        statement = select(*(TRADES.c[name] for name in columns)).where(TRADES.c.account_id.in_(part))
        trades.extend(connection.execute(statement))
        columns = ("account_id", "account_seq", "asset", "amount", "kind", "created_at_ms")
        statement = select(*(TRANSFERS.c[name] for name in columns)).where(TRANSFERS.c.account_id.in_(part))
        transfers.extend(connection.execute(statement))
    return trades, transfers


def account_balances(connection: Connection) -> list[Any]:
    """Every balance as a bare row: account, asset, amount, `account_seq` (0 but on SOL)."""
    columns = (BALANCES.c.account_id, BALANCES.c.asset, BALANCES.c.amount, BALANCES.c.account_seq)
    return list(connection.execute(select(*columns)))
