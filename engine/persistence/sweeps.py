"""Sweeps' statements: one operator's proposal, another's confirmation, and the movement that follows from both."""

from typing import Any

from sqlalchemy import Connection, insert, select, update

from engine.persistence.bulk import insert_rows, update_rows
from engine.persistence.tables import SweepRow, table
from engine.persistence.trading import SETTLEMENTS, TOKENS, TRANSFERS
from engine.trading.rows import Row

_SWEEPS = table(SweepRow)
_SWEPT = ("seq", "platform_fees_lamports", "updated_at_ms")


def propose(connection: Connection, sweep: Row) -> None:
    """Keep a proposal."""
    connection.execute(insert(_SWEEPS), [sweep])


def one(connection: Connection, sweep_id: str) -> Row | None:
    """The sweep's row, None for none."""
    row = connection.execute(select(_SWEEPS).where(_SWEEPS.c.sweep_id == sweep_id)).mappings().first()
    return None if row is None else dict(row)


def open_sweeps(connection: Connection) -> list[dict[str, Any]]:
    """The proposals that nobody has confirmed, oldest first."""
    statement = select(_SWEEPS).where(_SWEEPS.c.confirmed_at_ms == 0)
    return [dict(row) for row in connection.execute(statement.order_by(_SWEEPS.c.proposed_at_ms)).mappings()]


def confirm(connection: Connection, sweep_id: str, operator: str, now_ms: int) -> bool:
    """Confirm a proposal; False when it is confirmed already."""
    statement = (
        update(_SWEEPS)
        .where(_SWEEPS.c.sweep_id == sweep_id, _SWEEPS.c.confirmed_at_ms == 0)
        .values(confirmed_by=operator, confirmed_at_ms=now_ms)
    )
    return connection.execute(statement).rowcount == 1


def book(connection: Connection, token: Row, transfer: Row, settlement: Row) -> None:
    """The vault owes the platform so much less, and a settlement will bring it to the treasury."""
    update_rows(connection, TOKENS, ("address",), _SWEPT, [token])
    insert_rows(connection, TRANSFERS, [transfer])
    insert_rows(connection, SETTLEMENTS, [settlement])
