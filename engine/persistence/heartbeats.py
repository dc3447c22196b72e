"""Heartbeats: how the workers of one service, wherever they run, know of each other.

A worker counts its beats up; whoever sees the count stand still knows that it is gone. Its last word, when it stops
orderly, is `GONE`.
"""

from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from engine.persistence.tables import HeartbeatRow, table

_HEARTBEATS: Final = table(HeartbeatRow)

GONE: Final = -1

# Every worker's, every second: building them takes longer than they do.
_OF_SERVICE: Final = select(_HEARTBEATS).where(_HEARTBEATS.c.service == bindparam("of_service"))
_BEAT: Final = (
    update(_HEARTBEATS)
    .where(_HEARTBEATS.c.service == bindparam("of_service"), _HEARTBEATS.c.worker == bindparam("of_worker"))
    .values(beats=bindparam("new_beats"), at_ms=bindparam("new_at_ms"))
)


class Heartbeat(NamedTuple):
    """A worker's count and, by its own clock, when it was written."""

    beats: int
    at_ms: int


def beat(connection: Connection, service: str, worker: str, heartbeat: Heartbeat) -> None:
    """Write a worker's newest beat."""
    row = {"of_service": service, "of_worker": worker, "new_beats": heartbeat.beats, "new_at_ms": heartbeat.at_ms}
    if connection.execute(_BEAT, row).rowcount == 0:
        connection.execute(insert(_HEARTBEATS).values(service=service, worker=worker, **heartbeat._asdict()))


def of_service(connection: Connection, service: str) -> dict[str, Heartbeat]:
    """The newest beat of each of the service's workers."""
    rows = connection.execute(_OF_SERVICE, {"of_service": service})
    return {row.worker: Heartbeat(row.beats, row.at_ms) for row in rows}


def forget(connection: Connection, service: str, workers: Collection[str]) -> None:
    """Strike out workers that are gone; one that was only away writes itself in again."""
    found = (_HEARTBEATS.c.service == service) & _HEARTBEATS.c.worker.in_(sorted(workers))
    connection.execute(delete(_HEARTBEATS).where(found))
