"""Withdrawals for tests: funded accounts on a localnet, and the services that carry a request out."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from solders.keypair import Keypair
from sqlalchemy import insert

from engine.accounts.accounts import Account
from engine.identifiers import SOL, AccountId, Address
from engine.ledger.endings import withdrawal_hooks
from engine.ledger.releases import Releases
from engine.ledger.withdrawals import Requester, Wanted, request
from engine.persistence.trading import BALANCES
from engine.services import Services
from engine.settlement.confirming import Hooks
from engine.settlement.service import SettlementService
from engine.settlement.settlement import Kind
from tests.settling import Launches, Ledger

LIMIT_S = 60.0
FUNDS = 5_000_000_000


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for the condition."""
    limit = time.monotonic() + LIMIT_S
    while not await condition():
        assert time.monotonic() < limit, "the condition did not come true"
        await asyncio.sleep(0.02)


@dataclass(slots=True)
class Desk:
    """One account's requests against a ledger; `signed_in_at_ms` None is a bot."""

    ledger: Ledger
    account: Account
    is_fresh: bool = True

    @property
    def services(self) -> Services:
        """What the requests are made on."""
        return self.ledger.services

    @property
    def requester(self) -> Requester:
        """Who asks."""
        return Requester(self.account, self.services.clock.now_ms() if self.is_fresh else None)

    async def ask(
        self, amount: int, to: str | None = None, asset: str = SOL, client_id: str | None = None
    ) -> dict[str, Any]:
        """Request a withdrawal, to the own wallet unless told otherwise."""
        wanted = Wanted(client_id or str(uuid4()), asset, str(amount), to or self.account.account_id)
        return await request(self.services, self.requester, wanted)

    async def close(self, token: str) -> dict[str, Any]:
        """Ask for the rent of an empty token account."""
        return await request(self.services, self.requester, Wanted(str(uuid4()), token, None, None, close=True))

    def balance(self, asset: str = SOL) -> int | None:
        """What the ledger says; None without a row."""
        with self.services.database.snapshot() as connection:
            found = BALANCES.c.account_id == self.account.account_id
            statement = BALANCES.select().where(found, BALANCES.c.asset == asset)
            row = connection.execute(statement).mappings().one_or_none()
        return None if row is None else int(row["amount"])

    async def lamports(self, address: str) -> int:
        """What the chain says."""
        return (await self.services.chain.balances([address], [])).lamports[address]

    async def tokens(self, owner: str, token: str) -> int:
        """What the chain says."""
        return (await self.services.chain.balances([], [(owner, token)])).tokens[owner, token]


async def desk(ledger: Ledger, name: str, lamports: int = FUNDS) -> Desk:
    """An account with that much, on the chain too."""
    wallet = ledger.account(name, lamports)
    account = Account(AccountId(ledger.account_of(wallet)), Address(wallet), False, 0)
    made = Desk(ledger, account)
    if lamports:
        await ledger.services.chain.airdrop(wallet, lamports)

        async def there() -> bool:
            return await made.lamports(wallet) == lamports

        await until(there)
    return made


def stranger() -> str:
    """A wallet that nobody here knows."""
    return str(Keypair().pubkey())


def add_tokens(desk: Desk, token: str, amount: int) -> None:
    """A balance that the ledger alone knows of."""
    row = {"account_id": desk.account.account_id, "asset": token, "amount": amount, "account_seq": 0}
    with desk.services.database.transaction() as connection:
        connection.execute(insert(BALANCES).values(row))


@asynccontextmanager
async def paying(ledger: Ledger) -> AsyncIterator[Launches]:
    """Releases and settlement run while the block does."""
    launches, stop = Launches(), asyncio.Event()
    hooks = {Kind.LAUNCH: Hooks(launches.on_confirmed, launches.on_failed), **withdrawal_hooks()}
    service = SettlementService(ledger.services, hooks)
    tasks = [
        asyncio.create_task(Releases(ledger.services).run(stop)),
        asyncio.create_task(service.run(stop)),
    ]
    try:
        yield launches
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), LIMIT_S)
