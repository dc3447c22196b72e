"""The pages about activity in a browser, over a month of trades that the running app counts by itself."""

import csv
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks.dashboard import fill
from engine.indicators.tallies import DAY_MS
from engine.persistence import roles
from engine.persistence.database import Database
from tests.activity_data import plainly
from tests.app import running_app
from tests.localnet import running_localnet
from tests.ui.conftest import PHONE
from tests.ui.trader import SLOW_MS, part, sign_in

pytestmark = pytest.mark.browser

TRADES, TOKENS = 4_000, 60


class Platform:
    """A running app and its database."""

    def __init__(self, url: str, database: Database) -> None:
        self.url, self.database = url, database

    def open(self, page: Page, path: str) -> None:
        """The page as a viewer sees it, once its answer is there."""
        account = sign_in(page, self.url)
        with self.database.transaction() as connection:
            roles.set_role(connection, account, "viewer", 1)
        page.goto(self.url + path)
        expect(page.locator('[data-ready="true"]')).to_be_visible(timeout=SLOW_MS)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    data = tmp_path_factory.mktemp("activity")
    database = Database(f"sqlite:///{data / 'blitzhub.db'}")
    database.migrate()
    fill(database, TRADES, TOKENS, 300, int(time.time() * 1000))
    with running_localnet(data / "localnet") as chain, running_app(data, chain) as app:
        deadline_s = time.monotonic() + 60
        while not any(row["name"] == "tallies" for row in plainly(database, "reports")):
            assert time.monotonic() < deadline_s, "the trades are not counted"
            time.sleep(0.1)
        yield Platform(app.url, database)
    database.close()


def test_a_figure_is_the_rows_added_up_and_opens_them(platform: Platform, page: Page) -> None:
    platform.open(page, "/admin?range=90d")
    trades = plainly(platform.database, "trades")
    expect(part(page, "card-trades")).to_have_attribute("data-value", str(len(trades)))
    expect(part(page, "card-lamports")).to_have_attribute("data-value", str(sum(row["lamports"] for row in trades)))
    expect(part(page, "counted")).to_contain_text("Counted")
    expect(page.locator(".bh-plot .main-svg").first).to_be_visible()
    part(page, "card-lamports").click()
    expect(part(page, "trade-row")).to_have_count(50, timeout=SLOW_MS)
    part(page, "rows-more").click()
    expect(part(page, "trade-row")).to_have_count(100, timeout=SLOW_MS)
    part(page, "card-traders").click()
    expect(part(page, "trader-row")).to_have_count(50, timeout=SLOW_MS)
    part(page, "card-launches").click()
    expect(page).to_have_url(re.compile("/admin/tokens/?[?].*only=launched"))
    expect(part(page, "token-count")).to_contain_text(f"of {TOKENS}.", timeout=SLOW_MS)


def test_a_bar_opens_its_own_step(platform: Platform, page: Page) -> None:
    platform.open(page, "/admin?range=7d")
    bar = part(page, "chart-trades").locator(".points path").nth(2)
    expect(bar).to_be_visible()
    box = part(page, "chart-trades").locator(".nsewdrag").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 2.5 / 7, box["y"] + box["height"] * 0.9)
    expect(part(page, "rows")).to_be_visible(timeout=SLOW_MS)
    day = (int(time.time() * 1000) // DAY_MS - 4) * DAY_MS
    expect(part(page, "rows").get_by_role("heading")).to_have_text(
        f"Trades: {time.strftime('%Y-%m-%d 00:00', time.gmtime(day / 1000))} "
        f"to {time.strftime('%Y-%m-%d 00:00', time.gmtime(day / 1000 + 86_400))}"
    )


def test_the_token_table_is_sorted_filtered_and_exported(platform: Platform, page: Page, tmp_path: Path) -> None:
    platform.open(page, "/admin/tokens?range=90d")
    part(page, "sort-trades").click()
    values = page.locator('[data-column="trades"]')
    expect(part(page, "sort-trades")).to_have_attribute("aria-pressed", "true")
    most = max(
        sum(row["token"] == each["address"] for row in plainly(platform.database, "trades"))
        for each in plainly(platform.database, "tokens")
    )
    expect(values.first).to_have_attribute("data-value", str(most), timeout=SLOW_MS)
    part(page, "filter-stage").select_option("graduated")
    expect(part(page, "token-row")).to_have_count(2, timeout=SLOW_MS)
    with page.expect_download() as download:
        part(page, "export-csv").click()
    path = tmp_path / "tokens.csv"
    download.value.save_as(path)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["address"] for row in rows] == [
        row.get_attribute("data-address") for row in part(page, "token-row").all()
    ]
    part(page, "token-row").first.get_by_role("link").click()
    expect(part(page, "classes")).to_be_visible(timeout=SLOW_MS)
    part(page, "open-trades").click()
    expect(part(page, "trade-row").first).to_be_visible(timeout=SLOW_MS)


def test_cohorts_are_shown_by_week_and_by_day(platform: Platform, page: Page) -> None:
    platform.open(page, "/admin/cohorts")
    expect(part(page, "cohort-row")).to_have_count(12)
    part(page, "cohorts-day").click()
    expect(part(page, "cohort-row")).to_have_count(14, timeout=SLOW_MS)


@pytest.mark.parametrize("path", ["/admin?range=7d", "/admin/tokens?range=7d", "/admin/cohorts"])
def test_a_phone_shows_it_without_scrolling_sideways(
    platform: Platform, new_page: Callable[..., Page], path: str
) -> None:
    page = new_page(viewport=PHONE)
    platform.open(page, path)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
