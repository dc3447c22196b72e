"""Several trade workers over the real RabbitMQ and PostgreSQL: who joins takes its share, who dies is replaced."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.persistence.database import Database
from tests import rabbit
from tests.databases import emptied
from tests.fleet import Fleet, Market, fleet, receiving, until
from tests.ledger import check, token
from tests.localnet import Localnet, running_localnet

TOKENS = 60

pytestmark = pytest.mark.slow


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


@asynccontextmanager
async def orders_flowing(market: Market, pause_s: float = 0.1) -> AsyncIterator[None]:
    """Orders on every token all the time; at the end every one of them is final."""
    stop = asyncio.Event()
    flow = asyncio.create_task(market.publish_until(stop, pause_s))
    try:
        yield
    finally:
        stop.set()
        await flow
    await market.all_final()


async def served_everywhere(market: Market) -> float:
    """Publish an order on every token; how many seconds until all are final, those before them included."""
    await market.publish(1)
    expected = sum(map(len, market.published.values()))
    return await until(lambda: market.final() >= expected)


async def test_workers_come_and_go_and_every_order_is_executed_once_and_in_order(
    market: Market, workers: Fleet, server: Database
) -> None:
    first = workers.start()
    await until(receiving(first, TOKENS))
    async with orders_flowing(market):
        second, third = workers.start(), workers.start()
        for worker in (first, second, third):
            await until(receiving(worker, TOKENS))
            await until(lambda worker=worker: worker.number("own_tokens") < TOKENS // 2 + 5)
        before = market.count
        await until(lambda: market.count > before + 3 * TOKENS)
        second.signal(signal.SIGKILL)
        before = market.count
        await until(lambda: market.count > before + 3 * TOKENS)
        first.signal(signal.SIGTERM)
        assert first.ended() == 0
    third.signal(signal.SIGTERM)
    assert third.ended() == 0
    market.check_order()
    check(server)
    assert first.number("trades") > 0, "each took a part"
    assert third.number("trades") > 0
