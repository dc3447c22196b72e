"""The physical limit: the rows that a drain left behind, written again by bare sqlite3 with the same commits.

No curve, no reads, no journal, no events: what remains is what SQLite and the disk ask for these rows.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engine.persistence.connecting import SQLITE_CACHE_KIB, SQLITE_CHECKPOINT_PAGES
from engine.persistence.database import Database

BATCH: Final = 200
BY_ORDER: Final = {"orders": "order_id", "trades": "order_id", "settlements": "settlement_id"}
"""Tables with one row per fill, and the column that names the order."""


@dataclass(frozen=True, slots=True)
class Floor:
    """One run of bare writes."""

    trades: int
    wall_s: float
    cpu_s: float


def run_floor(directory: Path, drained: Path) -> Floor:
    """Copy the drained database's rows, 200 fills to a commit, and update what each commit would have updated."""
    path = directory / "floor.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    with sqlite3.connect(drained) as source, sqlite3.connect(path, isolation_level=None) as target:
        target.execute("PRAGMA journal_mode=WAL")
        target.execute("PRAGMA synchronous=FULL")
        target.execute(f"PRAGMA cache_size=-{SQLITE_CACHE_KIB}")
        target.execute(f"PRAGMA wal_autocheckpoint={SQLITE_CHECKPOINT_PAGES}")
        for table in ("accounts", "tokens", "candles"):
            rows = source.execute(f"SELECT * FROM {table}").fetchall()
            target.executemany(_insert(table, len(rows[0])), rows)
        target.executemany(
            _insert("balances", 4), source.execute("SELECT * FROM balances WHERE asset = 'SOL'").fetchall()
        )
        batches = list(_batches(source))
        cpu_s, started_s = time.process_time(), time.perf_counter()
        for batch in batches:
            batch.write(target)
        return Floor(
            sum(len(batch.inserts["trades"]) for batch in batches),
            time.perf_counter() - started_s,
            time.process_time() - cpu_s,
        )


@dataclass(frozen=True, slots=True)
class _Batch:
    inserts: dict[str, list[tuple[Any, ...]]]
    tokens: list[tuple[int, int, str]]
    balances: list[tuple[int, str]]

    def write(self, target: sqlite3.Connection) -> None:
        target.execute("BEGIN IMMEDIATE")
        for table, rows in self.inserts.items():
            if rows:
                target.executemany(_insert(table, len(rows[0])), rows)
        target.executemany("UPDATE tokens SET seq = ?, updated_at_ms = ? WHERE address = ?", self.tokens)
        target.executemany("UPDATE balances SET account_seq = ? WHERE account_id = ? AND asset = 'SOL'", self.balances)
        target.execute("COMMIT")


def _batches(source: sqlite3.Connection) -> Iterator[_Batch]:
    source.row_factory = sqlite3.Row
    fills = source.execute("SELECT * FROM trades ORDER BY rowid").fetchall()
    others = {
        table: {row[key]: tuple(row) for row in source.execute(f"SELECT * FROM {table}")}
        for table, key in (BY_ORDER | {"transfers": "settlement_id"}).items()
    }
    held = {tuple(row)[:2]: tuple(row) for row in source.execute("SELECT * FROM balances WHERE asset <> 'SOL'")}
    for start in range(0, len(fills), BATCH):
        part: Sequence[sqlite3.Row] = fills[start : start + BATCH]
        ids = [fill["order_id"] for fill in part]
        inserts = {table: [rows[each] for each in ids if each in rows] for table, rows in others.items()}
        pairs = {(fill["account_id"], fill["token"]) for fill in part}
        inserts["balances"] = [held.pop(pair) for pair in pairs if pair in held]
        tokens = {fill["token"]: (fill["seq"], fill["executed_at_ms"], fill["token"]) for fill in part}
        balances = {fill["account_id"]: (fill["account_seq"], fill["account_id"]) for fill in part}
        yield _Batch(inserts, list(tokens.values()), list(balances.values()))


def _insert(table: str, columns: int) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"
