"""The stacks that can be measured: the same trade path over different databases, brokers and buses."""

import asyncio
import socket
import sys
import time
import uuid
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from benchmarks.drain import Drained, drain
from blitzhub.embedded import run_workers
from engine import settings
from engine.bootstrap import open_services
from engine.identifiers import TokenAddress
from engine.live import DatabaseSource, Hub
from engine.persistence.database import Database
from engine.services import Services
from engine.trading.orders import Order

START_LIMIT_S: Final = 30


class StackName(StrEnum):
    """What can be asked for on the command line."""

    EMBEDDED = "embedded"
    PRODUCTION = "production"


@dataclass(slots=True)
class Used:
    """What trading took: statements, and CPU seconds of the process the trade worker is in."""

    statements: int = 0
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Limit:
    """The broker alone: messages taken and acknowledged, nothing done with them."""

    messages: int
    wall_s: float


class Stack(Protocol):
    """One way to run the product; each block begins empty and migrated."""

    name: StackName

    def bare(self, directory: Path) -> AbstractAsyncContextManager[Services]:
        """The services alone: database, broker and bus; no worker runs."""
        ...

    def whole(self, directory: Path) -> AbstractAsyncContextManager[tuple[Services, Hub]]:
        """Everything as the product runs it: a chain, the settlement and indicators workers, and the hub."""
        ...

    def database(self, directory: Path) -> AbstractContextManager[Database]:
        """Another database of the same kind, empty and migrated."""
        ...

    def trading(self, services: Services) -> AbstractAsyncContextManager[Used]:
        """The whole product with its trade worker; what that took is filled in at the block's end."""
        ...

    async def drain(self, services: Services, tokens: Sequence[TokenAddress], orders: Sequence[Order]) -> Drained:
        """Publish every order, then time one worker until all are committed and published."""
        ...

    async def broker_limit(self, services: Services, orders: Sequence[Order]) -> Limit | None:
        """How fast the broker alone hands out these orders after a drain, where it is a server."""
        ...


class EmbeddedStack:
    """One process: SQLite, the journal broker on the same file, the memory bus; localnet is a process of its own."""

    name = StackName.EMBEDDED

    @asynccontextmanager
    async def bare(self, directory: Path) -> AsyncIterator[Services]:
        """See `Stack.bare`; there is no chain."""
        async with open_services(settings.load({"BLITZ_DATA_DIR": str(directory)})) as services:
            yield services

    @asynccontextmanager
    async def whole(self, directory: Path) -> AsyncIterator[tuple[Services, Hub]]:
        """See `Stack.whole`; composed as the app's lifespan does it, so the trade worker runs already."""
        async with localnet(directory / "chain") as port:
            environ = {
                "BLITZ_DATA_DIR": str(directory),
                "BLITZ_SOLANA_RPC_URL": f"http://127.0.0.1:{port}",
                "BLITZ_SOLANA_WS_URL": f"ws://127.0.0.1:{port + 1}",
            }
            async with (
                open_services(settings.load(environ)) as services,
                opened_hub(services) as hub,
                run_workers(services),
            ):
                yield services, hub

    @contextmanager
    def database(self, directory: Path) -> Iterator[Database]:
        """See `Stack.database`."""
        database = Database(f"sqlite:///{directory / uuid.uuid4().hex}.db")
        try:
            database.migrate()
            yield database
        finally:
            database.close()

    @asynccontextmanager
    async def trading(self, services: Services) -> AsyncIterator[Used]:
        """See `Stack.trading`: all that this process does, settlement included."""
        statements, cpu_s, used = services.database.statements, time.process_time(), Used()
        yield used
        used.statements, used.cpu_s = services.database.statements - statements, time.process_time() - cpu_s

    async def drain(self, services: Services, tokens: Sequence[TokenAddress], orders: Sequence[Order]) -> Drained:
        """See `Stack.drain`."""
        return await drain(services, tokens, orders)

    async def broker_limit(self, services: Services, orders: Sequence[Order]) -> Limit | None:
        """See `Stack.broker_limit`: the broker is the database itself."""
        return None


@asynccontextmanager
async def opened_hub(services: Services) -> AsyncIterator[Hub]:
    """The hub as a backend runs it."""
    hub = Hub(DatabaseSource(services.database), services.bus, services.clock, services.settings.market_frames_per_s)
    await hub.start()
    try:
        yield hub
    finally:
        await hub.close()


@asynccontextmanager
async def localnet(data: Path) -> AsyncIterator[int]:
    """A local chain of its own; the port of its HTTP side, the socket's is the next one."""
    port = _free_port_pair()
    command = (sys.executable, "-m", "workers", "localnet", "--port", str(port), "--data", str(data))
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    try:
        assert process.stdout is not None
        if not await asyncio.wait_for(process.stdout.readline(), START_LIMIT_S):
            raise RuntimeError("localnet ended before it was ready")
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _free_port_pair() -> int:
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
