"""How fast a backlog drains: orders wait in the broker, then the worker executes them all."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.stacks import trade_worker
from engine.identifiers import TokenAddress
from engine.ports import Subscription
from engine.services import Services
from engine.trading import events
from engine.trading.orders import Order

POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Drained:
    """One drain: wall and CPU seconds are the whole process's, from the worker's start to its last event."""

    orders: int
    trades: int
    batches: int
    events: int
    accept_s: float
    wall_s: float
    cpu_s: float
    statements: int


async def drain(services: Services, tokens: Sequence[TokenAddress], orders: Sequence[Order]) -> Drained:
    """Publish every order, then time the worker until all are decided, acknowledged and published."""
    accept_s = await publish_all(services, orders)
    subscription = await services.bus.subscribe(*(events.token_channel(token) for token in tokens), events.BOARD)
    listening = asyncio.create_task(_count(subscription))
    worker, stop = trade_worker(services), asyncio.Event()
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
    await asyncio.gather(*(services.broker.publish(order.token, order.encoded()) for order in orders))
    return time.perf_counter() - started_s


async def _count(subscription: Subscription) -> int:
    received = 0
    async for _ in subscription:
        received += 1
    return received
