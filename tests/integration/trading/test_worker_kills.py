"""Trade workers killed with SIGKILL at 500 orders a second, over the real RabbitMQ and PostgreSQL.

Four times in every test run; `make kills` (BLITZ_TEST_KILLS) says how often else.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest

from engine.adapters.rabbitmq.topology import Topology
from engine.persistence import parked
from engine.persistence.database import Database
from tests import rabbit
from tests.databases import emptied
from tests.fleet import Fleet, Market, fleet, receiving, until
from tests.ledger import check, token
from tests.localnet import Localnet, running_localnet

KILLS: Final = int(os.environ.get("BLITZ_TEST_KILLS", "4"))
TOKENS: Final = 10
ORDERS_PER_S: Final = 500
SEED: Final = 1

pytestmark = pytest.mark.slow


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Localnet]:
    with running_localnet(tmp_path / "chain") as node:
        yield node


@pytest.fixture
def server(postgresql_url: str) -> Iterator[Database]:
    with emptied(postgresql_url) as database:
        yield database


@pytest.fixture
def prefix() -> Iterator[str]:
    with rabbit.own_prefix([token(number) for number in range(TOKENS)]) as prefix:
        yield prefix


@pytest.fixture
async def market(server: Database, prefix: str) -> AsyncIterator[Market]:
    market = Market(server, prefix, TOKENS)
    await market.declare()
    yield market
    await market.broker.close()


@pytest.fixture
def workers(tmp_path: Path, server: Database, prefix: str, chain: Localnet, market: Market) -> Iterator[Fleet]:
    with fleet(tmp_path, server, prefix, chain.rpc_url) as workers:
        yield workers


async def kill_one_after_the_other(workers: Fleet, dice: random.Random) -> None:
    """Of two workers one dies at any moment of its work, again and again; another one comes in its place."""
    living = [workers.start(), workers.start()]
    for worker in living:
        await until(receiving(worker, TOKENS))
    for _ in range(KILLS):
        await asyncio.sleep(dice.uniform(0, 1))
        living.pop(0).signal(signal.SIGKILL)
        living.append(workers.start())
        await until(receiving(living[-1], TOKENS))


async def test_killed_workers_lose_and_double_nothing(market: Market, workers: Fleet, server: Database) -> None:
    stop = asyncio.Event()
    flow = asyncio.create_task(market.publish_at(ORDERS_PER_S, stop))
    started_s = time.monotonic()
    await kill_one_after_the_other(workers, random.Random(SEED))
    stop.set()
    await flow
    assert market.count > 0.8 * ORDERS_PER_S * (time.monotonic() - started_s), "the load was there"
    await market.all_final()
    market.check_order()
    check(server)
    with server.snapshot() as connection:
        assert parked.waiting(connection) == []
    assert await rabbit.waiting(Topology(market.prefix).dead_letters) == 0
    assert len(workers.workers) == KILLS + 2
