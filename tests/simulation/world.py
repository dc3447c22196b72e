"""The platform of a schedule: its processes, what they share, and the supervisor that starts them again."""

import asyncio
import hashlib
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

from engine.adapters.bus_memory import MemoryBus, MemoryCache
from engine.adapters.keys_seed import SeedKeyStore
from engine.services import Services
from engine.settings import Settings
from engine.settlement.signer import LocalSigner
from engine.settlement.transactions import ComputeBudget
from engine.trading.token_cache import WriteThroughBus
from tests.fakes import START_MS
from tests.simulation.broker import Exchange, SimulatedBroker
from tests.simulation.chain import Cluster, SimulatedChain
from tests.simulation.database import Disk, SimulatedDatabase
from tests.simulation.hosts import DETECTION_S, Chaos, Host, now
from workers import settle, trade

log = logging.getLogger(__name__)

RESTART_S: Final = 1.0
SETTINGS: Final = Settings(data_dir=Path("/nonexistent"), public_url="https://localhost:8600", confirm_poll_ms=300)

Main = Callable[[Services], Awaitable[None]]


class VirtualClock:
    """The loop's time; each process's clock is a little off."""

    def __init__(self, skew_ms: int) -> None:
        self._skew_ms = skew_ms

    def now_ms(self) -> int:
        return START_MS + int(now() * 1_000) + self._skew_ms


class MemoryKeys(SeedKeyStore):
    """The embedded key store with the schedule's own seed."""

    def __init__(self, seed: int) -> None:
        self._seed = hashlib.blake2b(str(seed).encode(), digest_size=32).digest()
        self._keys = {}


class Platform:
    """Everything that survives a kill, and the processes around it."""

    def __init__(self, seed: int, chaos: Chaos) -> None:
        self._rng, self._chaos = random.Random(f"platform {seed}"), chaos
        self.disk = Disk("ledger")
        self.exchange = Exchange(self._rng)
        self.cluster = Cluster(seed, self._rng, chaos)
        self.keys = MemoryKeys(seed)
        self._bus, self._cache = MemoryBus(), MemoryCache(VirtualClock(0))
        self.hosts: dict[str, Host] = {}
        self.apis: dict[str, Services] = {}
        self.crashes: list[str] = []
        self._background: list[asyncio.Task[None]] = []
        self._past: list[Host] = []

    def start(self) -> None:
        """Start the cluster and every process; whichever dies is started again."""
        self._background.append(asyncio.create_task(self.cluster.run()))
        for name in ("eu", "na"):
            self._background.append(asyncio.create_task(self._supervise(name, partial(self._api, name))))
        for name, main in (
            ("trade 1", _trade),
            ("trade 2", _trade),
            ("settle 1", partial(_settle, "one")),
            ("settle 2", partial(_settle, "two")),
        ):
            self._background.append(asyncio.create_task(self._supervise(name, main)))

    async def stop(self) -> None:
        """End every task."""
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1.0)

    def services(self, host: Host) -> Services:
        """What a process opens when it starts."""
        clock = VirtualClock(self._rng.randrange(-200, 200))
        database = SimulatedDatabase(self.disk, host)
        budget = ComputeBudget(SETTINGS.compute_unit_limit, SETTINGS.compute_unit_price_microlamports)
        return Services(
            settings=SETTINGS,
            clock=clock,
            database=database,  # type: ignore[arg-type]  # what services use of it
            broker=SimulatedBroker(self.exchange, host),
            bus=WriteThroughBus(self._bus, self._cache),
            cache=self._cache,
            chain=SimulatedChain(self.cluster, host),
            signer=LocalSigner(self.keys, database, clock, budget),  # type: ignore[arg-type]
        )

    async def _supervise(self, name: str, main: Main) -> None:
        while True:
            host = self.hosts[name] = Host(name, self._chaos)
            self._past.append(host)  # whoever waits for nothing is collected, and complains
            died = asyncio.Event()
            host.on_kill(died.set)
            running = asyncio.create_task(_run(main, self.services(host)), name=name)
            host.tasks.append(running)
            waiting = asyncio.create_task(died.wait())
            await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if running.done() and not running.cancelled() and running.exception() is not None:
                self.crashes.append(f"{name}: {running.exception()!r}")
                log.error("%s crashed", name, exc_info=running.exception())
                host.kill()
            await asyncio.sleep(DETECTION_S + self._chaos.rng.uniform(0, RESTART_S))

    async def _api(self, name: str, services: Services) -> None:
        self.apis[name] = services
        await asyncio.Event().wait()


async def _run(main: Main, services: Services) -> None:
    await main(services)


async def _trade(services: Services) -> None:
    rent_lamports = await trade.account_rent_lamports(services, asyncio.Event())
    assert rent_lamports is not None
    await trade.create(services, rent_lamports).run(asyncio.Event())


async def _settle(name: str, services: Services) -> None:
    await settle.run(services, asyncio.Event(), name)
