"""How long nobody serves: from a trade worker's start, while a second one joins, and after one of the two is gone.

`python -m benchmarks.failover [--tokens 5000] [--sample 100] [--json]` on the servers of `benchmarks/servers.py`. The
queues are made and deleted one after the other: RabbitMQ 3.10 does not bear hundreds of quorum queues at once.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import orjson
import uvloop

from benchmarks.processes import Service, running
from benchmarks.production import ProductionStack, environment
from benchmarks.seeding import write_market
from benchmarks.tape import TapeMaker, invented_market
from engine.adapters.rabbitmq.sharing import shares
from engine.identifiers import TokenAddress
from engine.persistence.trading import known_orders
from engine.services import Services

ACCOUNTS: Final = 50
POLL_S: Final = 0.01
READY_LIMIT_S: Final = 120.0
FILL_LIMIT_S: Final = 60.0
REST_S: Final = 2.0
"""Before a measurement, so that it does not begin in the last one's wake."""

FLOW_EVERY_S: Final = 0.1
FLOW_TOKENS: Final = 5


class Crowd:
    """Orders on chosen tokens, and how long each of them waited until it was final."""

    def __init__(self, services: Services, tape: TapeMaker) -> None:
        self._services = services
        self._tape = tape

    async def waits_s(self, tokens: Sequence[TokenAddress]) -> list[float]:
        """One order on each token at once; the seconds from this call until each was final, rising.

        Raises:
            TimeoutError: one was not within a minute.
        """
        started_s = time.monotonic()
        orders = [self._tape.buy(token) for token in tokens]
        publishing = asyncio.gather(*(self._services.broker.publish(each.token, each.encoded()) for each in orders))
        final_s: dict[str, float] = {}
        async with asyncio.timeout(FILL_LIMIT_S):
            while len(final_s) < len(orders):
                waiting = [order.order_id for order in orders if order.order_id not in final_s]
                known = await self._services.database.read(partial(known_orders, order_ids=waiting))
                final_s |= dict.fromkeys(known, time.monotonic() - started_s)
                await asyncio.sleep(POLL_S)
        await publishing
        return sorted(final_s.values())

    @asynccontextmanager
    async def flow(self, tokens: Sequence[TokenAddress]) -> AsyncIterator[list[float]]:
        """Fifty orders a second on tokens here and there while the block runs; after it, how long each waited."""
        found: list[float] = []
        rounds: list[asyncio.Task[list[float]]] = []

        async def run() -> None:
            while True:
                rounds.append(asyncio.create_task(self.waits_s(_some(tokens, FLOW_TOKENS))))
                await asyncio.sleep(FLOW_EVERY_S)

        running_flow = asyncio.create_task(run())
        try:
            yield found
        finally:
            running_flow.cancel()
            found += [wait_s for waits in await asyncio.gather(*rounds) for wait_s in waits]


class Fleet:
    """The trade workers, and which token is whose. Every worker ends with the stack of contexts."""

    def __init__(self, services: Services, tokens: Sequence[TokenAddress], stack: AsyncExitStack) -> None:
        self._services = services
        self._tokens = tokens
        self._stack = stack

    async def start(self) -> Service:
        """One worker more."""
        started = running("trade", environment(self._services), self._services.settings.data_dir)
        return await self._stack.enter_async_context(started)

    async def ready(self, *workers: Service) -> None:
        """Wait until these share the tokens, and each stands by on the others' too.

        Raises:
            RuntimeError: one of them ended.
            TimeoutError: they did not within two minutes.
        """
        async with asyncio.timeout(READY_LIMIT_S):
            while not all(self._is_ready(worker, len(workers)) for worker in workers):
                for worker in workers:
                    worker.check()
                await asyncio.sleep(POLL_S)

    def _is_ready(self, worker: Service, workers: int) -> bool:
        said = worker.last("receiving: ")
        if not said or int(said["workers"]) != workers:
            return False
        return int(said["own_tokens"]) + int(said["stand_by"]) == len(self._tokens)

    def own(self, worker: Service, *workers: Service) -> list[TokenAddress]:
        """The tokens that the first one serves while these live."""
        names = [each.last("receiving: ")["worker"] for each in workers]
        own, _ = shares(self._tokens, names, worker.last("receiving: ")["worker"])
        return [TokenAddress(token) for token in own]


async def measure(crowd: Crowd, fleet: Fleet, tokens: Sequence[TokenAddress], sample: int) -> dict[str, float]:
    """Every figure in seconds: start, join, SIGKILL, SIGTERM."""
    queued = asyncio.create_task(crowd.waits_s(_some(tokens, sample)))
    await asyncio.sleep(REST_S)
    first = await fleet.start()
    served = [wait_s - REST_S for wait_s in await queued]
    await fleet.ready(first)
    async with crowd.flow(tokens) as joined:
        await asyncio.sleep(REST_S)
        started_s = time.monotonic()
        second = await fleet.start()
        await fleet.ready(first, second)
        join_s = time.monotonic() - started_s
    killed = await _without(crowd, first, fleet.own(first, first, second), signal.SIGKILL, sample)
    third = await fleet.start()
    await fleet.ready(second, third)
    stopped = await _without(crowd, second, fleet.own(second, second, third), signal.SIGTERM, sample)
    return {
        "start_first_fill_s": served[0],
        "start_last_fill_s": served[-1],
        "join_s": join_s,
        "join_longest_wait_s": max(joined),
        "kill_first_fill_s": killed[0],
        "kill_last_fill_s": killed[-1],
        "stop_first_fill_s": stopped[0],
        "stop_last_fill_s": stopped[-1],
    }


async def _without(
    crowd: Crowd, worker: Service, own: Sequence[TokenAddress], number: signal.Signals, sample: int
) -> list[float]:
    """End the worker; the seconds from the signal until orders on its tokens were filled by the other one."""
    await asyncio.sleep(REST_S)
    worker.signal(number)
    return await crowd.waits_s(_some(own, sample))


def _some(tokens: Sequence[TokenAddress], count: int) -> list[TokenAddress]:
    return random.sample(tokens, min(count, len(tokens)))


async def run(options: argparse.Namespace, directory: Path) -> dict[str, float | int]:
    """Make the market and its queues, and measure."""
    market = invented_market(options.tokens, ACCOUNTS, seed=time.time_ns())
    async with ProductionStack().bare(directory) as services, AsyncExitStack() as stack:
        await services.database.write(partial(write_market, market))
        started_s = time.monotonic()
        for token in market.tokens:
            await services.broker.declare(token)
        declare_s = time.monotonic() - started_s
        fleet = Fleet(services, market.tokens, stack)
        found = await measure(Crowd(services, TapeMaker(market)), fleet, market.tokens, options.sample)
    figures = {name: round(value, 2) for name, value in (found | {"declare_s": declare_s}).items()}
    return {"tokens": options.tokens, "sample": options.sample, **figures}


_ROWS: Final = (
    ("start_first_fill_s", "from a worker's start until it filled an order on one of the sampled tokens"),
    ("start_last_fill_s", "… on every one of them"),
    ("join_s", "from a second worker's start until both share the tokens and stand by on each other's"),
    ("join_longest_wait_s", "the longest that an order waited meanwhile, of fifty a second"),
    ("kill_first_fill_s", "from SIGKILL until the other worker filled an order on one of the dead one's tokens"),
    ("kill_last_fill_s", "… on every sampled one of them"),
    ("stop_first_fill_s", "the same after SIGTERM"),
    ("stop_last_fill_s", "…"),
    ("declare_s", "to make the queues"),
)


def table(figures: dict[str, float | int]) -> str:
    """The figures as lines of text."""
    lines = [f"{figures['tokens']} tokens, orders on {figures['sample']} of them", ""]
    return "\n".join(lines + [f"{key:<20}{figures[key]:>8.2f}  {note}" for key, note in _ROWS])


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.failover", description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=5_000, help="default: %(default)s")
    parser.add_argument("--sample", type=int, default=100, help="tokens that get an order (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="end with the figures as one JSON line")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Measure and print what was found."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="blitzhub-failover-") as directory:
        figures = uvloop.run(run(options, Path(directory)))
    print(table(figures))
    if options.json:
        print(orjson.dumps(figures).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
