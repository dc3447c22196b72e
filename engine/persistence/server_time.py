"""What time it is on the database server: the one clock that all processes share."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, DateTime, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement


class _UtcNow(ColumnElement[datetime]):
    """UTC without a zone: drivers differ in what they make of zones."""

    inherit_cache = True
    type = DateTime()


@compiles(_UtcNow)
def _standard(*_: Any, **__: Any) -> str:
    return "CURRENT_TIMESTAMP"  # SQLite's is UTC


@compiles(_UtcNow, "postgresql")
def _postgresql(*_: Any, **__: Any) -> str:
    return "timezone('UTC', clock_timestamp())"


@compiles(_UtcNow, "oracle")
def _oracle(*_: Any, **__: Any) -> str:
    return "SYS_EXTRACT_UTC(SYSTIMESTAMP)"


_QUESTION: Final = select(_UtcNow())


def now_ms(connection: Connection) -> int:
    """UTC on the server in epoch milliseconds; SQLite's to the second."""
    answer: datetime = connection.execute(_QUESTION).scalar_one()
    return int(answer.replace(tzinfo=UTC).timestamp() * 1000)
