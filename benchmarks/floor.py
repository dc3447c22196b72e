"""The physical limit: the rows that a drain left behind, written again by the bare driver with the same commits.

No curve, no reads, no journal, no events: what remains is what the database and the disk ask for these rows. SQLite
gets `executemany`; PostgreSQL gets COPY for new rows and the driver's pipelined `executemany` for the others.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, Protocol

import psycopg
from sqlalchemy import Connection, select
from sqlmodel import SQLModel

from engine.identifiers import SOL
from engine.persistence.connecting import SQLITE_CACHE_KIB, SQLITE_CHECKPOINT_PAGES
from engine.persistence.database import Database

BATCH: Final = 200
BY_ORDER: Final = {"orders": "order_id", "trades": "order_id", "settlements": "settlement_id"}
"""Tables with one row per fill, and the column that names the order."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Floor:
    """One run of bare writes."""

    trades: int
    wall_s: float
    cpu_s: float


def run_floor(target: Database, drained: Database) -> Floor:
    """Copy the drained database's rows into an empty one, 200 fills to a commit, with each commit's updates."""
    with drained.snapshot() as source, _bare(target) as driver:
        driver.begin()
        for table in ("accounts", "tokens", "candles"):
            driver.insert(table, _rows(source, table))
        driver.insert("balances", [row for row in _rows(source, "balances") if row["asset"] == SOL])
        driver.commit()
        batches = list(_batches(source))
        cpu_s, started_s = time.process_time(), time.perf_counter()
        for batch in batches:
            batch.write(driver)
        return Floor(
            sum(len(batch.inserts["trades"]) for batch in batches),
            time.perf_counter() - started_s,
            time.process_time() - cpu_s,
        )


class _Driver(Protocol):
    """A database's own driver, as bare as it comes."""

    def begin(self) -> None: ...

    def insert(self, table: str, rows: Sequence[Row]) -> None: ...

    def update(self, table: str, columns: Sequence[str], keys: Sequence[str], rows: Sequence[Row]) -> None: ...

    def commit(self) -> None: ...


class _Sqlite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA cache_size=-{SQLITE_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint={SQLITE_CHECKPOINT_PAGES}")

    def begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        if rows:
            sql = f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES ({', '.join('?' * len(rows[0]))})"
            self._connection.executemany(sql, [tuple(row.values()) for row in rows])

    def update(self, table: str, columns: Sequence[str], keys: Sequence[str], rows: Sequence[Row]) -> None:
        self._connection.executemany(
            _update(table, columns, keys, "?"), [itemgetter(*columns, *keys)(row) for row in rows]
        )

    def commit(self) -> None:
        self._connection.execute("COMMIT")


class _Postgresql:
    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    def begin(self) -> None:
        """The driver begins by itself."""

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        if rows:
            with self._connection.cursor().copy(f"COPY {table} ({', '.join(rows[0])}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(tuple(row.values()))

    def update(self, table: str, columns: Sequence[str], keys: Sequence[str], rows: Sequence[Row]) -> None:
        self._connection.cursor().executemany(
            _update(table, columns, keys, "%s"), [itemgetter(*columns, *keys)(row) for row in rows]
        )

    def commit(self) -> None:
        self._connection.commit()


def _update(table: str, columns: Sequence[str], keys: Sequence[str], place: str) -> str:
    values = ", ".join(f"{name} = {place}" for name in columns)
    return f"UPDATE {table} SET {values} WHERE {' AND '.join(f'{name} = {place}' for name in keys)}"


@contextmanager
def _bare(database: Database) -> Iterator[_Driver]:
    """The driver of that database, connected while the block runs."""
    if database.is_sqlite:
        with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as opened:
            yield _Sqlite(opened)
    else:
        url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url) as connected:
            yield _Postgresql(connected)


@dataclass(frozen=True, slots=True)
class _Batch:
    inserts: dict[str, list[Row]]
    tokens: list[Row]
    balances: list[Row]

    def write(self, driver: _Driver) -> None:
        driver.begin()
        for table, rows in self.inserts.items():
            driver.insert(table, rows)
        driver.update("tokens", ("seq", "updated_at_ms"), ("address",), self.tokens)
        driver.update("balances", ("account_seq",), ("account_id", "asset"), self.balances)
        driver.commit()


def _rows(source: Connection, table: str) -> list[Row]:
    return [dict(row) for row in source.execute(select(SQLModel.metadata.tables[table])).mappings()]


def _batches(source: Connection) -> Iterator[_Batch]:
    fills = sorted(_rows(source, "trades"), key=itemgetter("executed_at_ms", "token", "seq"))
    others = {
        table: {row[key]: row for row in _rows(source, table)}
        for table, key in (BY_ORDER | {"transfers": "settlement_id"}).items()
    }
    held = {(row["account_id"], row["asset"]): row for row in _rows(source, "balances") if row["asset"] != SOL}
    for start in range(0, len(fills), BATCH):
        part = fills[start : start + BATCH]
        ids = [fill["order_id"] for fill in part]
        inserts = {table: [rows[each] for each in ids if each in rows] for table, rows in others.items()}
        pairs = {(fill["account_id"], fill["token"]) for fill in part}
        inserts["balances"] = [held.pop(pair) for pair in pairs if pair in held]
        tokens = {
            fill["token"]: {"seq": fill["seq"], "updated_at_ms": fill["executed_at_ms"], "address": fill["token"]}
            for fill in part
        }
        balances = {
            fill["account_id"]: {"account_seq": fill["account_seq"], "account_id": fill["account_id"], "asset": SOL}
            for fill in part
        }
        yield _Batch(inserts, list(tokens.values()), list(balances.values()))
