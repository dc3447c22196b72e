"""The embedded broker's journal: what is queued and not yet acknowledged, in one order for all tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from engine.persistence.tables import JournalQueueRow, JournalRow, table

JOURNAL, QUEUES = table(JournalRow), table(JournalQueueRow)


@dataclass(frozen=True, slots=True)
class Entry:
    """One queued message; `journal_id` orders them all."""

    journal_id: int
    token: str
    body: bytes


def append(entries: Sequence[Entry], connection: Connection) -> None:
    """Queue the messages."""
    rows = [{"journal_id": entry.journal_id, "token": entry.token, "body": entry.body} for entry in entries]
    connection.execute(insert(JOURNAL), rows)


def forget(ranges: Sequence[tuple[int, int]], connection: Connection) -> None:
    """Drop the messages of these ranges of ids, both ends included."""
    for first_id, last_id in ranges:
        connection.execute(delete(JOURNAL).where(JOURNAL.c.journal_id.between(first_id, last_id)))


def waiting(connection: Connection) -> list[Entry]:
    """Everything queued, oldest first."""
    rows = connection.execute(select(JOURNAL).order_by(JOURNAL.c.journal_id))
    return [Entry(row.journal_id, row.token, bytes(row.body)) for row in rows]


def queues(connection: Connection) -> set[str]:
    """The declared queues."""
    return set(connection.execute(select(QUEUES.c.token)).scalars())


def declare(token: str, connection: Connection) -> None:
    """Make the token's queue exist."""
    known = connection.execute(select(func.count()).where(QUEUES.c.token == token)).scalar_one()
    if not known:
        connection.execute(insert(QUEUES).values(token=token))
