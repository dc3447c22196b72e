"""The outside world of a test: real SQLite, keys, bus and cache; a clock, broker and chain that a test can steer."""

import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.adapters.bus_memory import MemoryBus, MemoryCache
from engine.adapters.keys_seed import SeedKeyStore
from engine.errors import Unavailable
from engine.identifiers import TokenAddress
from engine.persistence.database import Database
from engine.ports import (
    AddressHistory,
    BalanceChange,
    Blockhash,
    ChainAccount,
    ChainBalances,
    ChainTip,
    Consumer,
    Depth,
    SignatureStatus,
)
from engine.services import Services
from engine.settings import Settings
from engine.settlement.signer import LocalSigner
from engine.settlement.transactions import ComputeBudget
from engine.trading.token_cache import WriteThroughBus

START_MS = 1_790_000_000_000


class FakeClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms

    def advance(self, by_ms: int) -> None:
        self.at_ms += by_ms


class FakeBroker:
    """Keeps what was published; `failure`, once set, is raised instead."""

    def __init__(self) -> None:
        self.declared: list[TokenAddress] = []
        self.published: list[tuple[TokenAddress, bytes]] = []
        self.failure: Exception | None = None

    async def declare(self, token: TokenAddress) -> None:
        self.declared.append(token)

    async def recheck_held(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def publish(self, token: TokenAddress, body: bytes) -> None:
        if self.failure is not None:
            raise self.failure
        self.published.append((token, body))

    async def depths(self, tokens: Sequence[TokenAddress]) -> dict[TokenAddress, Depth]:
        if isinstance(self.failure, Unavailable):
            raise self.failure
        counted = Counter(token for token, _ in self.published)
        return {token: Depth(counted[token], None) for token in tokens}

    async def consume(self) -> Consumer:
        raise NotImplementedError("this broker has no consumers")

    async def check(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        """Nothing is open."""


class FakeChain:
    """A chain on which nothing lands: it knows rents and keeps what it was asked to do."""

    def __init__(self) -> None:
        self.airdrops: list[tuple[str, int]] = []
        self.sent: list[bytes] = []

    async def latest_blockhash(self) -> Blockhash:
        return Blockhash("1" * 32, 150)

    async def send(self, transactions: Sequence[bytes]) -> list[str | None]:
        self.sent += transactions
        return [None] * len(transactions)

    async def statuses(self, signatures: Sequence[str], search_history: bool = False) -> list[SignatureStatus | None]:
        return [None] * len(signatures)

    async def confirmations(self) -> AsyncIterator[str]:
        yield ""

    async def watch(self, signatures: Sequence[str]) -> None:
        """Nothing is ever confirmed."""

    async def finalized(self) -> ChainTip:
        return ChainTip(0, 0)

    async def balances(
        self, addresses: Sequence[str], token_holdings: Sequence[tuple[str, str]], finalized: bool = False
    ) -> ChainBalances:
        return ChainBalances(0, dict.fromkeys(addresses, 0), dict.fromkeys(token_holdings, 0))

    async def accounts(self, addresses: Sequence[str]) -> list[ChainAccount | None]:
        return [None] * len(addresses)

    async def rent_lamports(self, size_bytes: int) -> int:
        return (128 + size_bytes) * 6_960

    async def histories(self, addresses: Sequence[tuple[str, str | None]]) -> list[AddressHistory]:
        return [AddressHistory(address, cursor, ()) for address, cursor in addresses]

    async def changes(self, wanted: Sequence[tuple[str, str]]) -> list[BalanceChange]:
        return [BalanceChange(signature, address, 0, 0) for address, signature in wanted]

    async def airdrop(self, address: str, lamports: int) -> str:
        self.airdrops.append((address, lamports))
        return f"airdrop{len(self.airdrops)}"

    async def slot(self) -> int:
        return 0

    async def close(self) -> None:
        """Nothing is open."""


def migrated_database(directory: Path) -> Path:
    """A new, migrated SQLite file, to be copied by every test that needs one."""
    path = directory / "migrated.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@contextmanager
def fake_services(directory: Path, migrated: Path, **settings: Any) -> Iterator[Services]:
    """Services over a database of their own."""
    path = directory / "blitzhub.db"
    shutil.copy(migrated, path)
    database = Database(f"sqlite:///{path}")
    clock = FakeClock()
    cache = MemoryCache(clock)
    try:
        yield Services(
            settings=replace(Settings(data_dir=directory, public_url="https://localhost:8600"), **settings),
            clock=clock,
            database=database,
            broker=FakeBroker(),
            bus=WriteThroughBus(MemoryBus(), cache),
            cache=cache,
            chain=FakeChain(),
            signer=LocalSigner(SeedKeyStore(directory / "keys.seed"), database, clock, ComputeBudget(120_000, 0)),
        )
    finally:
        database.close()
