"""The audit log's rows: added, never changed and never taken away; nobody's database user may do either."""

from typing import Any, Final

from sqlalchemy import Connection, insert, select

from engine.persistence.tables import AuditRow, table

_LOG: Final = table(AuditRow)

Row = dict[str, Any]


def last(connection: Connection) -> Row | None:
    """The newest row, None for an empty log."""
    newest = select(_LOG).order_by(_LOG.c.seq.desc()).limit(1)
    row = connection.execute(newest).mappings().first()
    return None if row is None else dict(row)


def add(connection: Connection, row: Row) -> None:
    """Add the row. Raises IntegrityError when somebody else has continued the same row."""
    connection.execute(insert(_LOG), [row])


def after(connection: Connection, seq: int, limit: int) -> list[Row]:
    """The rows after that one, oldest first."""
    query = select(_LOG).where(_LOG.c.seq > seq).order_by(_LOG.c.seq).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def before(connection: Connection, seq: int, limit: int) -> list[Row]:
    """The rows before that one, newest first."""
    query = select(_LOG).where(_LOG.c.seq < seq).order_by(_LOG.c.seq.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]
