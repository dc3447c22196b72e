"""The stacks that can be measured: the same trade path over different databases, brokers and buses."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from engine.adapters.broker_sqlite import SqliteBroker
from engine.adapters.bus_memory import MemoryBus
from engine.clock import SystemClock
from engine.persistence.database import Database
from engine.ports import Broker, Bus
from engine.trading.worker import TradeWorker

ACCOUNT_RENT_LAMPORTS: Final = 2_074_080


class StackName(StrEnum):
    """What can be asked for on the command line."""

    EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class TradePath:
    """The parts of one trade path."""

    database: Database
    broker: Broker
    bus: Bus

    def worker(self) -> TradeWorker:
        """A trade worker over these parts, with the settings' defaults."""
        return TradeWorker(self.database, self.broker, self.bus, SystemClock(), ACCOUNT_RENT_LAMPORTS)


class Stack(Protocol):
    """One way to run the trade path."""

    name: StackName

    def open(self, directory: Path) -> AbstractAsyncContextManager[TradePath]:
        """A fresh, empty, migrated trade path, closed at the end of the block."""
        ...


class EmbeddedStack:
    """One process: SQLite, the journal broker on the same file, the memory bus."""

    name = StackName.EMBEDDED

    @asynccontextmanager
    async def open(self, directory: Path) -> AsyncIterator[TradePath]:
        """See `Stack.open`."""
        database = Database(f"sqlite:///{directory / 'trade_path.db'}")
        database.migrate()
        broker, bus = SqliteBroker(database), MemoryBus()
        await broker.open()
        try:
            yield TradePath(database, broker, bus)
        finally:
            await bus.close()
            await broker.close()
            database.close()


STACKS: Final[dict[StackName, Stack]] = {StackName.EMBEDDED: EmbeddedStack()}
