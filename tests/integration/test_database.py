"""The database as the engine opens it: migrations, durability on every connection, readers beside a writer."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger, Column, MetaData, String, Table, insert, select, text
from sqlmodel import SQLModel

from engine.persistence import bulk, tables
from engine.persistence.bulk import insert_rows, select_by_keys, update_rows
from engine.persistence.database import Connection, Database, RefusedRow
from engine.persistence.tallies import KEYS, TALLIES
from engine.persistence.trading import BALANCES, CANDLES, TOKENS, TRADES

ODD = Table(
    "odd",
    MetaData(),
    Column("key_name", String(20), primary_key=True),
    Column("new_name", String(20)),
    Column("new_key_name", BigInteger),
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'deep' / 'down' / 'blitzhub.db'}")
    database.migrate()
    yield database
    database.close()


def test_the_migrations_create_exactly_the_tables(database: Database) -> None:
    assert tables.TokenRow.__tablename__ in SQLModel.metadata.tables
    with database.snapshot() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrating_again_keeps_what_is_there(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO broker_queues (token) VALUES ('kept')"))
    database.migrate()
    with database.snapshot() as connection:
        assert connection.execute(text("SELECT token FROM broker_queues")).scalars().all() == ["kept"]


def test_every_connection_is_durable(database: Database) -> None:
    held = []
    for _ in range(8):
        connection = database.snapshot()
        held.append((connection, connection.__enter__()))
    try:
        for _, connection in held:
            pragmas = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
            ]
            assert pragmas == ["wal", 2], "2 is FULL"
    finally:
        for opened, _ in held:
            opened.__exit__(None, None, None)


def test_a_transaction_is_whole_or_nothing(database: Database) -> None:
    def half(connection: Connection) -> None:
        connection.execute(text("INSERT INTO broker_queues (token) VALUES ('half')"))
        raise LookupError("then a bug")

    with pytest.raises(LookupError):
        asyncio.run(database.write(half))
    assert asyncio.run(database.read(queues)) == []


def queues(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT token FROM broker_queues ORDER BY token")).scalars())


async def test_a_reader_does_not_block_a_writer_nor_see_half_of_what_it_does(database: Database) -> None:
    reading, written = threading.Event(), threading.Event()

    def read(connection: Connection) -> list[list[str]]:
        before = queues(connection)
        reading.set()
        assert written.wait(20), "the writer waited for the reader"
        return [before, queues(connection)]

    def write(connection: Connection) -> None:
        assert reading.wait(20)
        connection.execute(text("INSERT INTO broker_queues (token) VALUES ('new')"))

    reader = asyncio.create_task(database.read(read))
    await database.write(write)
    written.set()
    assert await reader == [[], []], "one snapshot is of one moment"
    assert await database.read(queues) == ["new"]


async def test_a_writer_does_not_block_a_reader(database: Database) -> None:
    written, read = threading.Event(), threading.Event()

    def write(connection: Connection) -> None:
        connection.execute(text("INSERT INTO broker_queues (token) VALUES ('new')"))
        written.set()
        assert read.wait(20), "the reader waited for the writer"

    writer = asyncio.create_task(database.write(write))
    await asyncio.to_thread(written.wait, 20)
    assert await database.read(queues) == []
    read.set()
    await writer


async def test_many_writers_queue_and_none_fails(database: Database) -> None:
    def write(number: int) -> None:
        with database.transaction() as connection:
            known = len(queues(connection))
            connection.execute(text("INSERT INTO broker_queues (token) VALUES (:token)"), {"token": f"{known:03}"})

    await asyncio.gather(*(asyncio.to_thread(write, number) for number in range(40)))
    assert await database.read(queues) == [f"{number:03}" for number in range(40)]


async def test_statements_are_counted_and_many_rows_are_one(database: Database) -> None:
    table = tables.JournalQueueRow.__table__  # type: ignore[attr-defined]
    before = database.statements
    await database.write(lambda connection: connection.execute(insert(table), [{"token": str(n)} for n in range(50)]))
    assert database.statements - before == 2, "BEGIN and INSERT"
    before = database.statements
    await database.read(lambda connection: [queues(connection), queues(connection)])
    assert database.statements - before == 3


async def test_a_row_that_exists_is_refused_and_not_a_database_that_is_away(database: Database) -> None:
    def twice(connection: Connection) -> None:
        for _ in range(2):
            connection.execute(text("INSERT INTO broker_queues (token) VALUES ('a')"))

    with pytest.raises(RefusedRow):
        await database.write(twice)


def test_bulk_writes_take_columns_named_like_parameters(database: Database) -> None:
    with database.transaction() as connection:
        ODD.create(connection)
        insert_rows(connection, ODD, [{"key_name": "a", "new_name": "x", "new_key_name": 1}])
        insert_rows(connection, ODD, [{"key_name": "b"}, {"key_name": "c"}])
        changed = [
            {"key_name": "a", "new_name": "y", "new_key_name": 2},
            {"key_name": "c", "new_name": "z", "new_key_name": 3},
        ]
        update_rows(connection, ODD, ("key_name",), ("new_name", "new_key_name"), changed)
        rows = [tuple(row) for row in connection.execute(select(ODD).order_by(ODD.c.key_name))]
    assert rows == [("a", "y", 2), ("b", None, None), ("c", "z", 3)]


@pytest.mark.parametrize(
    ("of", "keys"),
    [
        (TOKENS, ("address",)),
        (BALANCES, ("account_id", "asset")),
        (TRADES, ("token", "seq")),
        (CANDLES, ("token", "bucket_ms")),
        (TALLIES, KEYS),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_keyed_read_searches_each_key_and_reads_nothing_beside(
    database: Database, of: Table, keys: tuple[str, ...]
) -> None:
    with database.snapshot() as connection:
        sql = bulk._sqlite_select_sql(of, keys, False)
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", ("[]",))]
    searched = " AND ".join(f"{name}=?" for name in keys)
    assert any(step.startswith(f"SEARCH {of.name} USING") and searched in step for step in plan), plan


@pytest.mark.parametrize("lock", [False, True])
def test_sqlites_own_keyed_read_finds_what_every_databases_finds(database: Database, lock: bool) -> None:
    odd = [
        {"account_id": f'"{n}\\', "asset": "é'%s:x" if n % 2 else "", "amount": -(2**63), "account_seq": n}
        for n in range(bulk.IN_LIMIT + 100)
    ]
    wanted = sorted({(row["account_id"], row["asset"]) for row in odd} | {("none", "x")})
    with database.transaction() as connection:
        insert_rows(connection, BALANCES, odd)
        ours = select_by_keys(connection, BALANCES, ("account_id", "asset"), reversed(wanted), lock=lock)
        listed = bulk._select_listed(connection, BALANCES, ("account_id", "asset"), wanted, lock)
    assert len(ours) == len(odd)
    assert sorted(tuple(row.values()) for row in ours) == sorted(map(tuple, listed))
    if lock:
        assert [(row["account_id"], row["asset"]) for row in ours] == wanted[: wanted.index(("none", "x"))]


def test_bulk_writes_of_nothing_are_nothing(database: Database) -> None:
    with database.transaction() as connection:
        before = database.statements
        insert_rows(connection, ODD, [])
        update_rows(connection, ODD, ("key_name",), ("new_name",), [])
        assert database.statements == before
