"""What looking at a token costs the database, on PostgreSQL and Redis: everything that a visitor's page asks for.

A view is what the browser does: the page's State is loaded, the chart's history and the ledger's proof are fetched, and
the market socket follows the token, its tape and its candles. The visitor is not signed in: own figures are their own.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import reflex as rx
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from blitzhub import services as blitzhub_services
from blitzhub.api import create_api, proof
from blitzhub.pages.token.state import TokenState
from blitzhub.session import SessionState
from engine.indicators.candles import MINUTE_MS
from engine.live import DatabaseSource, Hub
from engine.live.connection import Limits
from engine.persistence import reports
from engine.persistence.database import Database
from engine.services import Services
from engine.trading.orders import Side
from engine.trading.token_cache import WriteThroughBus
from engine.trading.worker import TradeWorker
from tests.contract.test_bus_redis import REDIS_URL, answers, parts
from tests.databases import postgresql
from tests.fakes import FakeBroker, FakeClock, fake_services, migrated_database
from tests.integration.api.client import Browser
from tests.ledger import ONE_SOL, RENT, account, fund, list_tokens, make_order, token
from tests.unit.live_parts import FakeSocket, subscribe, until
from workers.meter import Meter

TOKENS = 20
VIEWS_PER_S = 200
TRADES_PER_S = 40
SECONDS = 5
PROOF = b'{"agrees":true,"differences":0,"checked_at_ms":1,"slot":1,"figures":{},"hash":""}'


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgresql() as url:
        yield url


class FromEverywhere:
    """The API as many visitors reach it: each request has an address of its own, to which the limits apply."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._visitors = count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        number = next(self._visitors)
        await self._app({**scope, "client": (f"10.0.{number // 250 % 250}.{number % 250}", 1)}, receive, send)


class Site:
    """A backend with its hub, and a trade worker and an indicators worker with databases of their own."""

    def __init__(self, services: Services, api: FastAPI, worker_database: Database) -> None:
        self.services, self.worker_database, self.api_state = services, worker_database, api.state
        self.api = Starlette(routes=[Mount("/api", api)])
        self.hub = Hub(DatabaseSource(services.database), services.bus, services.clock)
        self.worker = TradeWorker(worker_database, FakeBroker(), services.bus, services.clock, RENT)
        self.meter = Meter(replace(services, database=worker_database))
        self.numbers = count()
        self.clock: Any = services.clock

    def trade(self, which: int) -> None:
        """Commit a trade, and say so."""
        number = next(self.numbers)
        deadline_ms = self.clock.now_ms() + MINUTE_MS
        amount = ONE_SOL // 100
        order = make_order(Side.BUY, amount, number=number, who=number % 3, on=token(which), deadline_ms=deadline_ms)
        with self.worker_database.transaction() as connection:
            messages = self.worker.execute([order], False, connection)
        self.services.bus.publish(messages)

    async def view(self, visitor: Browser, which: int) -> None:
        """Somebody opens the page of that token, sees everything, and leaves."""
        address = token(which)
        root = rx.State(_reflex_internal_init=True)  # type: ignore[call-arg]
        page, session = await root.get_state(TokenState), await root.get_state(SessionState)
        object.__setattr__(page, "_address", lambda: address)
        await asyncio.gather(
            SessionState.event_handlers["load"].fn(session), TokenState.event_handlers["load"].fn(page)
        )
        assert page.token["address"] == address
        history = await visitor.get(f"/api/tokens/{address}/candles?interval=1m&limit=500")
        agreement = await visitor.get("/api/proof")
        assert (history.status_code, agreement.status_code) == (200, 200)
        socket = FakeSocket()
        connection = self.hub.connect(socket)
        for message in (
            subscribe("token", address),
            subscribe("trades", address),
            subscribe("candles", address, "1m"),
        ):
            connection.receive(message)
        await until(lambda: len({frame.body[:60] for frame in socket.frames}) >= 3)
        self.hub.disconnect(connection)


@pytest.fixture
async def site(tmp_path: Path, migrated: Path, url: str, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    if not await answers(REDIS_URL):
        pytest.skip("no Redis answers at BLITZ_TEST_REDIS_URL")
    database, worker_database, clock = Database(url), Database(url), FakeClock()
    with fake_services(tmp_path, migrated) as plain:
        async with parts(REDIS_URL) as redis:
            bus = WriteThroughBus(redis.bus, redis.cache)
            services = replace(plain, database=database, bus=bus, cache=redis.cache, clock=clock)
            api = create_api()
            api.state.services = services
            blitzhub_services.use(services)
            site = Site(services, api, worker_database)
            with database.transaction() as connection:
                reports.store(connection, "proof", PROOF, clock.now_ms())
            site.hub._limits = Limits(repair_ms=600_000)
            await site.hub.start()
            yield site
            await site.hub.close()
            blitzhub_services.use(None)
    database.close()
    worker_database.close()


def listed(site: Site, first: int, many: int) -> None:
    """Tokens with trades, and accounts that trade them."""
    with site.services.database.transaction() as connection:
        if first == 0:
            fund(connection, range(3), 1_000 * ONE_SOL)
        list_tokens(connection, range(first, first + many), creator=account(0))
    for which in range(first, first + many):
        for _ in range(3):
            site.trade(which)


async def test_a_warm_page_costs_no_query_a_cold_one_four_and_200_views_a_second_under_100_statements(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = site.services.database
    monkeypatch.setattr(proof, "KEPT_S", 1e9)  # the platform's second is not this machine's
    listed(site, 0, TOKENS)
    async with Browser(FromEverywhere(site.api)) as visitor:  # type: ignore[arg-type]
        await visitor.get("/api/proof")  # asked once a second for everybody
        costs = []
        for which in (0, 0, 1, 1):
            before = database.statements
            await site.view(visitor, which)
            costs.append(database.statements - before)
        assert costs[1] == costs[3] == 0, "warm"
        assert 0 < costs[0] <= 4, "cold"
        assert 0 < costs[2] <= 4, "cold"

        site.hub._limits = Limits()
        await site.meter.start()
        for which in range(TOKENS):
            await site.view(visitor, which)
        before = database.statements
        for _ in range(SECONDS):
            await _one_second(site, visitor)
        per_s = (database.statements - before) / SECONDS
        assert 0 < per_s < 100


async def _one_second(site: Site, visitor: Browser) -> None:
    """So many views and trades as in one second of the platform's clock, however long they take here."""
    await site.meter.refresh()
    await site.hub._watches.repair()
    site.api_state.proof = 0.0, None
    visits, trades = count(), count()
    for _ in range(TRADES_PER_S):
        site.trade(next(trades) % TOKENS)
        each = VIEWS_PER_S // TRADES_PER_S
        await asyncio.gather(*(site.view(visitor, next(visits) % TOKENS) for _ in range(each)))
        site.clock.advance(1_000 // TRADES_PER_S)
