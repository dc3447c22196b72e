"""The production stack: RabbitMQ, PostgreSQL and Redis, and every worker a process of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import orjson

from benchmarks import servers
from benchmarks.drain import Drained, publish_all
from benchmarks.processes import Service, running
from benchmarks.seeding import all_tokens, first_decision_ms, sequence_numbers
from benchmarks.stacks import Limit, StackName, Used, localnet, opened_hub
from engine import settings
from engine.bootstrap import open_services
from engine.identifiers import TokenAddress
from engine.live import Hub
from engine.persistence.database import Database
from engine.ports import Consumer, Subscription
from engine.services import Services
from engine.trading import events
from engine.trading.orders import Order

RECEIVING: Final = "receiving: "
"""What a trade worker logs once it listens to every queue."""

REPAIR_S: Final = 1.0
"""Live events may be lost; so long without one and the database is asked, as the hub does."""

DRAIN_LIMIT_S: Final = 600
TAKEN_AT_ONCE: Final = 200


class Progress:
    """How many trades are committed and published, read off the board's headlines."""

    def __init__(self, services: Services, subscription: Subscription) -> None:
        self._services = services
        self._subscription = subscription
        self._seqs: dict[str, int] = {}
        self.headlines = 0
        self._task = asyncio.create_task(self._listen())

    @property
    def trades(self) -> int:
        """As many as were heard of."""
        return sum(self._seqs.values())

    async def reach(self, trades: int, worker: Service) -> None:
        """Wait until so many trades have been heard of.

        Raises:
            RuntimeError: the worker ended before.
            TimeoutError: they never were.
        """
        async with asyncio.timeout(DRAIN_LIMIT_S):
            repair_s = time.monotonic() + REPAIR_S
            while self.trades < trades:
                worker.check()
                await asyncio.sleep(0.005)
                if time.monotonic() > repair_s:
                    self._seqs |= await self._services.database.read(sequence_numbers)
                    repair_s = time.monotonic() + REPAIR_S

    async def close(self) -> None:
        """Stop listening."""
        await self._subscription.close()
        await self._task

    async def _listen(self) -> None:
        async for message in self._subscription:
            event = orjson.loads(message.payload or b"{}")
            if event.get("type") == "headline" and event["token"] in self._seqs:
                self.headlines += 1
                self._seqs[event["token"]] = max(event["seq"], self._seqs[event["token"]])

    def watch(self, tokens: Sequence[TokenAddress]) -> None:
        """Count these tokens' trades, and nobody else's who uses the same Redis."""
        self._seqs |= dict.fromkeys(tokens, 0)


class ProductionStack:
    """The trade worker is one process; so are settlement, indicators and localnet in the whole product."""

    name = StackName.PRODUCTION

    @asynccontextmanager
    async def bare(self, directory: Path) -> AsyncIterator[Services]:
        """See `Stack.bare`; localnet runs all the same, because a worker asks it what a token account costs."""
        async with self._stack(directory) as services:
            yield services

    @asynccontextmanager
    async def whole(self, directory: Path) -> AsyncIterator[tuple[Services, Hub]]:
        """See `Stack.whole`; the trade worker comes with `trading`."""
        async with self._stack(directory) as services:
            environ = environment(services)
            async with (
                running("settle", environ, directory),
                running("indicators", environ, directory),
                opened_hub(services) as hub,
            ):
                yield services, hub

    @contextmanager
    def database(self, directory: Path) -> Iterator[Database]:
        """See `Stack.database`."""
        with servers.own_database() as url:
            database = Database(url)
            try:
                database.migrate()
                yield database
            finally:
                database.close()

    @asynccontextmanager
    async def trading(self, services: Services) -> AsyncIterator[Used]:
        """See `Stack.trading`: one worker process, with everything it does from its start to its end."""
        used = Used()
        async with running("trade", environment(services), services.settings.data_dir) as worker:
            await worker.said(RECEIVING)
            cpu_s = worker.cpu_s
            yield used
            used.cpu_s = worker.cpu_s - cpu_s
            await worker.stop()
            used.statements = worker.executed()["statements"]

    async def drain(self, services: Services, tokens: Sequence[TokenAddress], orders: Sequence[Order]) -> Drained:
        """See `Stack.drain`: timed from the first batch's moment of decision to the last headline on the bus."""
        accept_s = await publish_all(services, orders)
        progress = Progress(services, await services.bus.subscribe(events.BOARD))
        progress.watch(tokens)
        async with running("trade", environment(services), services.settings.data_dir) as worker:
            await progress.reach(1, worker)
            cpu_s, before = worker.cpu_s, progress.trades
            await progress.reach(len(orders), worker)
            ended_ms = time.time() * 1000
            cpu_s = (worker.cpu_s - cpu_s) * len(orders) / (len(orders) - before)  # without its start
            memory_mb = worker.memory_mb
            await worker.stop()
            executed = worker.executed()
        await progress.close()
        started_ms = await services.database.read(first_decision_ms)
        return Drained(
            orders=executed["orders"],
            trades=executed["trades"],
            batches=executed["batches"],
            events=progress.headlines,
            accept_s=accept_s,
            wall_s=(ended_ms - started_ms) / 1000,
            cpu_s=cpu_s,
            statements=executed["statements"],
            memory_mb=memory_mb,
        )

    async def broker_limit(self, services: Services, orders: Sequence[Order]) -> Limit:
        """The same orders through the same queues once more, only taken and acknowledged, by nobody else."""
        await publish_all(services, orders)
        consumer = await services.broker.consume()
        try:
            left = len(orders) - await _take(consumer)
            started_s = time.perf_counter()
            timed = left
            while left:
                left -= await _take(consumer)
            return Limit(timed, time.perf_counter() - started_s)
        finally:
            await consumer.close()

    @asynccontextmanager
    async def _stack(self, directory: Path) -> AsyncIterator[Services]:
        with servers.own_database() as url:
            async with localnet(directory / "chain") as port:
                environ = {
                    "BLITZ_DATA_DIR": str(directory),
                    "BLITZ_DATABASE_URL": url,
                    "BLITZ_BROKER_URL": servers.BROKER_URL,
                    "BLITZ_BROKER_PREFIX": servers.own_prefix(),
                    "BLITZ_REDIS_URL": servers.REDIS_URL,
                    "BLITZ_SOLANA_RPC_URL": f"http://127.0.0.1:{port}",
                    "BLITZ_SOLANA_WS_URL": f"ws://127.0.0.1:{port + 1}",
                }
                async with open_services(settings.load(environ)) as services:
                    try:
                        yield services
                    finally:
                        tokens = await services.database.read(all_tokens)
                        await servers.delete_queues(services.settings.broker_prefix, tokens)


async def _take(consumer: Consumer) -> int:
    batch = await consumer.next_batch(TAKEN_AT_ONCE)
    await consumer.ack(batch)
    return len(batch)


def environment(services: Services) -> dict[str, str]:
    """What makes a process work beside these services."""
    found = services.settings
    return {
        "BLITZ_DATA_DIR": str(found.data_dir),
        "BLITZ_DATABASE_URL": found.database_url,
        "BLITZ_BROKER_URL": found.broker_url,
        "BLITZ_BROKER_PREFIX": found.broker_prefix,
        "BLITZ_REDIS_URL": found.redis_url,
        "BLITZ_SOLANA_RPC_URL": found.solana_rpc_url,
        "BLITZ_SOLANA_WS_URL": found.solana_ws_url,
    }
