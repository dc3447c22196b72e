"""A trade worker whose wall clock is an hour off: deadlines are those of the clock that all processes share."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import text

from engine import clock as clock_module
from engine.clock import ServerClock
from engine.persistence.database import Database
from tests import rabbit
from tests.databases import emptied
from tests.fleet import Market, fleet, until
from tests.ledger import check, token
from tests.localnet import Localnet, running_localnet

HOUR_S: Final = 3_600
NEAR_MS: Final = 2_000


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    with running_localnet(tmp_path_factory.mktemp("chain")) as node:
        yield node


@pytest.fixture
def server(postgresql_url: str) -> Iterator[Database]:
    with emptied(postgresql_url) as database:
        yield database


@pytest.fixture
def prefix() -> Iterator[str]:
    with rabbit.own_prefix([token(0)]) as prefix:
        yield prefix


@pytest.fixture
async def market(server: Database, prefix: str) -> AsyncIterator[Market]:
    market = Market(server, prefix, 1)
    await market.declare()
    yield market
    await market.broker.close()


def reasons(database: Database) -> list[str | None]:
    with database.snapshot() as connection:
        return list(connection.execute(text("SELECT reason FROM orders ORDER BY client_order_id")).scalars())


def trade_times_ms(database: Database) -> list[int]:
    with database.snapshot() as connection:
        return list(connection.execute(text("SELECT executed_at_ms FROM trades")).scalars())


@pytest.mark.slow
async def test_workers_an_hour_ahead_and_behind_reject_and_keep_the_right_orders(
    market: Market, server: Database, chain: Localnet, tmp_path: Path
) -> None:
    with fleet(tmp_path, server, market.prefix, chain.rpc_url) as workers:
        for number, skew_s in enumerate((HOUR_S, -HOUR_S)):
            for deadline_s in (60.0, -1.0):
                order = market.order(market.tokens[0], deadline_s)
                await market.broker.publish(order.token, order.encoded())
            worker = workers.start(skew_s)
            await until(lambda n=number: market.final() == 2 * (n + 1))
            assert worker.lines("alert=clock_skew"), "the operator is told"
            worker.signal(signal.SIGTERM)
            await asyncio.to_thread(worker.ended)
    assert reasons(server) == [None, "deadline"] * 2
    assert all(abs(at_ms - time.time() * 1000) < 60_000 for at_ms in trade_times_ms(server))
    check(server)


async def test_a_wall_clock_that_is_set_under_way_has_no_effect(
    server: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, truth_ns = ServerClock(server), time.time_ns
    await clock.ask()
    monkeypatch.setattr(clock_module.time, "time_ns", lambda: truth_ns() + HOUR_S * 10**9)
    assert abs(clock.now_ms() - truth_ns() // 10**6) < NEAR_MS
    await clock.ask()
    assert abs(clock.now_ms() - truth_ns() // 10**6) < NEAR_MS
    assert "alert=clock_skew this machine's clock is +3600.0 s off" in caplog.text
