"""Everything that moves money at once, reconciled all the while: `python -m tests.soak --minutes 30`.

Trades, deposits, gifts to vaults and to the fee payer, withdrawals, transfers, closings and claims run on embedded
parts and a localnet of their own. Nothing is amiss, so whatever the reconciliation finds is a false alarm, and the exit
code is 1.
"""

import argparse
import asyncio
import contextlib
import logging
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from solders.keypair import Keypair

from engine.accounts.accounts import Account, get_or_create
from engine.bootstrap import open_services
from engine.errors import Refusal
from engine.identifiers import SOL, AccountId
from engine.ledger import claims, withdrawals
from engine.ledger.reconciliation import Reconciler
from engine.ledger.replay import replay
from engine.persistence import switches
from engine.persistence.database import Database
from engine.persistence.switches import Switch
from engine.persistence.trading import BALANCES, TOKENS
from engine.services import Services
from engine.settings import Settings
from engine.trading import accept, launch
from engine.trading.orders import Side
from tests.localnet import running_localnet
from tests.settling import settings_for
from workers import settle, trade

ACCOUNTS, TOKEN_COUNT = 40, 8
FUNDS_LAMPORTS = 20_000_000_000
EAGER_PAUSE_S = 0.5
"""Between two checks of a second reconciler, which only looks: many more chances for a false alarm."""


@dataclass(slots=True)
class Tally:
    """What was done and seen."""

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    looked_again: int = 0
    slowest_check_s: float = 0.0
    holdings: int = 0
    in_flight: Counter[str] = field(default_factory=Counter)
    alarms: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        done = ", ".join(f"{count} {name}" for name, count in sorted(self.done.items()))
        flying = ", ".join(f"{count} {what}" for what, count in self.in_flight.most_common())
        return (
            f"done: {done}\nrefused: {dict(self.refused)}\n"
            f"{self.checks} checks of up to {self.holdings} holdings, the slowest {self.slowest_check_s:.2f} s, "
            f"{self.looked_again} looked again\nlines in flight: {flying}\n"
            f"false alarms: {self.alarms or 'none'}"
        )


class Market:
    """The accounts and tokens of a soak, and one random movement of each kind."""

    def __init__(self, services: Services, seed: int) -> None:
        self._services, self._draw = services, random.Random(seed)
        self.tally = Tally()
        self._accounts: list[Account] = []
        self._tokens: list[str] = []

    async def open(self) -> None:
        """Make and fund the accounts, launch the tokens, and wait until they trade."""
        services = self._services
        for _ in range(ACCOUNTS):
            account = await get_or_create(services, AccountId(str(Keypair().pubkey())), True)
            await services.chain.airdrop(account.wallet, FUNDS_LAMPORTS)
            self._accounts.append(account)
        while not all([await self._held(account, SOL) for account in self._accounts]):  # noqa: ASYNC110
            await asyncio.sleep(0.2)  # the deposit scan books them
        for number in range(TOKEN_COUNT):
            wanted = launch.LaunchRequest(str(uuid.uuid4()), f"Soak {number}", "SOAK", first_buy_lamports=50_000_000)
            self._tokens.append(await launch.request_launch(services, self._accounts[number].account_id, wanted))
        while not all([await self._is_open(token) for token in self._tokens]):  # noqa: ASYNC110
            await asyncio.sleep(0.2)

    async def _held(self, account: Account, asset: str) -> int:
        query = BALANCES.select().where(BALANCES.c.account_id == account.account_id, BALANCES.c.asset == asset)
        row = await self._services.database.read(lambda c: c.execute(query).mappings().first())
        return 0 if row is None else int(row["amount"])

    async def _is_open(self, token: str) -> bool:
        query = TOKENS.select().where(TOKENS.c.address == token)
        row = await self._services.database.read(lambda c: c.execute(query).mappings().one())
        return bool(row["stage"] == "curve")

    async def trade(self) -> None:
        account, token = self._draw.choice(self._accounts), self._draw.choice(self._tokens)
        held = await self._held(account, token)
        sells = held > 0 and self._draw.random() < 0.45
        amount = held if self._draw.random() < 0.3 else held // 2 + 1
        if not sells:
            amount = self._draw.randint(10_000_000, 60_000_000)
        request = accept.TradeRequest(str(uuid.uuid4()), token, str(amount), "1")
        await accept.accept(self._services, account, Side.SELL if sells else Side.BUY, request)

    async def deposit(self) -> None:
        await self._services.chain.airdrop(self._draw.choice(self._accounts).wallet, self._draw.randint(1, 10**9))

    async def gift(self) -> None:
        """A lamport or more to an address that is no account's."""
        query = TOKENS.select().where(TOKENS.c.address == self._draw.choice(self._tokens))
        row = await self._services.database.read(lambda c: c.execute(query).mappings().one())
        lucky = self._draw.choice([row["vault"], await self._services.signer.fee_payer()])
        await self._services.chain.airdrop(lucky, self._draw.randint(1, 1_000))

    async def withdraw(self) -> None:
        """SOL or tokens to the own wallet or to another trading wallet."""
        account, other = self._draw.sample(self._accounts, 2)
        asset = self._draw.choice([SOL, SOL, self._draw.choice(self._tokens)])
        amount = self._draw.randint(1_000_000, 50_000_000)
        if asset != SOL:
            amount = max(1, await self._held(account, asset) // 3)
        to = self._draw.choice([account.account_id, other.wallet])
        await self._ask(account, withdrawals.Wanted(str(uuid.uuid4()), asset, str(amount), to))

    async def close(self) -> None:
        """Close a token account that is empty, if there is one."""
        for account in self._draw.sample(self._accounts, 10):
            for token in self._tokens:
                query = BALANCES.select().where(BALANCES.c.account_id == account.account_id, BALANCES.c.asset == token)
                row = await self._services.database.read(lambda c, q=query: c.execute(q).mappings().first())
                if row is not None and row["amount"] == 0:
                    await self._ask(account, withdrawals.Wanted(str(uuid.uuid4()), token, None, None, close=True))
                    return

    async def _ask(self, account: Account, wanted: withdrawals.Wanted) -> None:
        requester = withdrawals.Requester(account, self._services.clock.now_ms())
        await withdrawals.request(self._services, requester, wanted)

    async def claim(self) -> None:
        number = self._draw.randrange(TOKEN_COUNT)
        await claims.claim(self._services, self._accounts[number], self._tokens[number])

    async def repeat(self, movement: Callable[[], Awaitable[None]], per_s: float, stop: asyncio.Event) -> None:
        """Do it again and again; a refusal is no failure."""
        name = movement.__name__
        while not stop.is_set():
            await asyncio.sleep(self._draw.expovariate(per_s))
            try:
                await movement()
                self.tally.done[name] += 1
            except Refusal as refusal:
                self.tally.refused[f"{name} {refusal.code}"] += 1

    async def watch(self, stop: asyncio.Event) -> None:
        """Check as often as possible, without consequences."""
        reconciler, tally = Reconciler(self._services), self.tally
        while not stop.is_set():
            begun = time.perf_counter()
            checked = await reconciler.check()
            tally.checks += 1
            tally.looked_again += checked.looks > 1
            tally.slowest_check_s = max(tally.slowest_check_s, time.perf_counter() - begun)
            tally.holdings = max(tally.holdings, len(checked.look.lines))
            tally.in_flight.update(each.what for line in checked.look.lines for each in line.in_flight)
            tally.alarms += [str(finding) for finding in checked.findings]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EAGER_PAUSE_S)


async def soak(settings: Settings, seconds: float, trades_per_s: float, seed: int = 1) -> Tally:
    """Move money for so long on these settings; what was done and seen."""
    stop_load, stop = asyncio.Event(), asyncio.Event()
    async with open_services(settings) as services, asyncio.TaskGroup() as group:
        for worker in (trade.run, settle.run):
            group.create_task(worker(services, stop))
        market = Market(services, seed)
        await market.open()
        group.create_task(Reconciler(services).run(stop))
        group.create_task(market.watch(stop))
        rates = {market.trade: trades_per_s, market.deposit: 0.5, market.gift: 0.2, market.withdraw: 1.0}
        for movement, per_s in (rates | {market.close: 0.2, market.claim: 0.1}).items():
            group.create_task(market.repeat(movement, per_s, stop_load))
        await asyncio.sleep(seconds)
        stop_load.set()
        stop.set()
        frozen = await services.database.read(lambda c: switches.state(c, Switch.WITHDRAWALS_FROZEN))
        market.tally.alarms += await asyncio.to_thread(_replayed, services)
        if frozen is not None and frozen.is_set:
            market.tally.alarms.append(f"withdrawals are frozen: {frozen.reason}")
    return market.tally


def _replayed(services: Services) -> list[str]:
    """Where the ledger differs from what its trades and transfers lead to."""
    with tempfile.TemporaryDirectory() as directory:
        target = Database(f"sqlite:///{Path(directory) / 'replayed.db'}")
        target.migrate()
        try:
            return replay(services.database, target)[1]
        finally:
            target.close()


def main() -> int:
    """Read the command line, soak, tell; 1 if there was an alarm."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--trades-per-s", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("engine.ledger.reconciliation").setLevel(logging.INFO)
    with tempfile.TemporaryDirectory() as name, running_localnet(Path(name) / "localnet") as node:
        settings = settings_for(Path(name), node, withdrawals_hourly_lamports=2**62)
        tally = asyncio.run(soak(settings, options.minutes * 60, options.trades_per_s, options.seed))
    sys.stdout.write(f"{options.minutes:g} minutes at {options.trades_per_s:g} trades a second\n{tally}\n")
    return 1 if tally.alarms else 0


if __name__ == "__main__":
    sys.exit(main())
