"""A platform that a test can kill and start again: the engine on an SQLite file, and a chain that does as told."""

import asyncio
import shutil
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from solders.signature import Signature
from solders.transaction import VersionedTransaction
from sqlalchemy import event

from engine.accounts.accounts import Account, get_or_create
from engine.adapters.bus_memory import MemoryBus, MemoryCache
from engine.adapters.keys_seed import SeedKeyStore
from engine.identifiers import AccountId
from engine.ledger.deposits import DepositScan
from engine.ledger.endings import withdrawal_hooks
from engine.persistence import settlements as rows
from engine.persistence.database import Database
from engine.ports import AddressHistory, BalanceChange, ChainBalances, SignatureStatus
from engine.services import Services
from engine.settings import Settings
from engine.settlement.confirming import Confirmer, Hooks
from engine.settlement.flights import Flights
from engine.settlement.outlays import outlay
from engine.settlement.settlement import Kind, Settlement, State
from engine.settlement.signer import LocalSigner
from engine.settlement.transactions import ComputeBudget, build
from engine.trading import graduation, launch
from engine.trading.worker import TradeWorker
from tests.fakes import FakeBroker, FakeChain, FakeClock, migrated_database
from tests.ledger import ONE_SOL, RENT, SMALL_CURVE, list_tokens
from tests.unit.settlement.samples import BUY, FEE_PAYER

ACCOUNTS: Final = 3
SMALL_TOKENS: Final = 2
FUNDS: Final = 3 * ONE_SOL
DELAY_MS: Final = 60_000
_SEED: Final = "5e" * 32
_MESSAGE: Final = build(BUY, str(FEE_PAYER.pubkey()), "1" * 32, ComputeBudget(120_000, 0))
SIGNED: Final = bytes(VersionedTransaction.populate(_MESSAGE, [Signature.default()] * 3))
"""A transaction as the signer returns it; nobody here looks at more than its fee."""

Result = TypeVar("Result")


class ToldChain(FakeChain):
    """SOL arrives when a test says so; whatever is asked about has landed."""

    def __init__(self) -> None:
        super().__init__()
        self.arrivals: dict[str, list[tuple[str, int]]] = {}
        self.outlays: dict[str, int] = {}
        self.forgetful = False

    def receive(self, address: str, lamports: int) -> None:
        """A finalized payment from outside."""
        number = sum(map(len, self.arrivals.values()))
        self.arrivals.setdefault(address, []).append((f"arrival{number}", lamports))

    async def balances(
        self, addresses: Sequence[str], token_holdings: Sequence[tuple[str, str]], finalized: bool = False
    ) -> ChainBalances:
        held = {address: sum(lamports for _, lamports in self.arrivals.get(address, [])) for address in addresses}
        return ChainBalances(0, held, dict.fromkeys(token_holdings, 0))

    async def histories(self, addresses: Sequence[tuple[str, str | None]]) -> list[AddressHistory]:
        """What came after each cursor; all of it while forgetful."""
        found = []
        for address, cursor in addresses:
            names = [name for name, _ in self.arrivals.get(address, [])]
            known = 0 if self.forgetful or cursor is None else names.index(cursor) + 1
            found.append(AddressHistory(address, names[-1] if names else cursor, tuple(names[known:])))
        return found

    async def changes(self, wanted: Sequence[tuple[str, str]]) -> list[BalanceChange]:
        return [
            BalanceChange(name, address, lamports, 0)
            for address, signature in wanted
            for name, lamports in self.arrivals[address]
            if name == signature
        ]

    async def statuses(
        self, signatures: Sequence[str], search_history: bool = False, since_slot: int = 0
    ) -> list[SignatureStatus | None]:
        return [SignatureStatus(1, True, True, None) for _ in signatures]

    async def lamports_moved(self, wanted: Sequence[tuple[str, str]]) -> list[int | None]:
        """Every token account took what was laid out for it."""
        return [self.outlays[signature] for _, signature in wanted]


class World:
    """`restart` throws away everything that lives in memory; the file, the chain and the clock go on."""

    def __init__(self, directory: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.path = directory / "ledger.db"
        self.clock, self.chain = FakeClock(), ToldChain()
        self._directory, self._loop = directory, loop
        self._database: Database | None = None
        self.restart()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for it."""
        return self._loop.run_until_complete(work)

    def restart(self) -> None:
        """A new process: database, worker, scan, cache and bus are new."""
        self.close()
        self.database = self._database = Database(f"sqlite:///{self.path}")
        event.listen(self.database._engine, "connect", _in_no_hurry)
        self.renew()

    def renew(self) -> None:
        """New workers and caches on the open database."""
        self.broker = FakeBroker()
        self.keys = SeedKeyStore(self._directory.parent / "keys.seed")
        self.services = Services(
            settings=replace(Settings(data_dir=self._directory), withdrawal_delay_ms=DELAY_MS),
            clock=self.clock,
            database=self.database,
            broker=self.broker,
            bus=MemoryBus(),
            cache=MemoryCache(self.clock),
            chain=self.chain,
            signer=LocalSigner(self.keys, self.database, self.clock, ComputeBudget(120_000, 0)),
        )
        self.worker = TradeWorker(self.database, self.broker, self.services.bus, self.clock, RENT)
        self.scan = DepositScan(self.services)
        confirmed = partial(launch.confirmed, execute=self.worker.execute)
        self._flights = Flights()
        self.confirmer = Confirmer(
            self.services,
            self._flights,
            {
                Kind.LAUNCH: Hooks(confirmed, launch.failed),
                Kind.GRADUATION: Hooks(graduation.confirmed),
                **withdrawal_hooks(),
            },
        )

    def account(self, number: int) -> Account:
        """An account of that number, made if it is new."""
        owner = AccountId(self.keys.create(f"owner/{number}"))
        return self.run(get_or_create(self.services, owner, False))

    def pending(self) -> list[Settlement]:
        """What waits to be signed, in the order in which it is."""
        with self.database.snapshot() as connection:
            return rows.pending(connection, 10_000)

    def settle(self, pending: list[Settlement]) -> None:
        """All of these are signed, stored and confirmed."""
        signed = [
            replace(
                each, state=State.SIGNED, attempt=each.attempt + 1, signature=each.settlement_id, signed_bytes=SIGNED
            )
            for each in pending
        ]
        paid = {each.settlement_id: outlay(each) for each in signed}
        self.chain.outlays |= {name: one.lamports for name, one in paid.items() if one is not None}
        with self.database.transaction() as connection:
            assert rows.store_signed(connection, signed, "alone") == {each.settlement_id for each in pending}
        self.run(self.confirmer.look([self._flights.add(each) for each in signed]))

    def close(self) -> None:
        """End the process."""
        if self._database is not None:
            self._database.close()
            self._database = None


def prepared(directory: Path, loop: asyncio.AbstractEventLoop) -> tuple[Path, list[Account]]:
    """A directory with a database to be copied: these accounts, funded, and tokens with a small curve."""
    seed = directory / "keys.seed"
    seed.write_text(_SEED)
    seed.chmod(0o600)
    template = directory / "template"
    template.mkdir()
    migrated = migrated_database(directory)
    shutil.copy(migrated, template / "ledger.db")
    shutil.move(migrated, template / "empty.db")
    world = World(template, loop)
    accounts = [world.account(number) for number in range(ACCOUNTS)]
    fund(world, accounts)
    world.run(world.scan.scan())
    with world.database.transaction() as connection:
        list_tokens(connection, range(SMALL_TOKENS), **SMALL_CURVE)
    world.close()
    return template, accounts


def fund(world: World, accounts: Sequence[Account]) -> None:
    """Each account's first payment, which is booked in the prepared database."""
    for account in accounts:
        world.chain.receive(account.wallet, FUNDS)


def _in_no_hurry(connection: Any, _: Any) -> None:
    """Processes die here, machines do not: no need to wait for a disk."""
    connection.execute("PRAGMA synchronous=OFF")
