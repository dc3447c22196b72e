"""The whole story in two browsers: sign in, faucet, launch, buy, watch it live elsewhere, sell, confirmed on Solana."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solders.signature import Signature

from tests.app import App, running_app
from tests.localnet import Localnet, running_localnet
from tests.traders.pictures import picture as drawn

PATIENCE_MS = 60_000
SEEN_WITHIN_S = 1.0


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    with running_localnet(tmp_path_factory.mktemp("chain")) as node:
        yield node


@pytest.fixture(scope="module")
def app(chain: Localnet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("data"), chain) as started:
        yield started


def _sign_in_and_fund(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_test_id("sign-in").click()
    page.locator('[data-testid="wallet-choice"][data-wallet="Demo wallet"]').click()
    expect(page.get_by_test_id("account")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_test_id("faucet").click()
    expect(page.get_by_test_id("balance")).to_have_attribute("data-lamports", "10000000000", timeout=PATIENCE_MS)


def _launch(page: Page, url: str, picture: Path) -> None:
    page.goto(f"{url}/launch")
    page.get_by_test_id("launch-name").fill("Story Cat")
    page.get_by_test_id("launch-symbol").fill("STORY")
    page.locator("input[type=file]").set_input_files(picture)
    page.get_by_role("button", name="0.5", exact=True).click()
    page.get_by_test_id("launch-submit").click()
    page.get_by_test_id("launch-confirm").click()
    page.wait_for_url("**/token/**", timeout=PATIENCE_MS)
    expect(page.get_by_test_id("token-symbol")).to_have_text("STORY", timeout=PATIENCE_MS)


def _market_cap(page: Page) -> str:
    return page.get_by_test_id("figure-market_cap_lamports").inner_text()


def _newest_trade(page: Page) -> str:
    return page.get_by_test_id("tape").locator("[data-seq]").first.get_attribute("data-seq") or ""


def _candle(page: Page) -> str:
    return page.get_by_test_id("candle-chart").get_attribute("data-last") or ""


def _seen_live(page: Page, before: tuple[str, str, str]) -> float:
    """Seconds until price, tape and candle of an untouched page have all moved on from `before`."""
    started_s = time.monotonic()
    while any(now == then for now, then in zip(_market(page), before, strict=True)):
        assert time.monotonic() - started_s < PATIENCE_MS / 1000, f"{_market(page)} still shows some of {before}"
        page.wait_for_timeout(10)
    return time.monotonic() - started_s


def _market(page: Page) -> tuple[str, str, str]:
    return _market_cap(page), _newest_trade(page), _candle(page)


def _confirmed_rows(page: Page, count: int) -> list[str]:
    """The signatures of the page's own orders once `count` of them are confirmed."""
    page.get_by_test_id("tab-orders").click()
    rows = page.locator('[data-testid="order-row"][data-state="confirmed"]')
    expect(rows).to_have_count(count, timeout=PATIENCE_MS)
    return [row.get_attribute("data-signature") or "" for row in rows.all()]


def _errors_on_chain(chain: Localnet, signatures: list[str]) -> list[object]:
    """What solana-py says of each signature: None for success. Playwright's own loop owns this thread."""

    async def ask() -> list[object]:
        async with AsyncClient(chain.rpc_url, commitment=Confirmed) as client:
            wanted = [Signature.from_string(signature) for signature in signatures]
            found = (await client.get_signature_statuses(wanted, search_transaction_history=True)).value
            return ["unknown" if status is None else status.err for status in found]

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, ask()).result()


@pytest.mark.browser
def test_a_newcomer_trades_and_another_browser_sees_it_live(
    app: App, chain: Localnet, new_page: Callable[..., Page], tmp_path: Path
) -> None:
    picture = tmp_path / "cat.png"
    picture.write_bytes(drawn("STORY"))
    trader, watcher = new_page(), new_page()
    _sign_in_and_fund(trader, app.url)
    _launch(trader, app.url, picture)
    expect(trader.get_by_test_id("tape").locator("[data-seq='1']")).to_be_visible(timeout=PATIENCE_MS)

    watcher.goto(trader.url)
    expect(watcher.get_by_test_id("tape").locator("[data-seq='1']")).to_be_visible(timeout=PATIENCE_MS)
    expect(watcher.get_by_test_id("candle-chart")).to_have_attribute("data-last", re.compile("."), timeout=PATIENCE_MS)
    loads: list[str] = []
    watcher.on("load", lambda page: loads.append(page.url))

    before = _market(watcher)
    trader.get_by_test_id("amount").fill("1")
    expect(trader.get_by_test_id("quote-minimum")).to_have_text(re.compile(r"\d"), timeout=PATIENCE_MS)
    trader.get_by_test_id("accept-impact").check()
    trader.get_by_test_id("trade-submit").click()
    expect(trader.get_by_test_id("tape").locator("[data-seq='2']")).to_be_visible(timeout=PATIENCE_MS)
    assert _seen_live(watcher, before) < SEEN_WITHIN_S

    before = _market(watcher)
    trader.get_by_test_id("side-sell").click()
    trader.get_by_test_id("preset-50%").click()
    expect(trader.get_by_test_id("quote-minimum")).to_have_text(re.compile(r"\d"), timeout=PATIENCE_MS)
    trader.get_by_test_id("trade-submit").click()
    expect(trader.get_by_test_id("tape").locator("[data-seq='3']")).to_be_visible(timeout=PATIENCE_MS)
    assert _seen_live(watcher, before) < SEEN_WITHIN_S
    assert loads == []

    signatures = _confirmed_rows(trader, 3)
    assert _errors_on_chain(chain, signatures) == [None, None, None]
