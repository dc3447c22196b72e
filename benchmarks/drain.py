"""How fast a backlog drains: orders wait in the broker, then the worker executes them all."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.seeding import ACCOUNT_RENT_LAMPORTS
from engine.identifiers import TokenAddress
from engine.ports import Subscription
from engine.services import Services
from engine.trading import events
from engine.trading.orders import Order
from workers import trade

POLL_S = 0.01
PUBLISHED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Drained:
    """One drain, from the worker's start to its last event; CPU seconds are the whole process's the worker is in."""

    orders: int
    trades: int
    batches: int
    events: int
    accept_s: float
    wall_s: float
    cpu_s: float
    statements: int
    memory_mb: float = 0.0
    """The most that a worker in a process of its own had resident."""


async def drain(services: Services, tokens: Sequence[TokenAddress], orders: Sequence[Order]) -> Drained:
    """Publish every order, then time a worker in this process until all are decided, acknowledged and published."""
    accept_s = await publish_all(services, orders)
    subscription = await services.bus.subscribe(*(events.token_channel(token) for token in tokens), events.BOARD)
    listening = asyncio.create_task(_count(subscription))
    worker, stop = trade.create(services, ACCOUNT_RENT_LAMPORTS), asyncio.Event()
    statements, cpu_s, started_s = services.database.statements, time.process_time(), time.perf_counter()
    running = asyncio.create_task(worker.run(stop))
    while worker.metrics.orders < len(orders) and not running.done():
        await asyncio.wait((running,), timeout=POLL_S)
    stop.set()
    await running
    await subscription.close()
    received = await listening
    return Drained(
        orders=worker.metrics.orders,
        trades=worker.metrics.trades,
        batches=worker.metrics.batches,
        events=received,
        accept_s=accept_s,
        wall_s=time.perf_counter() - started_s,
        cpu_s=time.process_time() - cpu_s,
        statements=services.database.statements - statements,
    )


async def publish_all(services: Services, orders: Sequence[Order]) -> float:
    """Publish the orders in their order, many at once as a busy API does; the seconds it took."""
    started_s = time.perf_counter()
    for first in range(0, len(orders), PUBLISHED_AT_ONCE):
        part = orders[first : first + PUBLISHED_AT_ONCE]
        await asyncio.gather(*(services.broker.publish(order.token, order.encoded()) for order in part))
    return time.perf_counter() - started_s


async def _count(subscription: Subscription) -> int:
    received = 0
    async for _ in subscription:
        received += 1
    return received
