"""The database connection: one engine per process, explicit transactions, work done in threads.

SQLite runs in WAL with `synchronous=FULL`, and every write transaction begins IMMEDIATE so that two writers queue
instead of failing half-way. Statements are counted, because the statement budget is a design figure.

Nothing outside `engine/persistence` imports the database library: what others need of it is named here.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, RowMapping, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

__all__ = ["Connection", "Database", "DatabaseError", "RefusedRow", "RowMapping"]

Result = TypeVar("Result")

DatabaseError = SQLAlchemyError
"""Anything the database answered with; what is no `RefusedRow` may be gone on the next try."""

RefusedRow = (IntegrityError, DataError)
"""The database works and says no to a row: its key exists, or a value is out of range."""

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_S = 30
READ_THREADS = 4
SQLITE_CACHE_KIB = 65_536
SQLITE_CHECKPOINT_PAGES = 8_000
"""Order ids are hashes, so their indexes are written all over: with SQLite's own 2 MB of cache and a checkpoint every
1,000 pages the same pages are read and copied again and again. The journal file grows to about 32 MB for it."""


class Database:
    """One database as a process sees it. Reads and writes are functions over a `Connection`."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.statements = 0
        self._engine = _engine(url)
        self._reads = ThreadPoolExecutor(READ_THREADS, "db-read")
        # SQLite has one writer at a time; queueing for it here beats sleeping in its busy handler.
        self._writes = ThreadPoolExecutor(1 if self.is_sqlite else READ_THREADS, "db-write")
        event.listen(self._engine, "before_cursor_execute", self._count)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A write transaction: committed at the end of the block, rolled back by any exception."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A read-only transaction: everything read in the block is of one moment."""
        with self._engine.connect().execution_options(blitz_read_only=True) as connection, connection.begin():
            yield connection

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a write transaction, in a thread."""
        return await self._in(self._writes, self.transaction, work)

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a read-only transaction, in a thread."""
        return await self._in(self._reads, self.snapshot, work)

    async def _in(self, pool: ThreadPoolExecutor, begin: Any, work: Callable[[Connection], Result]) -> Result:
        def call() -> Result:
            with begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(pool, call)

    def migrate(self) -> None:
        """Create the database or bring it to the newest version."""
        if self.is_sqlite and self.url.database and self.url.database != ":memory:":
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Finish what runs and let go of every connection."""
        self._writes.shutdown()
        self._reads.shutdown()
        self._engine.dispose()

    def _count(self, *_: Any) -> None:
        self.statements += 1


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        pool_size=READ_THREADS + 2,
        max_overflow=4,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy's BEGIN event below is the only place that begins
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA cache_size=-{SQLITE_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={SQLITE_CHECKPOINT_PAGES}")


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("blitz_read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
