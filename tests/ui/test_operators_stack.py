"""An operator at the engine room of the full stack, while the simulated traders of `make demo` trade on it."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import pytest
from aiormq.abc import DeliveredMessage
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from engine.adapters.rabbitmq.topology import DELIVERY_LIMIT, Topology
from engine.persistence import roles
from engine.persistence.database import Database
from engine.persistence.tables import OrderRow, table
from engine.persistence.trading import TOKENS
from engine.trading.orders import decoded
from tests import rabbit
from tests.app import ROOT
from tests.databases import postgresql
from tests.stack import Stack, running_stack
from tests.ui.operating import operate, picture, switch_token
from tests.ui.trader import newest_order, part, ready_trader, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE_MS: Final = 45_000
LIMIT_S: Final = 60.0
DEAD_WITHIN_MS: Final = 10_000
ORDERS_PER_S: Final = 6
GROWS_TO: Final = (2, 4, 8)
PAGE_IS_OLD_S: Final = 3.0
"""What the page shows is a second old at most on the backend, and is asked for every second."""

BUSY: Final = "VOLT"
AMOUNT_SOL: Final = "0.02"
ORDERS: Final = table(OrderRow)
DONE: Final = re.compile("filled|confirmed")

T = TypeVar("T")


@dataclass(frozen=True)
class Floor:
    """The stack, on which simulated traders trade, and its database."""

    stack: Stack
    database: Database

    def queue(self, token: str) -> str:
        """The token's queue at the broker."""
        return Topology(self.stack.prefix).queue(token)

    def listed(self, symbol: str) -> str | None:
        """The address of the token of that symbol, once it trades."""
        found = select(TOKENS.c.address).where(TOKENS.c.symbol == symbol, TOKENS.c.stage == "curve")
        with self.database.snapshot() as connection:
            return connection.execute(found).scalar()

    def decided(self, token: str | None = None) -> int:
        """How many orders are final, of a token or of all."""
        counted = select(func.count()).select_from(ORDERS)
        with self.database.snapshot() as connection:
            return int(
                connection.execute(counted if token is None else counted.where(ORDERS.c.token == token)).scalar_one()
            )

    def desk(self, new_page: Callable[..., Page]) -> Page:
        """A browser at the engine room, signed in as an operator."""
        page = new_page()
        account = sign_in(page, self.stack.url)
        with self.database.transaction() as connection:
            roles.set_role(connection, account, "operator", 1)
        self.open_engine_room(page)
        return page

    def open_engine_room(self, page: Page) -> None:
        """Look at the engine room."""
        page.goto(f"{self.stack.url}/admin/engine")
        expect(part(page, "engine-waiting")).to_be_visible(timeout=PATIENCE_MS)


@contextmanager
def simulated_traders(url: str, told: Path) -> Iterator[None]:
    """What `make demo` starts beside the app."""
    command = [sys.executable, "-m", "tests.traders", "--url", url, "--orders-per-s", str(ORDERS_PER_S)]
    with told.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(LIMIT_S)


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    directory: Path = tmp_path_factory.mktemp("floor")
    with (
        postgresql(migrated=False) as url,
        closing(Database(url)) as database,
        running_stack(directory, url) as stack,
        simulated_traders(stack.url, directory / "traders.log"),
    ):
        yield Floor(stack, database)


def until(page: Page, ask: Callable[[], T | None]) -> T:
    """Ask until there is an answer; the page goes on meanwhile."""
    deadline_s = time.monotonic() + LIMIT_S
    while not (answer := ask()):
        assert time.monotonic() < deadline_s
        page.wait_for_timeout(100)
    return answer


def shown_orders(desk: Page, token: str) -> int:
    """How many orders of the token wait, as the page says."""
    queue = desk.locator(f"[data-testid=queue][data-token='{token}']")
    return int(queue.get_attribute("data-orders") or 0) if queue.count() else 0


def test_the_queue_of_a_held_token_grows_while_others_trade_and_drains_once_it_is_released(
    floor: Floor, new_page: Callable[..., Page]
) -> None:
    desk = floor.desk(new_page)
    token = until(desk, lambda: floor.listed(BUSY))
    until(desk, lambda: floor.decided(token) > 1)
    switch_token(desk, floor.stack.url, token, "hold_token", BUSY, "its price looks wrong")
    until(desk, lambda: rabbit.apart(rabbit.consumers(floor.queue(token))) == 0)
    decided = floor.decided(token)
    floor.open_engine_room(desk)
    seen = [until(desk, lambda least=least: (now := shown_orders(desk, token)) >= least and now) for least in GROWS_TO]
    assert seen == sorted(seen)
    at_least = rabbit.apart(rabbit.waiting(floor.queue(token)))
    desk.wait_for_timeout(PAGE_IS_OLD_S * 1_000)
    seen.append(shown_orders(desk, token))
    assert at_least <= seen[-1] <= rabbit.apart(rabbit.waiting(floor.queue(token))), (
        "the page says what the broker holds"
    )
    assert floor.decided(token) == decided, "nothing of it is executed"
    queue = desk.locator(f"[data-testid=queue][data-token='{token}']")
    expect(queue).to_contain_text(re.compile(r"held \d+s"))
    picture(desk, "admin-engine-held")

    desk.goto(f"{floor.stack.url}/admin")
    expect(part(desk, "card-oldest")).to_contain_text(re.compile(rf"{BUSY} held \d+s"), timeout=PATIENCE_MS)
    part(desk, "card-oldest").click()

    queue.get_by_test_id("do-release_token").click()
    operate(desk, BUSY, "the price is right")
    until(desk, lambda: shown_orders(desk, token) == 0)
    until(desk, lambda: floor.decided(token) >= decided + seen[-1])
    expect(desk.locator(f"[data-testid=queue][data-token='{token}'][data-held=true]")).to_have_count(0)
    picture(desk, "admin-engine-drained")


def test_a_killed_worker_is_shown_dead_and_its_successor_alive(floor: Floor, new_page: Callable[..., Page]) -> None:
    desk = floor.desk(new_page)
    living = desk.locator("[data-testid=worker][data-name^='trade@'][data-dead=false]")
    expect(living).to_have_count(2, timeout=PATIENCE_MS)
    process_id = floor.stack.kill("trade1")
    killed = desk.locator(f"[data-testid=worker][data-name$=':{process_id}']")
    expect(killed).to_have_attribute("data-dead", "true", timeout=DEAD_WITHIN_MS)
    expect(killed).to_contain_text("dead")
    expect(living).to_have_count(2, timeout=PATIENCE_MS)
    expect(part(desk, "workers").locator("tbody tr").first).to_have_attribute("data-dead", "true")
    decided = floor.decided()
    until(desk, lambda: floor.decided() > decided)
    picture(desk, "admin-engine-dead")
    desk.goto(f"{floor.stack.url}/admin")
    expect(part(desk, "card-p99")).to_have_text(
        re.compile(r"p99[\d.]+ m?slast minute, [1-9]\d* orders"), timeout=PATIENCE_MS
    )
    expect(part(desk, "chart-volume").locator(".points path").first).to_be_attached(timeout=PATIENCE_MS)
    picture(desk, "admin-overview")


async def broker_gives_up(queue: str, account: str) -> None:
    """Return that account's order to its queue, as workers do that die of it, until the broker sets it aside."""
    received: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
    async with rabbit.channel() as channel, asyncio.timeout(LIMIT_S):
        await channel.basic_qos(prefetch_count=100)
        await channel.basic_consume(queue, received.put)
        for _ in range(DELIVERY_LIMIT + 1):
            while decoded((message := await received.get()).body).account_id != account:
                pass
            await channel.basic_nack(message.delivery_tag or 0, requeue=True)


def test_an_order_that_the_broker_gave_up_on_is_parked_and_the_button_replays_it(
    floor: Floor, new_page: Callable[..., Page]
) -> None:
    trader, desk = new_page(), floor.desk(new_page)
    ready_trader(trader, floor.stack.url, "PARK")
    token = trader.url.rstrip("/").rpartition("/")[2]
    account = part(trader, "account").get_attribute("data-address") or ""
    switch_token(desk, floor.stack.url, token, "hold_token", "PARK")
    expect(part(trader, "token-held")).to_be_visible(timeout=PATIENCE_MS)
    until(desk, lambda: rabbit.apart(rabbit.consumers(floor.queue(token))) == 0)
    buy(trader)
    expect(newest_order(trader)).to_have_attribute("data-state", "queued", timeout=PATIENCE_MS)

    rabbit.apart(broker_gives_up(floor.queue(token), account))
    floor.open_engine_room(desk)
    row = part(desk, "parked").filter(has_text="PARK")
    expect(row).to_contain_text("the broker gave it up", timeout=PATIENCE_MS)
    expect(row).to_contain_text(f"Buy {AMOUNT_SOL}00 SOL")
    expect(part(desk, "engine-parked")).to_have_text("1", timeout=PATIENCE_MS)
    expect(newest_order(trader)).to_have_attribute("data-state", "parked", timeout=PATIENCE_MS)
    picture(desk, "admin-engine-parked")

    row.get_by_test_id("do-replay_parked").click()
    operate(desk, "REPLAY", "the broker was at fault")
    expect(row).to_have_count(0, timeout=PATIENCE_MS)
    expect(part(desk, "engine-parked")).to_have_text("0", timeout=PATIENCE_MS)
    expect(newest_order(trader)).to_have_attribute("data-state", DONE, timeout=PATIENCE_MS)
    picture(desk, "admin-engine-replayed")
    until(desk, lambda: shown_orders(desk, token) == rabbit.apart(rabbit.waiting(floor.queue(token))))
    desk.locator(f"[data-testid=queue][data-token='{token}']").get_by_test_id("do-release_token").click()
    operate(desk, "PARK")


def test_a_hidden_token_leaves_the_board_and_a_frozen_account_trades_no_more(
    floor: Floor, new_page: Callable[..., Page]
) -> None:
    trader, desk = new_page(), floor.desk(new_page)
    ready_trader(trader, floor.stack.url, "HIDE")
    token = trader.url.rstrip("/").rpartition("/")[2]
    account = part(trader, "account").get_attribute("data-address") or ""
    board = new_page()
    board.goto(floor.stack.url)
    card = board.locator("[data-column=new]").get_by_test_id("token-card").filter(has_text="HIDE")
    expect(card).to_be_visible(timeout=PATIENCE_MS)
    switch_token(desk, floor.stack.url, token, "hide_token", "HIDE")
    expect(card).to_have_count(0, timeout=PATIENCE_MS)

    part(desk, "switch-account").fill(account)
    part(desk, "do-freeze_account").click()
    operate(desk, "FREEZE")
    buy(trader)
    expect(trader.get_by_text("your account is on hold")).to_be_visible(timeout=PATIENCE_MS)
    expect(part(trader, "order-row").filter(has_text=AMOUNT_SOL)).to_have_count(0)
    picture(desk, "admin-switches")
    frozen = desk.locator(f"[data-testid=switched][data-target='{account}']")
    frozen.get_by_test_id("do-unfreeze_account").click()
    operate(desk, "UNFREEZE")
    expect(frozen).to_have_count(0, timeout=PATIENCE_MS)
    part(trader, "trade-submit").click()
    expect(newest_order(trader)).to_have_attribute("data-state", DONE, timeout=PATIENCE_MS)


def buy(trader: Page) -> None:
    """A small buy on the token's page, which others trade too, whatever they do to its price meanwhile."""
    part(trader, "slippage").click()
    part(trader, "slippage-input").fill("50")
    part(trader, "amount").fill(AMOUNT_SOL)
    part(trader, "trade-submit").click()
