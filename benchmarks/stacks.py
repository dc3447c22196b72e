"""The stacks that can be measured: the same trade path over different databases, brokers and buses."""

import asyncio
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from blitzhub.embedded import run_workers
from engine import settings
from engine.bootstrap import open_services
from engine.live import DatabaseSource, Hub
from engine.services import Services
from engine.trading.worker import TradeWorker
from workers import trade

ACCOUNT_RENT_LAMPORTS: Final = 2_074_080
"""What a Token-2022 account costs; the legs without a chain cannot ask."""

START_LIMIT_S: Final = 30


class StackName(StrEnum):
    """What can be asked for on the command line."""

    EMBEDDED = "embedded"


class Stack(Protocol):
    """One way to run the product; each block begins empty and migrated."""

    name: StackName

    def bare(self, directory: Path) -> AbstractAsyncContextManager[Services]:
        """The services alone: database, broker and bus; nothing runs and there is no chain."""
        ...

    def whole(self, directory: Path) -> AbstractAsyncContextManager[tuple[Services, Hub]]:
        """Everything as the product runs it: a chain, the trade, settlement and indicators workers, and the hub."""
        ...


def trade_worker(services: Services) -> TradeWorker:
    """A trade worker for the legs without a chain."""
    return trade.create(services, ACCOUNT_RENT_LAMPORTS)


class EmbeddedStack:
    """One process: SQLite, the journal broker on the same file, the memory bus; localnet is a process of its own."""

    name = StackName.EMBEDDED

    @asynccontextmanager
    async def bare(self, directory: Path) -> AsyncIterator[Services]:
        """See `Stack.bare`."""
        async with open_services(settings.load({"BLITZ_DATA_DIR": str(directory)})) as services:
            yield services

    @asynccontextmanager
    async def whole(self, directory: Path) -> AsyncIterator[tuple[Services, Hub]]:
        """See `Stack.whole`; composed as the app's lifespan does it."""
        async with _localnet(directory / "chain") as port:
            environ = {
                "BLITZ_DATA_DIR": str(directory),
                "BLITZ_SOLANA_RPC_URL": f"http://127.0.0.1:{port}",
                "BLITZ_SOLANA_WS_URL": f"ws://127.0.0.1:{port + 1}",
            }
            async with open_services(settings.load(environ)) as services:
                frames_per_s = services.settings.market_frames_per_s
                hub = Hub(DatabaseSource(services.database), services.bus, services.clock, frames_per_s)
                await hub.start()
                try:
                    async with run_workers(services):
                        yield services, hub
                finally:
                    await hub.close()


@asynccontextmanager
async def _localnet(data: Path) -> AsyncIterator[int]:
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


STACKS: Final[dict[StackName, Stack]] = {StackName.EMBEDDED: EmbeddedStack()}
