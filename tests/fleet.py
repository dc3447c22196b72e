"""Trade workers as processes of their own, over the real RabbitMQ and PostgreSQL, and orders to send to them."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import text

from engine.adapters.rabbitmq.broker import RabbitBroker
from engine.identifiers import TokenAddress
from engine.persistence.database import Database
from engine.trading.orders import Order, Side
from tests import rabbit
from tests.ledger import ONE_SOL, fund, list_tokens, make_order, token

ROOT: Final = Path(__file__).parents[1]
LIMIT_S: Final = 60.0


class Worker:
    """One `python -m workers trade`, its wall clock so many seconds off; its log goes to a file."""

    def __init__(self, environment: dict[str, str], log: Path, skew_s: int) -> None:
        self._log = log
        self.started_s = time.monotonic()
        skewed = ["-m", "tests.skewed", str(skew_s)] if skew_s else ["-m"]
        command = [sys.executable, *skewed, "workers", "trade"]
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stderr=out)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def ended(self) -> int:
        """Wait until it has ended; the exit code."""
        return self.process.wait(LIMIT_S)

    def lines(self, containing: str) -> list[str]:
        """What it logged so far."""
        return [line for line in self._log.read_text().splitlines() if containing in line]

    def number(self, name: str) -> int:
        """The last `name=…` in its log, -1 before there is one."""
        found = re.findall(rf"\b{name}=(\d+)", self._log.read_text())
        return int(found[-1]) if found else -1

    def kill(self) -> None:
        """Whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Fleet:
    """Workers that share a database and a broker."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._directory = directory
        self._environment = environment
        self.workers: list[Worker] = []

    def start(self, skew_s: int = 0, **settings: str) -> Worker:
        """One worker more, with these settings of its own."""
        log = self._directory / f"worker{len(self.workers)}.log"
        self.workers.append(Worker(self._environment | settings, log, skew_s))
        return self.workers[-1]

    def kill(self) -> None:
        """All of them."""
        for worker in self.workers:
            worker.kill()


@contextmanager
def fleet(directory: Path, database: Database, prefix: str, rpc_url: str, **settings: str) -> Iterator[Fleet]:
    """No workers yet; those that are started end with the block."""
    environment = {
        "BLITZ_DATA_DIR": str(directory),
        "BLITZ_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "BLITZ_BROKER_URL": rabbit.URL,
        "BLITZ_BROKER_PREFIX": prefix,
        "BLITZ_SOLANA_RPC_URL": rpc_url,
        **settings,
    }
    started = Fleet(directory, environment)
    try:
        yield started
    finally:
        started.kill()


class Market:
    """Funded accounts and listed tokens, and a stream of numbered buys on them."""

    def __init__(self, database: Database, prefix: str, tokens: int, accounts: int = 10) -> None:
        self.database = database
        self.prefix = prefix
        self.tokens = [token(number) for number in range(tokens)]
        self._accounts = accounts
        self.broker = RabbitBroker(rabbit.URL, self._no_tokens, prefix)
        self.published: dict[TokenAddress, list[Order]] = defaultdict(list)
        self.count = 0
        with database.transaction() as connection:
            fund(connection, range(accounts), 100_000 * ONE_SOL)
            list_tokens(connection, range(tokens), minimum_buy_lamports=1)

    @staticmethod
    async def _no_tokens() -> list[TokenAddress]:
        return []

    async def declare(self) -> None:
        """Make every token's queue."""
        for each in self.tokens:
            await self.broker.declare(each)

    def order(self, on: TokenAddress, deadline_s: float = 3_600) -> Order:
        """The next order on a token, with so much time left."""
        self.count += 1
        return make_order(
            Side.BUY,
            10_000 + self.count,
            number=self.count,
            who=self.count % self._accounts,
            on=on,
            deadline_ms=int((time.time() + deadline_s) * 1000),
        )

    async def publish(self, rounds: int) -> None:
        """So many orders on every token, a token's one after the other."""
        await asyncio.gather(*(self.publish_on(each, rounds) for each in self.tokens))

    async def publish_on(self, on: TokenAddress, count: int) -> None:
        """So many orders on one token, one after the other."""
        for _ in range(count):
            order = self.order(on)
            await self.broker.publish(on, order.encoded())
            self.published[on].append(order)

    async def publish_until(self, stop: asyncio.Event, pause_s: float) -> None:
        """A round on every token after the other, with a pause between them."""
        while not stop.is_set():
            await self.publish(1)
            await asyncio.sleep(pause_s)

    async def publish_at(self, orders_per_s: int, stop: asyncio.Event) -> None:
        """Rounds on every token at that rate, whatever becomes of the orders."""
        due_s = time.monotonic()
        while not stop.is_set():
            await self.publish(1)
            due_s += len(self.tokens) / orders_per_s
            await asyncio.sleep(due_s - time.monotonic())

    def final(self) -> int:
        """How many orders are final."""
        with self.database.snapshot() as connection:
            return int(connection.execute(text("SELECT count(*) FROM orders")).scalar_one())

    async def all_final(self, limit_s: float = LIMIT_S) -> None:
        """Wait until every published order is."""
        expected = sum(map(len, self.published.values()))
        await until(lambda: self.final() >= expected, limit_s)

    def check_order(self) -> None:
        """Every published order was filled, once, in its token's order."""
        with self.database.snapshot() as connection:
            trades = connection.execute(text("SELECT token, order_id FROM trades ORDER BY token, seq")).all()
        executed: dict[str, list[str]] = defaultdict(list)
        for address, order in trades:
            executed[address].append(order)
        published = {each: [order.order_id for order in orders] for each, orders in self.published.items()}
        assert executed == published


async def until(condition: Callable[[], bool], limit_s: float = LIMIT_S) -> float:
    """Poll until it holds; how many seconds it took."""
    started_s = time.monotonic()
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110  other processes ring no event
            await asyncio.sleep(0.02)
    return time.monotonic() - started_s


def receiving(worker: Worker, tokens: int) -> Callable[[], bool]:
    """Whether the worker listens to all tokens, as its own or standing by."""

    def all_listened() -> bool:
        own, others = worker.number("own_tokens"), worker.number("stand_by")
        return own >= 0 and own + others == tokens

    return all_listened
