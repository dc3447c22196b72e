"""The database as a process uses it: one engine, explicit transactions, work done in threads.

Statements are counted, because the statement budget is a design figure. How each kind of database is connected stands
in `connecting`.

Nothing outside `engine/persistence` imports the database library: what others need of it is named here.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, RowMapping, column, event, literal, select, table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from engine.persistence.connecting import (
    SQLITE_READ_THREADS,
    ConnectionOptions,
    connect,
    is_contention,
    read_only_options,
    waited_in_vain,
)
from engine.persistence.failures import CommitUnknown, DatabaseUnavailable, is_outage, told
from engine.persistence.stalled import end_stalled

__all__ = [
    "CommitUnknown",
    "Connection",
    "ConnectionOptions",
    "Database",
    "DatabaseError",
    "DatabaseUnavailable",
    "RefusedRow",
    "RowMapping",
    "is_contention",
    "is_outage",
    "told",
]

log = logging.getLogger(__name__)

Result = TypeVar("Result")

DatabaseError = SQLAlchemyError
"""Anything the database answered with; what is no `RefusedRow` may be gone on the next try."""

RefusedRow = (IntegrityError, DataError)
"""The database works and says no to a row: its key exists, or a value is out of range."""

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"


class Database:
    """One database as a process sees it. Reads and writes are functions over a `Connection`."""

    def __init__(self, url: str, options: ConnectionOptions | None = None) -> None:
        options = options or ConnectionOptions()
        self.url = make_url(url)
        self.statements = 0
        self._calls = 0
        self._stalled_ms = options.idle_transaction_ms
        self._engine = connect(self.url, options)
        self._read_only = read_only_options(self.url.get_backend_name())
        self._reads = ThreadPoolExecutor(SQLITE_READ_THREADS if self.is_sqlite else options.pool_size, "db-read")
        # SQLite has one writer at a time; queueing for it here beats sleeping in its busy handler.
        self._writes = ThreadPoolExecutor(1 if self.is_sqlite else options.pool_size, "db-write")
        event.listen(self._engine, "before_cursor_execute", self._count)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def connections_in_use(self) -> int:
        """How many connections of the pool somebody works with now."""
        pool = self._engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    @property
    def pool_size(self) -> int:
        """How many there may be."""
        pool = self._engine.pool
        return pool.size() if isinstance(pool, QueuePool) else 0

    @property
    def waiting_calls(self) -> int:
        """How many reads and writes wait for a thread and its connection."""
        return max(0, self._calls - self.connections_in_use)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A write transaction: committed at the end of the block, rolled back by any exception."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A read-only transaction: everything read in the block is of one moment."""
        with self._engine.connect().execution_options(**self._read_only) as connection, connection.begin():
            yield connection

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a write transaction, in a thread.

        Raises:
            CommitUnknown: the connection broke while it was committed.
        """
        done = False

        def noted(connection: Connection) -> Result:
            nonlocal done
            result = work(connection)
            done = True
            return result

        try:
            return await self._in(self._writes, self.transaction, noted)
        except DBAPIError as error:
            if done and error.connection_invalidated:
                raise CommitUnknown("the connection broke during a commit") from error
            if waited_in_vain(error):
                await self._end_stalled()
            raise

    async def _end_stalled(self) -> None:
        with suppress(DBAPIError):  # the caller has an error to raise already, and tries again
            ended = await self._in(self._writes, self.transaction, partial(end_stalled, after_ms=self._stalled_ms))
            if ended:
                log.warning(
                    "alert=database_error a process froze within a statement, its rows are free again: %s", ended
                )

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a read-only transaction, in a thread; once more if its pooled connection was dead."""
        try:
            return await self._in(self._reads, self.snapshot, work)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return await self._in(self._reads, self.snapshot, work)

    async def _in(self, pool: ThreadPoolExecutor, begin: Any, work: Callable[[Connection], Result]) -> Result:
        def call() -> Result:
            with begin() as connection:
                return work(connection)

        self._calls += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, call)
        finally:
            self._calls -= 1

    async def check(self) -> None:
        """Ask for the simplest answer.

        Raises:
            DatabaseError: there is none.
        """
        await self.read(lambda connection: connection.execute(select(literal(1))).scalar_one())

    @property
    def place(self) -> str:
        """Where it is, for a person: host and port, or the file. Never the URL, which may hold a password."""
        if self.is_sqlite or not self.url.host:
            return str(self.url.database)
        return f"{self.url.host}:{self.url.port}" if self.url.port else self.url.host

    def open(self) -> None:
        """Connect and migrate.

        Raises:
            DatabaseUnavailable: the server is away or does not let us in; the sentence names the setting.
        """
        try:
            self.migrate()
        except SQLAlchemyError as error:
            if not is_outage(error):
                raise
            reason = f"the database at {self.place} cannot be used: {told(error)}"
            raise DatabaseUnavailable(f"BLITZ_DATABASE_URL: {reason}.") from error

    def migrate(self) -> None:
        """Create the database or bring it to the newest version."""
        if self.is_sqlite and self.url.database and self.url.database != ":memory:":
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        if self._version() == ScriptDirectory.from_config(config).get_current_head():
            return
        with self._engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _version(self) -> str | None:
        """The version of the tables, None where there are none. Asked for plainly: a user who may not make tables sees
        them under synonyms, which Alembic's own question does not find."""
        try:
            with self.snapshot() as connection:
                return connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar()
        except DBAPIError:
            return None

    def close(self) -> None:
        """Finish what runs and let go of every connection."""
        self._writes.shutdown()
        self._reads.shutdown()
        self._engine.dispose()

    def _count(self, *_: Any) -> None:
        self.statements += 1
