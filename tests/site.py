"""The app and a trade worker on real servers that a test may break, each behind lines that it may cut."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from solders.keypair import Keypair
from sqlalchemy import text

from engine.adapters.rabbitmq.broker import RabbitBroker
from engine.identifiers import AccountId, TokenAddress
from engine.persistence.database import Database
from tests import rabbit
from tests.app import App, free_port, running_app
from tests.fleet import Fleet, Worker, fleet
from tests.ledger import ONE_SOL, deposit, list_tokens, token
from tests.line import Line, line_to
from tests.localnet import running_localnet
from tests.servers import Cluster, postgresql_cluster, redis_server
from tests.traders.client import Refused, TraderClient

LIMIT_S: Final = 60.0
PRICE_LAMPORTS: Final = 10_000_000

Answer = tuple[int, str]
"""Status and code; (202, "queued") for an accepted order."""


@dataclass(slots=True)
class Lines:
    """What lies between the processes and their servers."""

    database: Line
    broker: Line
    worker_database: Line
    worker_broker: Line
    redis: Line

    def mend(self) -> None:
        """All of them."""
        for line in (self.database, self.broker, self.worker_database, self.worker_broker, self.redis):
            line.mend()


@dataclass(slots=True)
class Site:
    """One running site. `keypair` is its only trader, who has much SOL."""

    cluster: Cluster
    lines: Lines
    app: App
    workers: Fleet
    database: Database
    prefix: str
    keypair: Keypair
    tokens: list[TokenAddress]
    ports: dict[str, int]
    """Where each job answers for its metrics."""
    sent: dict[str, TokenAddress] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def worker(self) -> Worker:
        """The trade worker."""
        return self.workers.workers[-1]

    def trader(self) -> TraderClient:
        """A client of the trader, signed in."""
        trader = TraderClient(self.app.url, self.keypair)
        trader._cookies = self.cookies
        return trader

    async def answers(self, trader: TraderClient, count: int, on: int = 0) -> Counter[Answer]:
        """Send so many orders one after another, each once; what was answered. All will have to be final."""
        found: Counter[Answer] = Counter()
        for _ in range(count):
            client_order_id = str(uuid.uuid4())
            self.sent[client_order_id] = self.tokens[on]
            found[await self._answer(trader, client_order_id)] += 1
        return found

    async def _answer(self, trader: TraderClient, client_order_id: str) -> Answer:
        try:
            order = await trader.buy(self.sent[client_order_id], PRICE_LAMPORTS, client_order_id=client_order_id)
        except Refused as refusal:
            if refusal.status == 503 and "retry-after" not in refusal.headers:
                return refusal.status, "no Retry-After"
            return refusal.status, refusal.code
        return 202, str(order["state"])

    async def all_filled(self, trader: TraderClient) -> None:
        """Send every order again until it is taken, as clients do, and wait until each is filled, once."""
        async with asyncio.timeout(LIMIT_S):
            for client_order_id in self.sent:
                while (await self._answer(trader, client_order_id))[0] >= 500:  # noqa: ASYNC110  nothing rings
                    await asyncio.sleep(0.2)
            while self.filled() < len(self.sent):  # noqa: ASYNC110  other processes ring no event
                await asyncio.sleep(0.05)
        assert self.filled() == len(self.sent)

    def filled(self) -> int:
        """How many orders are."""
        with self.database.snapshot() as connection:
            return int(connection.execute(text("SELECT count(*) FROM orders WHERE state = 'filled'")).scalar_one())

    def logged(self, words: str) -> bool:
        """Whether the app or the worker has said this."""
        return words in self.app.log.read_text() or bool(self.worker.lines(words))


async def _no_tokens() -> list[TokenAddress]:
    return []


@contextmanager
def running_site(data: Path, tokens: int = 2) -> Iterator[Site]:
    """A site with listed tokens and a rich trader; the last token's queue takes two orders."""
    rabbit.needs_rabbitmq()
    listed = [token(number) for number in range(tokens)]
    address = urlsplit(rabbit.URL)
    host, port = address.hostname or "127.0.0.1", address.port or 5672
    with ExitStack() as stack:
        chain = stack.enter_context(running_localnet(data / "chain"))
        cluster = stack.enter_context(postgresql_cluster())
        redis_port = stack.enter_context(redis_server()).port
        prefix = stack.enter_context(rabbit.own_prefix(listed))
        lines = Lines(
            *(stack.enter_context(line_to(*to)) for to in 2 * (("127.0.0.1", cluster.port), (host, port))),
            stack.enter_context(line_to("127.0.0.1", redis_port)),
        )
        as_app = Database(cluster.url())
        as_app.migrate()
        as_app.close()
        database = Database(cluster.own_url)
        stack.callback(database.close)
        with database.transaction() as connection:
            list_tokens(connection, range(tokens))
        asyncio.run(_declare(prefix, listed))

        def broker_url(line: Line) -> str:
            return address._replace(netloc=address.netloc.replace(str(port), str(line.port))).geturl()

        shared = {
            "BLITZ_BROKER_PREFIX": prefix,
            "BLITZ_REDIS_URL": f"redis://127.0.0.1:{lines.redis.port}/0",
            "BLITZ_REQUESTS_PER_S": "1000",
            "BLITZ_ORDER_DEADLINE_MS": "600000",
        }
        of_app = {"BLITZ_DATABASE_URL": cluster.url(lines.database.port), "BLITZ_BROKER_URL": broker_url(lines.broker)}
        of_worker = {
            "BLITZ_DATABASE_URL": cluster.url(lines.worker_database.port),
            "BLITZ_BROKER_URL": broker_url(lines.worker_broker),
        }
        ports = {"app": free_port(), "trade": free_port()}
        of_app["BLITZ_METRICS_PORT"] = str(ports["app"])
        app = stack.enter_context(running_app(data, chain, shared | of_app))
        workers = stack.enter_context(fleet(data, database, prefix, chain.rpc_url, **(shared | of_worker)))
        site = Site(cluster, lines, app, workers, database, prefix, Keypair(), listed, ports)
        asyncio.run(_enter(site))
        workers.start(BLITZ_METRICS_PORT=str(ports["trade"]))
        yield site


async def _declare(prefix: str, tokens: list[TokenAddress]) -> None:
    broker = RabbitBroker(rabbit.URL, _no_tokens, prefix)
    for each in tokens[:-1]:
        await broker.declare(each)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("engine.adapters.rabbitmq.topology.MAX_QUEUE_LENGTH", 2)
        await broker.declare(tokens[-1])
    await broker.close()


async def _enter(site: Site) -> None:
    """Sign the trader in and make it rich."""
    trader = TraderClient(site.app.url, site.keypair)
    await trader.sign_in()
    site.cookies = trader._cookies
    wallet = (await trader.get("/me"))["wallet"]
    await trader.close()
    with site.database.transaction() as connection:
        deposit(connection, AccountId(str(site.keypair.pubkey())), wallet, 1_000 * ONE_SOL)
