"""How each of the three databases is connected: pool, session settings, and what its errors mean.

The statements are the same everywhere; whatever differs between SQLite, PostgreSQL and Oracle stands here.
"""

import sqlite3
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from engine.persistence.stalled import APPLICATION

SQLITE_READ_THREADS: Final = 4
SQLITE_CACHE_KIB: Final = 65_536
SQLITE_CHECKPOINT_PAGES: Final = 8_000
"""Order ids are hashes, so their indexes are written all over: with SQLite's own 2 MB of cache and a checkpoint every
1,000 pages the same pages are read and copied again and again. The journal file grows to about 32 MB for it."""

POOL_WAIT_S: Final = 30

_SILENT_PEER: Final = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A machine that vanished without a word is given up after about ten seconds; else its readers hang for two hours."""

_POSTGRESQL_CONTENTION: Final = {"40001", "40P01", "55P03"}
"""serialization_failure, deadlock_detected, lock_not_available (lock_timeout)."""

_ORACLE_CONTENTION: Final = {"ORA-00054", "ORA-00060", "ORA-08177", "ORA-30006", "DPY-4024"}
"""Busy, deadlock, serialization, lock wait over, `call_timeout` over."""


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """What a server is connected with; SQLite uses `lock_timeout_ms` only, as its busy timeout's lower bound."""

    pool_size: int = 4
    lock_timeout_ms: int = 3_000
    idle_transaction_ms: int = 5_000
    connect_timeout_s: int = 5
    wallet_dir: str = ""
    wallet_password: str = field(default="", repr=False)


def connect(url: URL, options: ConnectionOptions) -> Engine:
    """An engine for that URL; nothing is connected yet."""
    kind = url.get_backend_name()
    if kind == "sqlite":
        return _sqlite(url)
    return _oracle(url, options) if kind == "oracle" else _postgresql(url, options)


def read_only_options(kind: str) -> dict[str, Any]:
    """Execution options of a transaction that reads everything as of one moment and writes nothing."""
    if kind == "postgresql":
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return {"blitz_read_only": True}


def waited_in_vain(error: BaseException) -> bool:
    """Whether somebody on a PostgreSQL holds a row for longer than `lock_timeout_ms`."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == "55P03"


def is_contention(error: BaseException) -> bool:
    """Whether another transaction was in the way: the same work may be tried again at once."""
    if not isinstance(error, DBAPIError):
        return False
    cause = error.orig
    if getattr(cause, "sqlstate", None) in _POSTGRESQL_CONTENTION:
        return True
    text = str(cause)
    return any(code in text for code in _ORACLE_CONTENTION)


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": 30, "check_same_thread": False},
        pool_size=SQLITE_READ_THREADS + 2,
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


def _postgresql(url: URL, options: ConnectionOptions) -> Engine:
    """IN lists of many lengths defeat cached plans, so every plan is custom; a frozen transaction is ended."""
    session = {
        "plan_cache_mode": "force_custom_plan",
        "lock_timeout": options.lock_timeout_ms,
        "idle_in_transaction_session_timeout": options.idle_transaction_ms,
    }
    engine = create_engine(
        url,
        **_pool(options),
        connect_args={
            "options": " ".join(f"-c {name}={value}" for name, value in session.items()),
            "connect_timeout": options.connect_timeout_s,
            "application_name": APPLICATION,
            **_SILENT_PEER,
        },
    )
    event.listen(engine, "do_executemany", _copy)
    event.listen(engine, "do_execute", lambda cursor, text, row, context: _copy(cursor, text, [row], context))
    return engine


def _copy(cursor: Any, text: str, rows: Any, _: Any) -> bool:
    """Send the rows of a `COPY … FROM STDIN`, which SQLAlchemy cannot; counting it and reading its errors it can."""
    if not text.startswith("COPY "):
        return False
    with cursor.copy(text) as copy:
        for row in rows:
            copy.write_row(row)
    return True


def _oracle(url: URL, options: ConnectionOptions) -> Engine:
    """A wallet directory holds tnsnames.ora and ewallet.pem; the URL's host is then an alias such as `tokensdb_tp`."""
    wallet = {
        "config_dir": options.wallet_dir,
        "wallet_location": options.wallet_dir,
        "wallet_password": options.wallet_password,
    }
    arguments = {name: value for name, value in wallet.items() if value}
    engine = create_engine(
        url, **_pool(options), connect_args={**arguments, "tcp_connect_timeout": options.connect_timeout_s}
    )
    event.listen(engine, "begin", _begin_oracle)

    # Oracle has no lock timeout of a session: the longest round trip bounds the wait for a row instead.
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.call_timeout = options.lock_timeout_ms

    return engine


def _begin_oracle(connection: Connection) -> None:
    if connection.get_execution_options().get("blitz_read_only", False):
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")


def _pool(options: ConnectionOptions) -> dict[str, Any]:
    """No overflow: a small database server has few connections to give. No ping: it would double the statements."""
    return {"pool_size": options.pool_size, "max_overflow": 0, "pool_timeout": POOL_WAIT_S, "pool_use_lifo": True}
