"""The status bar's sentence about ledger and chain."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.ui.conftest import DESKTOP, PHONE

pytestmark = pytest.mark.browser


def answered(page: Page, **changes: object) -> None:
    """The app's own answer with these changes."""

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json={**response.json(), **changes})

    page.route("**/api/proof", answer)


def test_it_says_that_ledger_and_chain_agree_and_how_long_ago(app_url: str, page: Page) -> None:
    page.goto(app_url)
    proof = page.get_by_test_id("ledger-proof")
    expect(proof).to_have_text(re.compile(r"^Ledger = chain, checked (now|\d+s ago)$"), timeout=20_000)
    expect(proof).to_have_attribute("href", "/api/proof")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"age_ms": 120_000}, "Ledger and chain were last compared 2m ago"),
        (
            {"agrees": False, "age_ms": 4_000, "withdrawals_frozen_since_ms": 1_790_000_000_000},
            re.compile("^Ledger differs from chain, .*Withdrawals wait while we check the ledger, since"),
        ),
    ],
    ids=["old", "frozen"],
)
def test_what_is_not_well_is_seen_at_any_width(
    app_url: str, new_page: Callable[..., Page], viewport: dict[str, int], changes: dict[str, object], words: object
) -> None:
    page = new_page(viewport=viewport)
    answered(page, **changes)
    page.goto(app_url)
    proof = page.get_by_test_id("ledger-proof")
    expect(proof).to_have_text(words, timeout=20_000)
    expect(proof).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
