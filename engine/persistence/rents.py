"""The statements of token accounts' rent: what was left of it when a settlement landed."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from engine.persistence.bulk import chunks, insert_rows, update_rows
from engine.persistence.trading import BALANCE_STATE, BALANCES, TRANSFERS
from engine.trading.rows import Row


def booked(connection: Connection, transfer_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """What these transfers booked, by settlement: who has it, and lamports over all its attempts."""
    found: dict[str, tuple[str, int]] = {}
    columns = TRANSFERS.c.settlement_id, TRANSFERS.c.address, TRANSFERS.c.amount
    for part in chunks(transfer_ids):
        for name, address, lamports in connection.execute(select(*columns).where(TRANSFERS.c.transfer_id.in_(part))):
            found[name] = address, lamports + found.get(name, ("", 0))[1]
    return found


def write(connection: Connection, transfers: Sequence[Row], balances: Sequence[Row]) -> None:
    """Write the transfers and the SOL balances they changed."""
    insert_rows(connection, TRANSFERS, transfers)
    update_rows(connection, BALANCES, ("account_id", "asset"), BALANCE_STATE, balances)
