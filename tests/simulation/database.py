"""The simulated database: real SQLite in memory, shared by every process, each transaction at one moment.

An error may strike before a transaction begins or after it has committed: then nobody knows that it did.
"""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from engine.persistence.database import Database
from tests.simulation.hosts import Host

Result = TypeVar("Result")


class Disk:
    """What survives every kill: the database itself. There is one of a name, empty again for every schedule."""

    def __init__(self, name: str) -> None:
        raw, self._connection = _opened(name)
        _migrated().backup(raw)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Committed at the end of the block, or not at all."""
        with self._connection.begin():
            yield self._connection

    snapshot = transaction


@lru_cache
def _opened(name: str) -> tuple[sqlite3.Connection, Connection]:
    """One connection for all schedules: its engine remembers how statements are compiled."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    event.listen(engine, "begin", lambda _: connection.execute("BEGIN"))
    return connection, engine.connect()


@lru_cache(maxsize=1)
def _migrated() -> sqlite3.Connection:
    """An empty, migrated database to copy from: migrating takes longer than a schedule."""
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{directory}/migrated.db")
        database.migrate()
        database.close()
        memory = sqlite3.connect(":memory:")
        source = sqlite3.connect(f"{directory}/migrated.db")
        source.backup(memory)
        source.close()
        return memory


class SimulatedDatabase:
    """`engine.persistence.database.Database` as one process sees it."""

    is_sqlite = True

    def __init__(self, disk: Disk, host: Host) -> None:
        self._disk, self._host = disk, host
        self.statements = 0
        self.transaction = self.snapshot = disk.transaction

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction."""
        return await self._host.call("write", lambda: self._run(work), _gone)

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction that is thought to write nothing."""
        return await self._host.call("read", lambda: self._run(work), _gone)

    def _run(self, work: Callable[[Connection], Result]) -> Result:
        with self._disk.transaction() as connection:
            return work(connection)

    async def check(self) -> None:
        """It answers."""

    def close(self) -> None:
        """The disk stays."""


def _gone(what: str) -> Exception:
    return OperationalError(what, None, ConnectionError(what))
