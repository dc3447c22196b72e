"""A token graduates before open pages, by somebody else's buy, and is sold on its pool without a reload."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Page, expect

from tests.app import App, running_app
from tests.localnet import running_localnet
from tests.traders.client import TraderClient
from tests.ui.trader import SLOW_MS, launch, newest_order, part, sign_in

FUNDS = 200_000_000_000
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app whose faucet gives enough to fill a curve."""
    data = tmp_path_factory.mktemp("graduation")
    with (
        running_localnet(data / "localnet") as chain,
        running_app(data, chain, {"BLITZ_FAUCET_LAMPORTS": str(FUNDS)}) as started,
    ):
        yield started


def fill_the_curve(url: str, token: str, lamports: int = 90_000_000_000) -> None:
    """Another account's buy, through the API; Playwright's own loop owns this thread."""

    async def buy() -> None:
        trader = TraderClient(url)
        await trader.sign_in()
        await trader.faucet()
        while await trader.free_lamports() < lamports:  # noqa: ASYNC110  the chain rings no event
            await asyncio.sleep(0.1)
        await trader.buy(token, lamports)
        await trader.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, buy()).result(120)


def count_loads(page: Page) -> list[str]:
    """The addresses this page loads from now on."""
    loads: list[str] = []
    page.on("load", lambda loaded: loads.append(loaded.url))
    return loads


@pytest.mark.browser
def test_a_token_graduates_live_and_is_sold_on_its_pool_without_a_reload(
    app: App, new_page: Callable[..., Page]
) -> None:
    page, board = new_page(), new_page()
    sign_in(page, app.url)
    part(page, "faucet").click()
    expect(part(page, "balance")).to_have_attribute("data-lamports", str(FUNDS), timeout=SLOW_MS)
    launch(page, app.url, "GRAD", first_buy="1")
    token = page.url.rstrip("/").rsplit("/", 1)[-1]
    expect(part(page, "tape").locator("[data-seq='1']")).to_contain_text("first buy", timeout=SLOW_MS)
    board.goto(app.url)
    card = f'[data-testid="token-card"][data-address="{token}"]'
    expect(board.locator(f'[data-column="new"] {card}')).to_be_visible(timeout=SLOW_MS)
    loads = count_loads(page), count_loads(board)

    fill_the_curve(app.url, token)

    graduation = part(page, "graduation")
    expect(graduation).to_have_attribute("data-stage", "graduated", timeout=PATIENCE_MS)
    expect(part(page, "pool-sol")).to_have_text("80.00 SOL")
    expect(part(page, "pool-tokens")).to_have_text("200K GRAD")
    expect(part(page, "pool-price")).to_have_text("0.0004000 SOL")
    expect(part(page, "pool-fee")).to_have_text("0.60%")
    expect(graduation).to_contain_text("liquidity 160.0 SOL")
    expect(page.get_by_text("GRAD has graduated").first).to_be_visible()
    expect(part(page, "candle-chart")).to_have_attribute("data-graduated", "true")
    expect(board.locator(f'[data-column="graduated"] {card}')).to_be_visible(timeout=PATIENCE_MS)
    expect(board.locator(f'[data-column="new"] {card}')).to_have_count(0)
    expect(board.get_by_text("GRAD has graduated").first).to_be_visible()

    part(page, "side-sell").click()
    part(page, "preset-25%").click()
    expect(part(page, "quote")).to_contain_text("Fee 0.30%", timeout=SLOW_MS)
    expect(part(page, "trade-submit")).to_have_attribute("aria-disabled", "false", timeout=SLOW_MS)
    part(page, "trade-submit").click()
    order = newest_order(page)
    expect(order).to_contain_text("Sell", timeout=SLOW_MS)
    expect(order).to_have_attribute("data-state", "confirmed", timeout=PATIENCE_MS)
    expect(part(page, "pool-sol")).not_to_have_text("80.00 SOL", timeout=SLOW_MS)
    assert loads == ([], [])


@pytest.mark.browser
def test_a_fair_launch_says_its_rules_and_its_creator_claims_what_trades_have_earned(app: App, page: Page) -> None:
    sign_in(page, app.url)
    part(page, "faucet").click()
    expect(part(page, "balance")).to_have_attribute("data-lamports", str(FUNDS), timeout=SLOW_MS)
    page.goto(f"{app.url}/launch")
    part(page, "launch-opening").click()
    part(page, "opening-fee-20").click()
    part(page, "opening-cap-5").click()
    launch(page, app.url, "FAIR")
    expect(part(page, "opening-cap")).to_have_text("30.0K for 30 min", timeout=SLOW_MS)
    expect(part(page, "opening-fee")).to_contain_text("%, gone in")
    expect(part(page, "opening-fee")).to_be_hidden(timeout=PATIENCE_MS)

    token = page.request.get(f"{app.url}/api/tokens/{page.url.rpartition('/')[2]}").json()
    fees_lamports = int(token["creator_fees_lamports"])
    # 30 % of the 21 % that a first buy of 0.1 SOL pays at the very start; the extra fee falls with every millisecond.
    assert 6_000_000 < fees_lamports <= 6_300_000
    expect(part(page, "creator-fees-amount")).to_have_text(f"0.00{fees_lamports // 100_000} SOL")
    before = int(part(page, "balance").get_attribute("data-lamports") or 0)
    part(page, "creator-fees-claim").click()
    expect(part(page, "creator-fees-amount")).to_have_text("0.0000 SOL", timeout=SLOW_MS)
    expect(part(page, "balance")).to_have_attribute("data-lamports", str(before + fees_lamports), timeout=SLOW_MS)
    expect(part(page, "creator-fees-claim")).to_have_attribute("aria-disabled", "true")


@pytest.mark.browser
def test_a_filtered_board_is_its_address(app: App, page: Page) -> None:
    page.goto(f"{app.url}/?holders=1000")
    expect(part(page, "board").get_by_text("No token matches.").first).to_be_visible(timeout=SLOW_MS)
    expect(part(page, "token-card")).to_have_count(0)
    part(page, "filter-clear").click()
    expect(part(page, "token-card").first).to_be_visible(timeout=SLOW_MS)
    assert "holders" not in page.url
    part(page, "filter-cap").fill("1000000")
    expect(part(page, "token-card")).to_have_count(0)
    assert "cap=1000000" in page.url
