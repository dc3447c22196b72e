"""PostgreSQL as the engine opens it: migrations by many at once, snapshots, rows in bulk, connections that die."""

import asyncio
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import Final

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel

from engine.identifiers import SOL
from engine.persistence import images
from engine.persistence.bulk import insert_rows, select_by_keys, update_rows
from engine.persistence.database import (
    CommitUnknown,
    Connection,
    ConnectionOptions,
    Database,
    DatabaseError,
    RefusedRow,
    is_contention,
    is_outage,
)
from engine.persistence.trading import BALANCES, TOKENS
from tests.databases import emptied, postgresql
from tests.ledger import account, all_of, fund, list_tokens, token
from tests.line import line_to

LIMIT_S: Final = 30.0
MANY: Final = 2_500
"""More keys than an IN list holds."""


@pytest.fixture
def database(postgresql_url: str) -> Iterator[Database]:
    with emptied(postgresql_url, ConnectionOptions(lock_timeout_ms=100)) as database:
        yield database


MIGRATE: Final = "import sys; from engine.persistence.database import Database; Database(sys.argv[1]).migrate()"


async def test_processes_that_start_together_migrate_once_and_exactly_the_tables() -> None:
    with postgresql(migrated=False) as url:
        starting = [await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATE, url) for _ in range(3)]
        assert [await process.wait() for process in starting] == [0, 0, 0]
        database = Database(url)
        with database.snapshot() as connection:
            assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
        database.close()


def test_a_snapshot_sees_one_moment_and_writes_nothing(database: Database) -> None:
    with database.snapshot() as reading:
        assert all_of(reading, "accounts") == []
        with database.transaction() as connection:
            fund(connection, [0])
        assert all_of(reading, "accounts") == []
        with pytest.raises(DatabaseError, match="read-only"):
            fund(reading, [1])
    with database.snapshot() as reading:
        assert len(all_of(reading, "accounts")) == 1


async def test_a_connection_that_breaks_during_a_commit_leaves_the_outcome_open_and_one_that_breaks_before_does_not(
    database: Database,
) -> None:
    with line_to(database.url.host or "127.0.0.1", database.url.port or 5432) as line:
        cut_off = Database(database.url.set(host="127.0.0.1", port=line.port).render_as_string(hide_password=False))

        def write_then_cut(connection: Connection) -> None:
            fund(connection, [0])
            line.cut()

        def cut_then_write(connection: Connection) -> None:
            line.cut()
            fund(connection, [0])

        with pytest.raises(CommitUnknown):
            await cut_off.write(write_then_cut)
        line.mend()
        with pytest.raises(DatabaseError) as before:
            await cut_off.write(cut_then_write)
        assert not isinstance(before.value, CommitUnknown)
        assert is_outage(before.value)
        cut_off.close()


def test_a_transaction_after_a_snapshot_on_the_same_connection_may_write(database: Database) -> None:
    for number in range(3):
        with database.snapshot() as reading:
            assert len(all_of(reading, "accounts")) == number
        with database.transaction() as connection:
            fund(connection, [number])


def test_rows_in_bulk_come_back_as_they_were_written(database: Database) -> None:
    odd = [{"account_id": f'"{n}\\', "asset": "é'%s:x", "amount": -(2**63), "account_seq": n} for n in range(MANY)]
    with database.transaction() as connection:
        before = database.statements
        insert_rows(connection, BALANCES, odd)
        update_rows(
            connection, BALANCES, ("account_id", "asset"), ("amount",), [row | {"amount": 2**63 - 1} for row in odd]
        )
        keys = [(row["account_id"], row["asset"]) for row in odd]
        found = select_by_keys(connection, BALANCES, ("account_id", "asset"), [*keys, ("none", SOL)], lock=True)
        assert database.statements - before == 3
    wanted = [row | {"amount": 2**63 - 1, "frozen": None} for row in odd]
    assert sorted(found, key=lambda row: row["account_seq"]) == wanted
    assert [row["account_id"] for row in found] == sorted(row["account_id"] for row in odd)


def test_columns_left_out_become_null_and_a_double_key_is_refused(database: Database) -> None:
    with database.transaction() as connection:
        list_tokens(connection, [0])
        [row] = select_by_keys(connection, TOKENS, ("address",), [(token(0),)])
        again = row | {"address": token(1)}
        del again["description"]
        insert_rows(connection, TOKENS, [again])
        [copy] = select_by_keys(connection, TOKENS, ("address",), [(token(1),)])
        assert copy["description"] is None
    with pytest.raises(RefusedRow), database.transaction() as connection:
        insert_rows(connection, TOKENS, [row])


def test_bytes_come_back_as_they_were_written(database: Database) -> None:
    with database.transaction() as connection:
        images.add(connection, "0" * 64, "image/webp", bytes(range(256)), 1)
    with database.snapshot() as connection:
        assert images.image(connection, "0" * 64) == ("image/webp", bytes(range(256)))


async def test_a_read_survives_that_its_pooled_connections_died(database: Database) -> None:
    def backend(connection: object) -> int:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())  # type: ignore[attr-defined]

    with database.transaction() as connection:
        first = await database.read(backend)  # on another connection than this one
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :p"), {"p": first})
    async with asyncio.timeout(30):
        assert await database.read(backend) != first


def test_a_locked_row_is_waited_for_so_long_and_no_longer(database: Database) -> None:
    with database.transaction() as connection:
        fund(connection, [0])
    keys = [(account(0), SOL)]
    with database.transaction() as first:
        select_by_keys(first, BALANCES, ("account_id", "asset"), keys, lock=True)
        with pytest.raises(DatabaseError) as refused, database.transaction() as second:
            select_by_keys(second, BALANCES, ("account_id", "asset"), keys, lock=True)
    assert is_contention(refused.value)
    assert not is_contention(ValueError())


def test_rows_are_locked_in_key_order_whatever_order_they_are_named_in(postgresql_url: str) -> None:
    with emptied(postgresql_url) as database:
        with database.transaction() as connection:
            fund(connection, range(12))
        names = sorted(account(number) for number in range(12))
        with database.transaction() as holder, ThreadPoolExecutor(1) as threads:
            select_by_keys(holder, BALANCES, ("account_id", "asset"), [(names[5], SOL)], lock=True)
            wanted = [(name, SOL) for name in reversed(names)]
            locking = threads.submit(_lock_and_wait, database, wanted)
            assert _until_locked(database, names) == names[:6], "all before the held one, and none after it"
            holder.rollback()
            assert locking.result(LIMIT_S) == 12


def _lock_and_wait(database: Database, wanted: list[tuple[str, str]]) -> int:
    with database.transaction() as connection:
        return len(select_by_keys(connection, BALANCES, ("account_id", "asset"), wanted, lock=True))


def _until_locked(database: Database, names: list[str]) -> list[str]:
    """The locked rows, once there are more than the one that is held."""
    query = text("SELECT account_id FROM balances FOR UPDATE SKIP LOCKED")
    deadline_s = monotonic() + LIMIT_S
    while monotonic() < deadline_s:
        with database.transaction() as connection:
            free = set(connection.execute(query).scalars())
        locked = [name for name in names if name not in free]
        if len(locked) > 1:
            return locked
        sleep(0.01)
    raise AssertionError("the second transaction never locked a row")
