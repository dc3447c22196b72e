"""The newest report of each kind, as one JSON document: made by one process, read by all."""

from typing import Final

from sqlalchemy import Connection, insert, select, update

from engine.persistence.tables import ReportRow, table

_REPORTS: Final = table(ReportRow)


def store(connection: Connection, name: str, body: bytes, now_ms: int) -> None:
    """Replace the report. Raises IntegrityError when two processes store the first one at the same moment."""
    values = {"body": body, "made_at_ms": now_ms}
    change = update(_REPORTS).where(_REPORTS.c.name == name).values(values)
    if connection.execute(change).rowcount == 0:
        connection.execute(insert(_REPORTS).values(name=name, **values))


def latest(connection: Connection, name: str) -> tuple[bytes, int] | None:
    """The report and when it was made, in epoch ms; None before the first."""
    row = connection.execute(select(_REPORTS).where(_REPORTS.c.name == name)).mappings().first()
    return None if row is None else (bytes(row["body"]), row["made_at_ms"])
