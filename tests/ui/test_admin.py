"""The operators' pages as four people see them: nobody, a trader, a viewer, an operator."""

import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from engine.identifiers import AccountId, TokenAddress, order_id
from engine.persistence import parked, roles, switches
from engine.persistence.database import Database
from engine.persistence.switches import Switch, SwitchState
from engine.persistence.tables import SessionRow, table
from engine.trading.orders import Order, Side, body_hash
from tests.app import running_app
from tests.localnet import running_localnet
from tests.ui.conftest import PHONE
from tests.ui.operating import operate, switch_token
from tests.ui.trader import SLOW_MS, accept_impact, newest_order, part, ready_trader, sign_in

pytestmark = pytest.mark.browser

PAGES = (
    "/admin",
    "/admin/tokens",
    "/admin/tokens/x",
    "/admin/cohorts",
    "/admin/engine",
    "/admin/switches",
    "/admin/audit",
)
SESSIONS = table(SessionRow)
NOWHERE = "No token at this address."


@dataclass(frozen=True)
class Platform:
    """A running app and its database."""

    url: str
    database: Database

    def grant(self, account: str, role: str) -> None:
        """Make the account a member of staff."""
        with self.database.transaction() as connection:
            roles.set_role(connection, account, role, 1)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    data = tmp_path_factory.mktemp("admin")
    with running_localnet(data / "localnet") as chain, running_app(data, chain) as app:
        database = Database(f"sqlite:///{data / 'blitzhub.db'}")
        yield Platform(app.url, database)
        database.close()


def staff(page: Page, platform: Platform, role: str) -> str:
    """Signed in with that role."""
    account = sign_in(page, platform.url)
    platform.grant(account, role)
    return account


@pytest.mark.parametrize("path", PAGES)
def test_nobody_and_a_trader_find_nothing(platform: Platform, page: Page, path: str) -> None:
    refused: list[int] = []
    page.on("response", lambda answer: refused.append(answer.status) if "/api/admin" in answer.url else None)
    page.goto(platform.url + path)
    expect(page.get_by_role("heading", name=NOWHERE)).to_be_visible(timeout=SLOW_MS)
    sign_in(page, platform.url)
    page.goto(platform.url + path)
    expect(page.get_by_role("heading", name=NOWHERE)).to_be_visible(timeout=SLOW_MS)
    expect(part(page, "admin")).to_have_count(0)
    part(page, "account").click()
    expect(part(page, "menu-wallet")).to_be_visible()
    expect(part(page, "menu-admin")).to_have_count(0)
    assert refused == []


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_staff_find_their_pages_in_the_menu_and_see_how_the_platform_stands(
    platform: Platform, page: Page, role: str
) -> None:
    staff(page, platform, role)
    page.reload()
    part(page, "account").click()
    part(page, "menu-admin").click()
    expect(part(page, "strip-role")).to_contain_text(role, timeout=SLOW_MS)
    expect(part(page, "strip-withdrawals")).to_have_text("Withdrawals on")
    expect(part(page, "strip-ledger")).to_contain_text("Ledger = chain", timeout=SLOW_MS)


@pytest.mark.parametrize("path", PAGES)
def test_no_page_scrolls_sideways_on_a_phone(platform: Platform, new_page: Callable[..., Page], path: str) -> None:
    page = new_page(viewport=PHONE)
    staff(page, platform, "viewer")
    page.goto(platform.url + path)
    expect(part(page, "strip-role")).to_contain_text("viewer", timeout=SLOW_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_strip_says_that_withdrawals_are_frozen_and_the_engine_room_why(platform: Platform, page: Page) -> None:
    staff(page, platform, "viewer")
    why = "the chain holds 12 lamports less than the ledger says in " + ", ".join(["some wallet"] * 15)

    def turn(is_set: bool) -> None:
        with platform.database.transaction() as connection:
            state = SwitchState(is_set, why, "a test", int(time.time() * 1000))
            assert switches.turn(connection, Switch.WITHDRAWALS_FROZEN, state)

    turn(True)
    try:
        page.goto(platform.url + "/admin")
        strip = part(page, "strip-withdrawals")
        expect(strip).to_have_text(re.compile(r"^Withdrawals frozen since \d\d:\d\d$"), timeout=SLOW_MS)
        expect(strip).to_have_attribute("title", why)
        page.goto(platform.url + "/admin/engine")
        expect(part(page, "engine-frozen")).to_contain_text(why, timeout=SLOW_MS)
    finally:
        turn(False)
    expect(part(page, "engine-frozen")).to_have_count(0, timeout=SLOW_MS)


def test_a_role_taken_away_ends_the_page(platform: Platform, page: Page) -> None:
    account = staff(page, platform, "viewer")
    page.goto(platform.url + "/admin")
    expect(part(page, "strip-role")).to_contain_text("viewer", timeout=SLOW_MS)
    with platform.database.transaction() as connection:
        roles.take_role(connection, account)
    page.reload()
    expect(page.get_by_role("heading", name=NOWHERE)).to_be_visible(timeout=SLOW_MS)


def launched_token(page: Page, platform: Platform, symbol: str) -> str:
    """A trader's own token, on its page; returns its address."""
    ready_trader(page, platform.url, symbol)
    return page.url.rstrip("/").rpartition("/")[2]


def test_a_viewer_is_shown_no_switch(platform: Platform, page: Page) -> None:
    staff(page, platform, "viewer")
    for path in PAGES:
        page.goto(platform.url + path)
        expect(part(page, "strip-role")).to_contain_text("viewer", timeout=SLOW_MS)
        expect(page.locator("[data-testid^='do-']")).to_have_count(0)


def test_an_operator_pauses_a_token_and_its_traders_see_it(platform: Platform, new_page: Callable[..., Page]) -> None:
    trader, desk = new_page(), new_page()
    token = launched_token(trader, platform, "PAUS")
    staff(desk, platform, "operator")
    desk.goto(platform.url + "/admin/switches")
    part(desk, "switch-token").fill(token)
    desk.get_by_role("button", name="Find").click()
    part(desk, "do-pause_token").click()
    part(desk, "action-reason").fill("looks like wash trading")
    part(desk, "action-word").fill("WRONG")
    expect(part(desk, "action-do")).to_have_attribute("aria-disabled", "true")
    operate(desk, "PAUS", "looks like wash trading")
    expect(part(desk, "action-done")).to_contain_text("pause token")
    expect(trader.get_by_text("Buying PAUS is paused. Your balance is safe.")).to_be_visible(timeout=SLOW_MS)
    row = desk.locator(f"[data-testid='switched'][data-target='{token}']")
    expect(row).to_contain_text("paused", timeout=SLOW_MS)
    row.get_by_test_id("do-resume_token").click()
    operate(desk, "PAUS")
    expect(trader.get_by_text("Buying PAUS is paused. Your balance is safe.")).to_have_count(0, timeout=SLOW_MS)
    desk.goto(platform.url + "/admin/audit")
    expect(desk.get_by_test_id("audit-row").first).to_contain_text("resume token", timeout=SLOW_MS)
    expect(desk.get_by_test_id("audit-row").nth(1)).to_contain_text("looks like wash trading")


def test_an_operator_pauses_the_platform_from_any_page(platform: Platform, new_page: Callable[..., Page]) -> None:
    trader, desk = new_page(), new_page()
    launched_token(trader, platform, "PLAT")
    staff(desk, platform, "operator")
    desk.goto(platform.url + "/admin/audit")
    part(desk, "do-pause_platform").click()
    operate(desk, "PAUSE")
    expect(part(desk, "strip-buying")).to_contain_text("Buying paused since", timeout=SLOW_MS)
    expect(trader.get_by_text("Buying PLAT is paused. Your balance is safe.")).to_be_visible(timeout=SLOW_MS)
    part(desk, "do-resume_platform").click()
    operate(desk, "RESUME")
    expect(part(desk, "strip-buying")).to_have_text("Trading on", timeout=SLOW_MS)


def test_an_operator_who_signed_in_long_ago_signs_in_again_to_act(platform: Platform, page: Page) -> None:
    account = staff(page, platform, "operator")
    with platform.database.transaction() as connection:
        old = update(SESSIONS).where(SESSIONS.c.account_id == account).values(created_at_ms=1)
        assert connection.execute(old).rowcount == 1
    page.goto(platform.url + "/admin")
    part(page, "do-pause_platform").click()
    expect(part(page, "action-do")).to_have_text("Sign in and pause platform")
    operate(page, "PAUSE")
    expect(part(page, "strip-buying")).to_contain_text("Buying paused since", timeout=SLOW_MS)
    part(page, "do-resume_platform").click()
    operate(page, "RESUME")


def test_the_queue_of_a_held_token_grows_and_drains_once_it_is_released(
    platform: Platform, new_page: Callable[..., Page]
) -> None:
    trader, desk = new_page(), new_page()
    token = launched_token(trader, platform, "HELD")
    staff(desk, platform, "operator")
    switch_token(desk, platform.url, token, "hold_token", "HELD")
    expect(part(trader, "token-held")).to_be_visible(timeout=SLOW_MS)
    desk.goto(platform.url + "/admin/engine")
    queue = desk.locator(f"[data-testid='queue'][data-token='{token}']")
    for waiting in (1, 2, 3):
        part(trader, "amount").fill("0.1")
        if waiting == 1:
            accept_impact(trader)
        part(trader, "trade-submit").click()
        expect(queue).to_have_attribute("data-orders", str(waiting), timeout=SLOW_MS)
    expect(queue).to_contain_text("held")
    desk.goto(platform.url + "/admin")
    expect(part(desk, "card-oldest")).to_have_text(re.compile(r"Oldest order\d.*s.*3 that wait"), timeout=SLOW_MS)
    part(desk, "card-oldest").click()
    queue.get_by_test_id("do-release_token").click()
    operate(desk, "HELD")
    expect(queue).to_have_count(0, timeout=SLOW_MS)
    expect(part(desk, "engine-waiting")).to_have_text("0")
    expect(newest_order(trader)).not_to_contain_text("Queued", timeout=SLOW_MS)
    first = part(trader, "order-row").nth(2)  # the later ones were quoted before it moved the price
    expect(first).to_contain_text(re.compile("Filled|Confirmed"), timeout=SLOW_MS)


def test_a_parked_order_is_shown_and_replayed(platform: Platform, new_page: Callable[..., Page]) -> None:
    """An order that the broker gave up on: here its message is taken from a held queue, as a dead letter is."""
    trader, desk = new_page(), new_page()
    token = launched_token(trader, platform, "PARK")
    account = part(trader, "account").get_attribute("data-address") or ""
    now_ms = int(time.time() * 1000)
    client_id = str(uuid.uuid4())
    order = Order(
        order_id=order_id(AccountId(account), client_id),
        account_id=AccountId(account),
        client_order_id=client_id,
        token=TokenAddress(token),
        side=Side.BUY,
        amount=100_000_000,
        bound=1,
        deadline_ms=now_ms,
        body_hash=body_hash(Side.BUY, token, 100_000_000, 1, None),
        accepted_at_ms=now_ms,
    )
    staff(desk, platform, "operator")
    desk.goto(platform.url + "/admin/engine")
    expect(part(desk, "engine-parked")).to_have_text("0", timeout=SLOW_MS)
    with platform.database.transaction() as connection:
        parked.park([parked.parked_row(token, order.encoded(), "killed_workers", now_ms)], connection)
    row = desk.locator(f"[data-testid='parked'][data-id='{order.order_id}']")
    expect(row).to_contain_text("it killed its workers", timeout=SLOW_MS)
    row.get_by_test_id("do-replay_parked").click()
    operate(desk, "REPLAY")
    expect(row).to_have_count(0, timeout=SLOW_MS)
    expect(newest_order(trader)).to_contain_text(re.compile("Filled|Confirmed"), timeout=SLOW_MS)


def test_the_engine_room_says_who_works_and_how_fast(platform: Platform, new_page: Callable[..., Page]) -> None:
    trader = new_page()
    launched_token(trader, platform, "FAST")
    part(trader, "amount").fill("0.1")
    accept_impact(trader)
    part(trader, "trade-submit").click()
    page = new_page()
    staff(page, platform, "viewer")
    page.goto(platform.url + "/admin/engine")
    worker = part(page, "worker")
    expect(worker).to_have_attribute("data-dead", "false", timeout=SLOW_MS)
    expect(worker).to_contain_text("web, trade, settle, indicators, reconcile")
    for stage in ("fill", "confirm"):
        expect(part(page, f"latency-{stage}-live").locator("[data-quantile='p99']")).to_contain_text(
            re.compile(r"\d+ ms|\d s"), timeout=SLOW_MS
        )
    expect(part(page, "settlements-pending")).to_be_visible()
    page.goto(platform.url + "/admin")
    expect(part(page, "card-p99")).to_have_text(re.compile(r"p99\d+ mslast minute, \d+ orders"), timeout=SLOW_MS)
    expect(part(page, "card-oldest")).to_contain_text("none waits")
