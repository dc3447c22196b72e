"""How long one order takes at a steady rate: from accept to its fill event on the bus."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from engine.identifiers import AccountId
from engine.ports import Subscription
from engine.services import Services
from engine.trading import events
from engine.trading.orders import Order, OrderState

SETTLE_LIMIT_S = 30


@dataclass(frozen=True, slots=True)
class Paced:
    """Latencies of the fills in milliseconds, sorted; wall seconds from the first order to the last fill."""

    latencies_ms: tuple[float, ...]
    wall_s: float

    def percentile_ms(self, percent: float) -> float:
        """The latency that `percent` of the fills did not exceed (nearest rank)."""
        rank = max(1, -(-len(self.latencies_ms) * percent // 100))
        return self.latencies_ms[int(rank) - 1]


async def pace(services: Services, accounts: Sequence[AccountId], orders: Sequence[Order], per_s: float) -> Paced:
    """Publish the orders at `per_s`, each on its own moment whatever became of the one before."""
    subscription = await services.bus.subscribe(*map(events.account_channel, accounts))
    published_s: dict[str, float] = {}
    listening = asyncio.create_task(_latencies(subscription, published_s, len(orders)))
    started_s = time.perf_counter()
    publishing = []
    for number, order in enumerate(orders):
        await asyncio.sleep(max(0.0, started_s + number / per_s - time.perf_counter()))
        published_s[order.order_id] = time.perf_counter()
        publishing.append(asyncio.create_task(services.broker.publish(order.token, order.encoded())))
    await asyncio.gather(*publishing)
    latencies_s = await asyncio.wait_for(listening, SETTLE_LIMIT_S)
    wall_s = time.perf_counter() - started_s
    await subscription.close()
    return Paced(tuple(sorted(seconds * 1_000 for seconds in latencies_s)), wall_s)


async def _latencies(subscription: Subscription, published_s: dict[str, float], expected: int) -> list[float]:
    """Seconds from accept to each of the `expected` decisions; only fills count."""
    latencies: list[float] = []
    decided = 0
    async for message in subscription:
        now_s, event = time.perf_counter(), orjson.loads(message.payload)
        if event["type"] != "order" or event["order_id"] not in published_s:
            continue
        if event["state"] == OrderState.FILLED:
            latencies.append(now_s - published_s[event["order_id"]])
        decided += event["state"] in (OrderState.FILLED, OrderState.REJECTED)
        if decided == expected:
            return latencies
    return latencies
