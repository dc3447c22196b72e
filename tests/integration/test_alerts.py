"""Each alert fires for its fault: planted in running processes, scraped from them, judged by Prometheus' own code."""

import asyncio
import os
import signal
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from solders.keypair import Keypair
from sqlalchemy import insert, select, text

from engine.adapters.bus_memory import MemoryBus
from engine.live import Frame, Hub
from engine.persistence.database import Database
from engine.persistence.trading import SETTLEMENTS
from engine.settings import Settings
from engine.watching import watched
from tests.app import App, free_port, needs_frontend, running_app
from tests.localnet import Localnet, running_localnet
from tests.promtool import RULES, Scrape, firing, scraped
from tests.site import PRICE_LAMPORTS, Site, running_site
from tests.traders.client import TraderClient
from tests.unit.live_parts import QUICK, TOKEN, FakeClock, FakeMarket

pytestmark = pytest.mark.slow

LIMIT_S = 60.0
ONE_SOL = 1_000_000_000
ALL = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}

seen: set[str] = set()
"""The alerts that a test has seen fire."""


def expect(directory: Path, well: Scrape, broken: Scrape, *names: str) -> None:
    """These fire for what was scraped last, and not for what was scraped before."""
    assert firing(directory, well, well) == "", "all was well before"
    assert firing(directory, well, broken, set(names)) == ""
    seen.update(names)


def wait_for(scrape: Callable[[], Scrape], stands: Callable[[Scrape], bool]) -> Scrape:
    """Scrape until the fault is in the figures."""
    deadline_s = time.monotonic() + LIMIT_S
    while not stands(found := scrape()):
        assert time.monotonic() < deadline_s, "the fault never came into the figures"
        time.sleep(0.2)
    return found


class Embedded:
    """The whole platform in one process, with a token that was traded; every job's figures come from there."""

    def __init__(self, data: Path, chain: Localnet, app: App, port: int) -> None:
        self.data, self.chain, self.app, self._port = data, chain, app, port
        self.file = data / "blitzhub.db"
        self.database = Database(f"sqlite:///{self.file}")
        self.token = ""

    def scrape(self) -> Scrape:
        """What it answers now."""
        return scraped({"trade": self._port})

    def logged(self, alert: str, well: Scrape) -> Callable[[Scrape], bool]:
        """Whether a line with that alert has been counted since."""
        before = well.value("blitz_alerts_total", alert=alert)
        return lambda found: found.value("blitz_alerts_total", alert=alert) > before

    def well(self) -> Scrape:
        """All figures once the first round of everything is over."""
        return wait_for(self.scrape, lambda found: found.value("blitz_fee_payer_lamports") > 0 and self._checked(found))

    def _checked(self, found: Scrape) -> bool:
        waiting = ("blitz_settlement_oldest_seconds", "blitz_database_waiting_calls")
        return not any(map(found.value, waiting)) and found.at_s - found.value("blitz_reconcile_timestamp_seconds") < 10

    @contextmanager
    def planted(self, plant: str, undo: str) -> Iterator[None]:
        """A statement, and in the end another."""
        self.run(plant)
        try:
            yield
        finally:
            self.run(undo)

    def run(self, *statements: str, **values: Any) -> None:
        """Change the database behind everybody's back."""
        with self.database.transaction() as connection:
            for statement in statements:
                connection.execute(text(statement), values)

    def one(self, query: str) -> Any:
        """The first figure of a query."""
        with self.database.snapshot() as connection:
            return connection.execute(text(query)).scalar()

    def calm(self) -> None:
        """Nothing differs any more, and withdrawals go on."""
        wait_for(self.scrape, lambda found: found.value("blitz_reconcile_differences") == 0)
        self.run("UPDATE switches SET is_set = 0")
        wait_for(self.scrape, lambda found: found.value("blitz_withdrawals_frozen") == 0)

    async def trade(self) -> None:
        """Launch a token and buy it, confirmed on the chain."""
        trader = TraderClient(self.app.url)
        try:
            await trader.sign_in()
            await trader.faucet()
            async with asyncio.timeout(LIMIT_S):
                while await trader.free_lamports() < 5 * ONE_SOL:  # noqa: ASYNC110  another process rings no event
                    await asyncio.sleep(0.1)
                self.token = await trader.launch("Alarm", "ALARM")
                while self.one("SELECT stage FROM tokens") != "curve":  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                await trader.buy(self.token, PRICE_LAMPORTS)
                while not self.one("SELECT count(*) FROM settlements WHERE kind = 'trade' AND state = 'confirmed'"):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        finally:
            await trader.close()


@contextmanager
def embedded(data: Path, **settings: str) -> Iterator[Embedded]:
    """The app on its own chain while the block runs."""
    needs_frontend()
    port = free_port()
    own = {"BLITZ_METRICS_PORT": str(port), "BLITZ_RECONCILE_MS": "1000", **settings}
    with ExitStack() as stack:
        chain = stack.enter_context(running_localnet(data / "chain"))
        app = stack.enter_context(running_app(data, chain, own))
        found = Embedded(data, chain, app, port)
        stack.callback(found.database.close)
        yield found


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with embedded(tmp_path_factory.mktemp("platform")) as running:
        asyncio.run(running.trade())
        yield running


PARK = (
    "INSERT INTO parked_orders (parked_id, token, body, cause, state, parked_at_ms, ended_at_ms)"
    " VALUES ('p', 't', x'00', 'unreadable', 'parked', 1, 0)"
)
FAIL = (
    "UPDATE settlements SET state = 'failed' WHERE kind = 'launch'",
    "UPDATE settlements SET state = 'confirmed' WHERE kind = 'launch'",
)


@pytest.mark.parametrize(
    ("alert", "figure", "plant", "undo"),
    [
        ("OrderParked", "blitz_parked_orders", PARK, "DELETE FROM parked_orders"),
        ("SettlementFailed", "blitz_settlements", *FAIL),
        (
            "AccountFrozen",
            "blitz_frozen_accounts",
            "UPDATE balances SET frozen = 'why' WHERE asset = 'SOL'",
            "UPDATE balances SET frozen = NULL",
        ),
        (
            "TokenStopped",
            "blitz_held_tokens",
            "UPDATE tokens SET held = 1, failure = 'why'",
            "UPDATE tokens SET held = 0, failure = NULL",
        ),
    ],
)
def test_what_waits_for_an_operator_wakes_one(
    platform: Embedded, tmp_path: Path, alert: str, figure: str, plant: str, undo: str
) -> None:
    label = {"blitz_settlements": {"state": "failed"}, "blitz_held_tokens": {"by": "vault"}}.get(figure, {})
    well = platform.well()
    with platform.planted(plant, undo):
        broken = wait_for(platform.scrape, lambda found: found.value(figure, **label) > 0)
        expect(tmp_path, well, broken, alert)
    wait_for(platform.scrape, lambda found: found.value(figure, **label) == 0)
    platform.calm()


def test_a_frozen_process_and_an_event_loop_that_stood_still(platform: Embedded, tmp_path: Path) -> None:
    well = platform.well()
    os.kill(platform.app.pid, signal.SIGSTOP)
    time.sleep(2)
    os.kill(platform.app.pid, signal.SIGCONT)
    broken = wait_for(platform.scrape, lambda found: found.value("blitz_event_loop_lag_seconds") > 1)
    expect(tmp_path, well, broken, "EventLoopLag")
    wait_for(platform.scrape, lambda found: found.value("blitz_event_loop_lag_seconds") < 1)


def test_a_database_that_somebody_locks(platform: Embedded, tmp_path: Path) -> None:
    well = platform.well()
    address = str(Keypair().pubkey())

    def ask() -> None:
        httpx.post(f"{platform.app.url}/api/auth/nonce", json={"address": address}, timeout=30)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    lock = sqlite3.connect(platform.file, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        for thread in asking:
            thread.start()
        busy = wait_for(platform.scrape, lambda found: found.value("blitz_database_waiting_calls") > 0)
        hanging = wait_for(platform.scrape, platform.logged("no_answer", well))
    finally:
        lock.execute("ROLLBACK")
        lock.close()
        for thread in asking:
            thread.join()
    expect(tmp_path, well, busy, "DatabaseBusy")
    expect(tmp_path, well, hanging, "RequestHangs", "ApiErrors")


def test_a_ledger_that_differs_from_the_chain(platform: Embedded, tmp_path: Path) -> None:
    well = platform.well()
    more, less = (f"UPDATE balances SET amount = amount {sign} 1 WHERE asset = 'SOL'" for sign in "+-")
    with platform.planted(more, less):
        broken = wait_for(platform.scrape, lambda found: found.value("blitz_withdrawals_frozen") > 0)
        expect(tmp_path, well, broken, "LedgerDiffers", "WithdrawalsFrozen")
    platform.calm()


async def test_lamports_that_nobody_sent_for_a_reason(platform: Embedded, tmp_path: Path) -> None:
    well = platform.well()
    vault = platform.one("SELECT vault FROM tokens")
    body = {"jsonrpc": "2.0", "id": 1, "method": "requestAirdrop", "params": [vault, ONE_SOL]}
    async with httpx.AsyncClient() as client:
        assert "result" in (await client.post(platform.chain.rpc_url, json=body)).json()
    expect(tmp_path, well, wait_for(platform.scrape, platform.logged("donation", well)), "OtherAlert")


def test_a_forged_settlement(platform: Embedded, tmp_path: Path) -> None:
    well = platform.well()
    with platform.database.transaction() as connection:
        row = connection.execute(select(SETTLEMENTS).where(SETTLEMENTS.c.kind == "trade")).mappings().one()
        unsigned = {
            "state": "pending",
            "attempt": 0,
            "signature": None,
            "signed_bytes": None,
            "worker": None,
            "slot": 0,
        }
        forged = {"settlement_id": "forged", "kind": "claim", "wallet": str(Keypair().pubkey()), "lamports": 1}
        connection.execute(insert(SETTLEMENTS), [{**row, **unsigned, **forged}])
    broken = wait_for(platform.scrape, platform.logged("signer_refused", well))
    expect(tmp_path, well, broken, "SignerRefused")
    platform.run("DELETE FROM settlements WHERE settlement_id = 'forged'")
    platform.calm()


def test_a_chain_that_is_away(platform: Embedded, tmp_path: Path) -> None:
    """The last one here: the platform does not get its chain back."""
    well = platform.well()
    platform.chain.kill()
    platform.run("UPDATE settlements SET state = 'signed', created_at_ms = created_at_ms - 120000 WHERE kind = 'trade'")

    def stands(found: Scrape) -> bool:
        httpx.get(f"{platform.app.url}/api/health/ready", timeout=10)
        is_old = found.value("blitz_settlement_oldest_seconds") > 60
        return is_old and found.value("blitz_part_up", part="chain") == 0

    before = wait_for(platform.scrape, stands)
    time.sleep(2)
    broken = platform.scrape()
    name = "blitz_reconcile_timestamp_seconds"
    assert broken.value(name) == before.value(name), "no comparison while the chain is away"
    well.values |= {series: value for series, value in broken.values.items() if series.startswith(name)}
    well.at_s = broken.value(name) + 1
    expect(tmp_path, well, broken, "NotReady", "ReconcileStale", "SettlementsBehind")


def test_what_a_start_finds_wrong(tmp_path: Path) -> None:
    with embedded(tmp_path) as site:
        well = site.well()
        site.app.stop()
        site.run("INSERT INTO broker_journal (journal_id, token, body) VALUES (1, 't', x'00')")
        site.app.set(BLITZ_SIGNER_URL=f"unix:{tmp_path}/nobody")
        site.app.start()
        is_waiting = {"code": "signer_unavailable"}
        broken = wait_for(site.scrape, lambda found: found.value("blitz_settlement_waits_total", **is_waiting) > 0)
        expect(tmp_path, well, broken, "SignerUnavailable", "EngineError")
        site.app.set(BLITZ_SIGNER_URL="local", BLITZ_FEE_PAYER_LOW_LAMPORTS=str(2**62))
        site.app.start_again()
        low = wait_for(site.scrape, lambda found: 0 < found.value("blitz_fee_payer_lamports") < 2**62)
        expect(tmp_path, well, low, "FeePayerLow")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    needs_frontend()
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


def of_servers(site: Site) -> Scrape:
    """What app and trade worker answer; the figures of those that do not run here are told as good."""
    found = scraped(site.ports)
    found.values['blitz_reconcile_timestamp_seconds{job="reconcile"}'] = found.at_s
    return found


@pytest.fixture
async def trader(site: Site) -> AsyncIterator[TraderClient]:
    client = site.trader()
    yield client
    await client.close()


async def test_orders_that_wait_for_a_locked_token(site: Site, trader: TraderClient, tmp_path: Path) -> None:
    assert await site.answers(trader, 2) == {(202, "queued"): 2}
    await site.all_filled(trader)
    well = of_servers(site)
    with site.database.transaction() as connection:
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        connection.execute(text("SELECT * FROM tokens FOR UPDATE"))
        assert await site.answers(trader, 3) == {(202, "queued"): 3}
        name = "blitz_queue_oldest_order_seconds"
        waiting = await asyncio.to_thread(wait_for, lambda: of_servers(site), lambda found: found.value(name) > 10)
    await site.all_filled(trader)
    late = await asyncio.to_thread(wait_for, lambda: of_servers(site), lambda found: not found.value(name))
    expect(tmp_path, well, waiting, "OrdersWait")
    expect(tmp_path, well, late, "OrdersSlow")


@pytest.mark.parametrize(
    ("alert", "logged", "lines"),
    [
        ("DatabaseErrors", "database_error", ("database", "worker_database")),
        ("BrokerAway", "broker_away", ("broker", "worker_broker")),
        ("RedisAway", "redis_away", ("redis",)),
    ],
)
async def test_a_server_that_is_away(
    site: Site, trader: TraderClient, tmp_path: Path, alert: str, logged: str, lines: tuple[str, ...]
) -> None:
    well = of_servers(site)
    for name in lines:
        getattr(site.lines, name).cut()
    await site.answers(trader, 2)
    before = well.value("blitz_alerts_total", alert=logged)

    def is_told(found: Scrape) -> bool:
        return found.value("blitz_alerts_total", alert=logged) > before

    broken = await asyncio.to_thread(wait_for, lambda: of_servers(site), is_told)
    site.lines.mend()
    await site.all_filled(trader)
    expect(tmp_path, well, broken, alert)


def test_a_wrong_clock_and_a_trade_worker_that_is_gone(site: Site, tmp_path: Path) -> None:
    well = of_servers(site)
    site.worker.kill()
    expect(tmp_path, well, of_servers(site), "ProcessDown", "NoTradeWorker")
    site.workers.start(skew_s=60, BLITZ_METRICS_PORT=str(site.ports["trade"]))
    skewed = wait_for(lambda: of_servers(site), lambda found: found.value("blitz_alerts_total", alert="clock_skew") > 0)
    expect(tmp_path, well, skewed, "ClockSkew")


class StuckSocket:
    """A reader whose line takes nothing, and does not say so."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def send(self, frame: Frame) -> None:
        """Never comes back."""
        self.asked.set()
        await asyncio.Event().wait()

    def backlog(self) -> int:
        """It looks empty."""
        return 0

    def close(self, code: int, reason: str) -> None:
        """Nobody is told."""


async def test_frames_that_wait(tmp_path: Path) -> None:
    market, port, socket = FakeMarket(), free_port(), StuckSocket()
    market.launch()
    hub = Hub(market, MemoryBus(), FakeClock(), limits=QUICK)
    async with watched(Settings(metrics_port=port), "stream"):
        await hub.start()

        def scrape() -> Scrape:
            found = scraped({"trade": port})
            found.values['blitz_reconcile_timestamp_seconds{job="reconcile"}'] = found.at_s
            return found

        well = await asyncio.to_thread(scrape)
        hub.connect(socket).receive(f'{{"method": "subscribe", "topic": "token:{TOKEN}"}}')
        await socket.asked.wait()
        broken = await asyncio.to_thread(wait_for, scrape, lambda found: found.value("blitz_market_lag_seconds") > 1)
        await hub.close()
    expect(tmp_path, well, broken, "MarketLag")


def test_no_alert_was_left_out() -> None:
    assert seen == ALL, "run the whole module: each alert has to be seen"
