"""Roles kept in the database: wallet → role. Written by the command line only; the web's user may not."""

from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from engine.errors import NotFound
from engine.persistence.tables import RoleRow, table

_ROLES: Final = table(RoleRow)


class NoRole(NotFound):
    """There is nothing to take away."""

    code = "no_role"


def role_of(connection: Connection, account_id: str) -> str | None:
    """The wallet's role, None for none."""
    return connection.execute(select(_ROLES.c.role).where(_ROLES.c.account_id == account_id)).scalar()


def every_role(connection: Connection) -> list[dict[str, Any]]:
    """Every wallet that has one, by address."""
    return [dict(row) for row in connection.execute(select(_ROLES).order_by(_ROLES.c.account_id)).mappings()]


def set_role(connection: Connection, account_id: str, role: str, now_ms: int) -> None:
    """Give the wallet that role in place of any other."""
    values = {"role": role, "granted_at_ms": now_ms}
    found = update(_ROLES).where(_ROLES.c.account_id == account_id).values(values)
    if not connection.execute(found).rowcount:
        connection.execute(insert(_ROLES).values(account_id=account_id, **values))


def take_role(connection: Connection, account_id: str) -> None:
    """Take its role away.

    Raises:
        NoRole: it has none.
    """
    if not connection.execute(delete(_ROLES).where(_ROLES.c.account_id == account_id)).rowcount:
        raise NoRole(f"{account_id} has no role in the database.")
