"""A held token: its orders wait, the others go on, and a release executes them in their order."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from engine.persistence.database import Database
from engine.trading.holding import hold, release
from engine.trading.inputs import UnknownToken
from engine.trading.orders import Order, Side
from tests import rabbit
from tests.databases import emptied
from tests.fleet import Fleet, Market, fleet, receiving
from tests.fleet import until as eventually
from tests.integration.trading.running import broker_on, running, until
from tests.ledger import ONE_SOL, all_of, check, make_order, token
from tests.localnet import running_localnet

TOKENS = 12
HELD = token(3)


def buys(numbers: range, on: int) -> list[Order]:
    return [make_order(Side.BUY, ONE_SOL // 100, number=n, who=n % 3, on=token(on)) for n in numbers]


def executed(database: Database, on: str) -> list[str]:
    """The orders of a token that are final, in the order of their trades."""
    with database.snapshot() as connection:
        trades = [row for row in all_of(connection, "trades") if row["token"] == on]
    return [row["order_id"] for row in sorted(trades, key=lambda row: row["seq"])]


async def test_orders_to_a_held_token_wait_and_a_release_executes_them_in_order(database: Database) -> None:
    waiting, others = buys(range(20), on=0), buys(range(20, 40), on=1)
    async with broker_on(database) as broker, running(database, broker) as run:
        assert await hold(database, broker, token(0))
        assert not await hold(database, broker, token(0))
        await run.publish([order for pair in zip(waiting, others, strict=True) for order in pair])
        await until(lambda: run.journal() == len(waiting))
        assert executed(database, token(1)) == [order.order_id for order in others]
        assert executed(database, token(0)) == []
        assert await release(database, broker, token(0))
        await until(lambda: run.journal() == 0)
    assert executed(database, token(0)) == [order.order_id for order in waiting]
    check(database)


async def test_a_hold_outlives_the_process(database: Database) -> None:
    async with broker_on(database) as broker:
        await hold(database, broker, token(0))
        for order in buys(range(3), on=0) + buys(range(3, 4), on=1):
            await broker.publish(order.token, order.encoded())
    async with broker_on(database) as broker, running(database, broker) as run:
        await until(lambda: run.journal() == 3)
        await release(database, broker, token(0))
        await until(lambda: run.journal() == 0)
    assert len(executed(database, token(0))) == 3


async def test_a_token_that_is_none_cannot_be_held(database: Database) -> None:
    async with broker_on(database) as broker:
        with pytest.raises(UnknownToken):
            await hold(database, broker, "nobody")


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
def workers(tmp_path: Path, server: Database, prefix: str, market: Market) -> Iterator[Fleet]:
    with running_localnet(tmp_path / "chain") as chain, fleet(tmp_path, server, prefix, chain.rpc_url) as workers:
        yield workers


@pytest.mark.slow
async def test_every_worker_heeds_a_hold_while_orders_flow(market: Market, workers: Fleet, server: Database) -> None:
    for worker in (workers.start(), workers.start()):
        await eventually(lambda worker=worker: bool(worker.lines("receiving: ")))
    for worker in workers.workers:
        await eventually(lambda worker=worker: worker.number("workers") == 2)
        await eventually(receiving(worker, TOKENS))
    stop = asyncio.Event()
    flow = asyncio.create_task(market.publish_until(stop, 0.05))
    try:
        await asyncio.sleep(1)
        await hold(server, market.broker, HELD)
        await eventually(lambda: all(worker.lines("gave up what is held") for worker in workers.workers))
        done = len(executed(server, HELD))
        await asyncio.sleep(1)
        assert len(executed(server, HELD)) == done
    finally:
        stop.set()
        await flow
    waiting = len(market.published[HELD]) - done
    assert waiting > 0
    await eventually(lambda: market.final() == market.count - waiting)
    await release(server, market.broker, HELD)
    await market.all_final()
    market.check_order()
    check(server)
