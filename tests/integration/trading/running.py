"""A trade worker running over the embedded broker, and ways to wait for it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from engine.adapters.broker_sqlite import SqliteBroker
from engine.adapters.bus_memory import MemoryBus
from engine.persistence.database import Database
from engine.ports import Consumer, Delivery
from engine.trading.orders import Order
from engine.trading.worker import TradeWorker
from tests.fakes import FakeClock
from tests.ledger import RENT, all_of, token

LIMIT_S: Final = 30.0


@dataclass(slots=True)
class Running:
    """What a running worker stands on."""

    database: Database
    broker: SqliteBroker
    bus: MemoryBus
    clock: FakeClock
    worker: TradeWorker
    stop: asyncio.Event
    task: "asyncio.Task[None]"

    async def publish(self, orders: Sequence[Order]) -> None:
        """Queue the orders at once, in this order."""
        await asyncio.gather(*(self.broker.publish(order.token, order.encoded()) for order in orders))

    async def finished(self) -> None:
        """Stop the worker and wait for it."""
        self.stop.set()
        await asyncio.wait_for(self.task, LIMIT_S)

    def orders(self) -> dict[str, dict[str, Any]]:
        """The final orders by id."""
        with self.database.snapshot() as connection:
            return {row["order_id"]: row for row in all_of(connection, "orders")}

    def journal(self) -> int:
        """How many messages are not acknowledged."""
        with self.database.snapshot() as connection:
            return len(all_of(connection, "broker_journal"))


@asynccontextmanager
async def broker_on(database: Database, tokens: int = 3) -> AsyncIterator[SqliteBroker]:
    """The broker of this database, with a queue per token."""
    broker = SqliteBroker(database)
    await broker.open()
    for number in range(tokens):
        await broker.declare(token(number))
    yield broker
    await broker.close()


@asynccontextmanager
async def running(
    database: Database, broker: SqliteBroker, *, batch_limit: int = 200, commit_spacing_ms: int = 0
) -> AsyncIterator[Running]:
    """A worker at work; stopped at the end of the block."""
    bus, clock, stop = MemoryBus(), FakeClock(), asyncio.Event()
    worker = TradeWorker(database, broker, bus, clock, RENT, batch_limit, commit_spacing_ms)
    task = asyncio.create_task(worker.run(stop))
    running = Running(database, broker, bus, clock, worker, stop, task)
    try:
        yield running
    finally:
        stop.set()
        await asyncio.wait((task,), timeout=LIMIT_S)
        if not task.cancelled():
            task.result()


async def until(condition: Callable[[], bool]) -> None:
    """Poll until it holds."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110  files and other threads ring no event
            await asyncio.sleep(0.005)


def deliveries(orders: Sequence[Order], redelivered: bool = False) -> list[Delivery]:
    """The orders as a consumer would receive them."""
    return [Delivery(order.token, order.encoded(), tag, redelivered) for tag, order in enumerate(orders, 1)]


class ScriptedConsumer:
    """Hands out prepared batches and keeps what was acknowledged."""

    workers = 1

    def __init__(self, batches: Sequence[list[Delivery]]) -> None:
        self.batches = list(batches)
        self.acknowledged: list[int] = []
        self.closed = False

    async def next_batch(self, limit: int) -> list[Delivery]:
        if not self.batches:
            await asyncio.Event().wait()
        return self.batches.pop(0)

    async def ack(self, batch: Sequence[Delivery]) -> None:
        self.acknowledged += [delivery.tag for delivery in batch]

    async def close(self) -> None:
        self.closed = True


class ScriptedBroker:
    """A broker with one scripted consumer."""

    def __init__(self, consumer: ScriptedConsumer) -> None:
        self.consumer = consumer

    async def declare(self, token: str) -> None:
        """Every queue exists."""

    async def publish(self, token: str, body: bytes) -> None:
        raise NotImplementedError("the batches are prepared")

    async def consume(self) -> Consumer:
        return self.consumer

    async def close(self) -> None:
        """Nothing is open."""
