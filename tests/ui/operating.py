"""What an operator does in the browser, as steps for UI tests."""

import os
from typing import Final

from playwright.sync_api import Page, expect

from tests.ui.conftest import DESKTOP, PHONE
from tests.ui.trader import SLOW_MS, part

SETTLE_MS: Final = 300


def operate(page: Page, word: str, reason: str = "a test of it") -> None:
    """Fill in the dialog that is open and do it."""
    part(page, "action-reason").fill(reason)
    part(page, "action-word").fill(word)
    part(page, "action-do").click()
    expect(part(page, "action-do")).to_have_count(0, timeout=SLOW_MS)


def switch_token(page: Page, url: str, token: str, action: str, symbol: str, reason: str = "a test of it") -> None:
    """Find the token on the page of the switches, and do that to it."""
    page.goto(f"{url}/admin/switches")
    part(page, "switch-token").fill(token)
    page.get_by_role("button", name="Find").click()
    part(page, f"do-{action}").click()
    operate(page, symbol, reason)


def picture(page: Page, name: str) -> None:
    """Kept where BLITZ_TEST_PICTURES says, as on a desktop and whole as on a phone, for a person to look at."""
    if directory := os.environ.get("BLITZ_TEST_PICTURES"):
        page.screenshot(path=f"{directory}/{name}.png")
        page.set_viewport_size(PHONE)
        page.wait_for_timeout(SETTLE_MS)
        page.screenshot(path=f"{directory}/{name}-phone.png", full_page=True)
        page.set_viewport_size(DESKTOP)
