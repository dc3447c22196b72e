"""Parked orders: they come from the dead-letter queue and from the worker, and an operator ends each exactly once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from engine.adapters.bus_memory import MemoryBus
from engine.adapters.rabbitmq.broker import RabbitBroker
from engine.adapters.rabbitmq.topology import DELIVERY_LIMIT, Topology
from engine.identifiers import TokenAddress
from engine.persistence import parked
from engine.persistence.database import Database
from engine.settings import Settings
from engine.trading import parking
from engine.trading.orders import Order, OrderState, Side
from engine.trading.worker import TradeWorker
from tests import rabbit
from tests.fakes import FakeClock
from tests.integration.trading.running import LIMIT_S, ScriptedBroker, ScriptedConsumer, until
from tests.ledger import ONE_SOL, RENT, all_of, check, make_order, token


class Desk:
    """An operator's services and worker over a test's database."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database, self.clock, self.bus = database, FakeClock(), MemoryBus()
        settings = Settings(data_dir=directory)
        self.services: Any = SimpleNamespace(database=database, clock=self.clock, bus=self.bus, settings=settings)
        self.worker = TradeWorker(database, ScriptedBroker(ScriptedConsumer([])), self.bus, self.clock, RENT)

    async def park(self, *orders: Order) -> None:
        rows = [parked.parked_row(order.token, order.encoded(), "delivery_limit", 1) for order in orders]
        await self.database.write(lambda connection: parked.park(rows, connection))

    async def waiting(self) -> list[str]:
        return [row["parked_id"] for row in await self.database.read(parked.waiting)]

    async def replay(self, parked_id: str) -> OrderState | None:
        return await parking.replay(self.services, self.worker, parked_id)

    async def reject(self, parked_id: str, why: str = "it broke the engine") -> OrderState | None:
        return await parking.reject(self.services, self.worker, parked_id, why)

    def orders(self) -> list[dict[str, Any]]:
        with self.database.snapshot() as connection:
            return all_of(connection, "orders")


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


async def test_a_replayed_order_gets_a_new_deadline_and_is_executed(desk: Desk) -> None:
    order = make_order(Side.BUY, ONE_SOL, deadline_ms=desk.clock.now_ms() - 1)
    await desk.park(order)
    assert await desk.replay(order.order_id) is OrderState.FILLED
    assert await desk.waiting() == []
    [row] = desk.orders()
    assert row["deadline_ms"] == desk.clock.now_ms() + 60_000
    check(desk.database)


async def test_a_rejected_order_is_recorded_with_its_reason(desk: Desk) -> None:
    order = make_order(Side.BUY, ONE_SOL)
    await desk.park(order)
    assert await desk.reject(order.order_id, "we could not") is OrderState.REJECTED
    [row] = desk.orders()
    assert (row["state"], row["reason"], row["detail"]) == ("rejected", "engine_error", "we could not")
    check(desk.database)


async def test_an_order_is_ended_once_whoever_tries_and_however_often(desk: Desk) -> None:
    order = make_order(Side.BUY, ONE_SOL)
    await desk.park(order)
    attempts = [desk.replay(order.order_id), desk.reject(order.order_id), desk.replay(order.order_id)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(result, parking.AlreadyEnded) for result in results) == 2
    with pytest.raises(parking.AlreadyEnded):
        await desk.reject(order.order_id)
    assert len(desk.orders()) == 1
    check(desk.database)


async def test_what_is_not_parked_cannot_be_ended(desk: Desk) -> None:
    with pytest.raises(parking.NotParked):
        await desk.replay("0" * 32)


async def test_a_replay_that_fails_leaves_the_order_parked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    order = make_order(Side.BUY, ONE_SOL)
    await desk.park(order)
    with monkeypatch.context() as broken:
        broken.setattr(desk.worker, "execute", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await desk.replay(order.order_id)
    assert await desk.waiting() == [order.order_id]
    assert await desk.replay(order.order_id) is OrderState.FILLED


async def test_a_final_order_is_not_parked_and_one_that_comes_back_is_parked_again(desk: Desk) -> None:
    final, again = make_order(Side.BUY, ONE_SOL), make_order(Side.BUY, ONE_SOL, number=1)
    await desk.park(final)
    await desk.replay(final.order_id)
    await desk.park(final, again, again._replace(simulated=True))
    assert await desk.waiting() == [again.order_id]


async def test_an_unreadable_message_can_only_be_dropped(desk: Desk) -> None:
    row = parked.parked_row(token(0), b"what is this", "unreadable", 1)
    await desk.database.write(lambda connection: parked.park([row], connection))
    with pytest.raises(parking.NothingToReplay):
        await desk.replay(row["parked_id"])
    assert await desk.waiting() == [row["parked_id"]]
    assert "what is this" in parking.summary(await desk.database.read(parked.waiting))[0]
    assert await desk.reject(row["parked_id"]) is None
    assert (await desk.waiting(), desk.orders()) == ([], [])


@pytest.fixture
def prefix() -> Iterator[str]:
    with rabbit.own_prefix([token(0)]) as prefix:
        yield prefix


async def test_an_order_beyond_the_delivery_limit_is_parked_and_its_queue_goes_on(desk: Desk, prefix: str) -> None:
    async def tokens() -> list[TokenAddress]:
        return [token(0)]

    broker = RabbitBroker(rabbit.URL, tokens, prefix)
    poison, next_one = make_order(Side.BUY, ONE_SOL), make_order(Side.BUY, ONE_SOL, number=1)
    await broker.declare(token(0))
    await broker.publish(token(0), poison.encoded())
    await broker.publish(token(0), next_one.encoded())
    assert await given_back_until_gone(Topology(prefix).queue(token(0)), poison.encoded()) == DELIVERY_LIMIT + 1
    dead = await broker.dead_letters()
    collecting = asyncio.create_task(parking.collect(desk.database, desk.clock, dead))
    await until(lambda: all_parked(desk.database) == [poison.order_id])
    collecting.cancel()
    await asyncio.wait((collecting,))
    await dead.close()
    consumer = await broker.consume()
    assert [each.body for each in await consumer.next_batch(10)] == [next_one.encoded()]
    await consumer.close()
    await broker.close()
    assert await desk.replay(poison.order_id) is OrderState.FILLED


async def given_back_until_gone(queue: str, poison: bytes) -> int:
    """Receive the queue's first message and return it, as a worker does that dies; how often until another is first."""
    received: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
    async with rabbit.channel() as channel, asyncio.timeout(LIMIT_S):
        await channel.basic_qos(prefetch_count=1)
        await channel.basic_consume(queue, received.put)
        count = 0
        while (message := await received.get()).body == poison:
            count += 1
            assert isinstance(message.delivery, Basic.Deliver)
            await channel.basic_nack(message.delivery.delivery_tag or 0, requeue=True)
        return count


def all_parked(database: Database) -> list[str]:
    with database.snapshot() as connection:
        return [row["parked_id"] for row in parked.waiting(connection)]
