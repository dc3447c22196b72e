"""What a person does in the browser, as steps for UI tests."""

import re

from playwright.sync_api import Locator, Page, expect

SLOW_MS = 20_000
TEN_SOL = "10000000000"


def part(page: Page, name: str) -> Locator:
    """An element by its test id."""
    return page.get_by_test_id(name)


def sign_in(page: Page, url: str) -> str:
    """Sign in with the demo wallet; returns the account."""
    page.goto(url)
    part(page, "sign-in").click()
    page.get_by_role("button", name="Demo wallet").click()
    expect(part(page, "account")).to_be_visible(timeout=SLOW_MS)
    return part(page, "account").get_attribute("data-address") or ""


def take_test_sol(page: Page) -> None:
    """Ask the faucet and wait for the deposit."""
    part(page, "faucet").click()
    expect(part(page, "balance")).to_have_attribute("data-lamports", TEN_SOL, timeout=SLOW_MS)


def launch(page: Page, url: str, symbol: str, first_buy: str = "0.1") -> None:
    """Launch a token and wait on its page until it trades."""
    page.goto(f"{url}/launch")
    part(page, "launch-name").fill(f"Test {symbol}")
    part(page, "launch-symbol").fill(symbol)
    part(page, f"first-buy-{first_buy}").click()
    expect(part(page, "launch-submit")).to_contain_text(f"Launch {symbol} ·", timeout=SLOW_MS)
    part(page, "launch-submit").click()
    part(page, "launch-confirm").click()
    expect(page).to_have_url(re.compile(r"/token/\w{32,44}/?$"), timeout=SLOW_MS)
    expect(part(page, "graduation")).to_contain_text("of 80 SOL", timeout=SLOW_MS)
    expect(part(page, "position")).to_contain_text(symbol, timeout=SLOW_MS)
    if first_buy != "0":
        expect(part(page, "position-held")).to_be_visible(timeout=SLOW_MS)


def ready_trader(page: Page, url: str, symbol: str) -> None:
    """Signed in, with SOL, on the page of a token of their own."""
    sign_in(page, url)
    take_test_sol(page)
    launch(page, url, symbol)


def accept_impact(page: Page) -> None:
    """Tick the box that a large order asks for; it must be there."""
    part(page, "accept-impact").check(timeout=SLOW_MS)


def newest_order(page: Page) -> Locator:
    """The first row of one's own orders."""
    part(page, "tab-orders").click()
    return part(page, "order-row").first
