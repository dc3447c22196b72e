"""The embedded database when its disk is full or takes no writes: orders are refused or wait, and none is lost."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from engine.errors import OutcomeUnknown
from engine.persistence.database import Database
from engine.trading.orders import Side
from tests.databases import copied
from tests.integration.trading.running import broker_on, running, until
from tests.ledger import ONE_SOL, check, fund, list_tokens, make_order, token


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Iterator[Database]:
    with copied(migrated, tmp_path / "ledger.db") as database:
        with database.transaction() as connection:
            fund(connection, range(3))
            list_tokens(connection, range(3))
        yield database


@contextmanager
def pragmas(database: Database, while_broken: str, after: str) -> Iterator[None]:
    """Every connection is so while the block runs, and then the other way."""
    wanted = [while_broken]

    def set_up(connection: sqlite3.Connection, *_: Any) -> None:
        connection.execute(f"PRAGMA {wanted[0]}")

    event.listen(database._engine, "checkout", set_up)
    try:
        yield
    finally:
        wanted[0] = after


@pytest.mark.parametrize(
    ("while_broken", "after", "said"),
    [
        ("max_page_count = 1", "max_page_count = 1000000", "database or disk is full"),
        ("query_only = 1", "query_only = 0", "attempt to write a readonly database"),
    ],
)
async def test_orders_that_are_queued_wait_and_new_ones_are_not_taken(
    database: Database, caplog: pytest.LogCaptureFixture, while_broken: str, after: str, said: str
) -> None:
    orders = [
        make_order(Side.BUY, ONE_SOL // 100, number=number, who=number % 3, on=token(number % 3))
        for number in range(90)
    ]
    refused = []
    async with broker_on(database) as broker, running(database, broker) as run:
        with pragmas(database, while_broken, after):
            for order in orders:  # the free pages there are take some of them
                try:
                    await broker.publish(order.token, order.encoded())
                except OutcomeUnknown:
                    refused.append(order)
            assert refused
            assert said in caplog.text
        await run.publish(refused)  # as clients do, with the same ids
        await until(lambda: run.journal() == 0)
    assert {row["state"] for row in run.orders().values()} == {"filled"}
    assert set(run.orders()) == {order.order_id for order in orders}
    check(database)
