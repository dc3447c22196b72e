"""An order that kills every worker that touches it, among innocent ones, on the real RabbitMQ and PostgreSQL."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from engine.adapters.rabbitmq.topology import Topology
from engine.persistence import parked
from engine.persistence.database import Database
from engine.trading.worker import SUSPECT_FROM, TRIALS
from tests import rabbit
from tests.databases import emptied
from tests.fleet import Market
from tests.ledger import check, token

TOKENS = 3
BEFORE, AFTER, ELSEWHERE = 100, 100, 30
LIMIT_S = 240.0


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


async def kept_alive(arguments: list[str], deaths: list[int]) -> None:
    """A worker that is started again whenever it dies."""
    module = "tests.integration.trading.poisoned_child"
    while True:
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments)
        try:
            deaths.append(await process.wait())
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise


@pytest.mark.slow
async def test_of_two_hundred_orders_only_the_one_that_kills_its_workers_is_parked(
    market: Market, server: Database
) -> None:
    bad = market.tokens[0]
    await market.publish_on(bad, BEFORE)
    poison = market.order(bad)
    await market.broker.publish(bad, poison.encoded())
    await market.publish_on(bad, AFTER)
    for innocent in market.tokens[1:]:
        await market.publish_on(innocent, ELSEWHERE)

    url = server.url.render_as_string(hide_password=False)
    deaths: list[int] = []
    arguments = [url, market.prefix, poison.order_id]
    workers = [asyncio.create_task(kept_alive(arguments, deaths)) for _ in range(2)]
    try:
        await market.all_final(LIMIT_S)
        async with asyncio.timeout(LIMIT_S):
            while not (found := await server.read(parked.waiting)):  # noqa: ASYNC110  other processes ring no event
                await asyncio.sleep(0.1)
    finally:
        for task in workers:
            task.cancel()
        await asyncio.wait(workers)
    assert [row["parked_id"] for row in found] == [poison.order_id]
    assert found[0]["cause"] == "killed_workers"
    assert len(deaths) == SUSPECT_FROM + TRIALS
    assert await rabbit.waiting(Topology(market.prefix).dead_letters) == 0
    market.check_order()
    check(server)
