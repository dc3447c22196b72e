"""What the engine room asks the database beside what is counted anyway: which tokens are held, and names."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from engine.persistence.bulk import chunks
from engine.persistence.tables import AuditRow, table
from engine.persistence.trading import TOKENS

_LOG: Final = table(AuditRow)


class Held(NamedTuple):
    """A token whose orders wait; since when is on record only where an operator has held it."""

    symbol: str
    since_ms: int | None


def held(connection: Connection, hold_action: str) -> dict[str, Held]:
    """Held tokens by address; `hold_action` is how the audit log calls an operator's hold."""
    holds = select(func.max(_LOG.c.at_ms)).where(_LOG.c.action == hold_action, _LOG.c.target == TOKENS.c.address)
    columns = (TOKENS.c.address, TOKENS.c.symbol, TOKENS.c.failure, holds.scalar_subquery().label("since_ms"))
    found = connection.execute(select(*columns).where(TOKENS.c.held == 1).order_by(TOKENS.c.address))
    return {row.address: Held(row.symbol, None if row.failure else row.since_ms) for row in found}


def symbols(connection: Connection, addresses: Sequence[str]) -> dict[str, str]:
    """The symbols of these tokens."""
    found: dict[str, str] = {}
    for part in chunks(addresses):
        query = select(TOKENS.c.address, TOKENS.c.symbol).where(TOKENS.c.address.in_(part))
        found |= {row.address: row.symbol for row in connection.execute(query)}
    return found
