"""Signing in, the faucet, launching and trading, as a person does them with the demo wallet."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.ui.trader import (
    SLOW_MS,
    accept_impact,
    launch,
    newest_order,
    part,
    ready_trader,
    sign_in,
)

pytestmark = pytest.mark.browser

DECLINING_WALLET = """
(() => {
  const wallet = {
    version: "1.0.0", name: "Shy wallet", icon: "data:image/svg+xml;base64,PHN2Zy8+",
    chains: ["solana:localnet"], accounts: [],
    features: {
      "solana:signIn": { version: "1.0.0", signIn: async () => { throw new Error("User rejected the request."); } },
    },
  };
  const callback = ({ register }) => register(wallet);
  window.addEventListener("wallet-standard:app-ready", (event) => callback(event.detail));
  window.dispatchEvent(new CustomEvent("wallet-standard:register-wallet", { detail: callback }));
})();
"""


def test_a_bought_token_is_confirmed_and_selling_all_of_it_leaves_no_dust(app_url: str, page: Page) -> None:
    ready_trader(page, app_url, "DUST")
    part(page, "preset-0.1").click()
    accept_impact(page)
    part(page, "trade-submit").click()
    bought = newest_order(page)
    expect(bought).to_have_attribute("data-side", "buy")
    expect(bought).to_have_attribute("data-state", "confirmed", timeout=SLOW_MS)
    assert len(bought.get_attribute("data-signature") or "") in (87, 88)

    part(page, "side-sell").click()
    part(page, "preset-100%").click()
    expect(part(page, "trade-submit")).to_have_text(re.compile(r"^Sell DUST · [\d,]+\.\d\d$"), timeout=SLOW_MS)
    part(page, "trade-submit").click()
    sold = page.locator("[data-testid=order-row][data-side=sell]")
    expect(sold).to_have_attribute("data-state", "confirmed", timeout=SLOW_MS)
    expect(part(page, "position")).to_contain_text("You hold no DUST", timeout=SLOW_MS)


def test_the_most_one_can_spend_is_not_refused(app_url: str, page: Page) -> None:
    ready_trader(page, app_url, "MOST")
    part(page, "preset-Max").click()
    accept_impact(page)
    expect(part(page, "trade-submit")).to_contain_text("Buy MOST ·")
    part(page, "trade-submit").click()
    expect(newest_order(page)).to_have_attribute("data-state", "confirmed", timeout=SLOW_MS)


def test_an_order_that_never_arrived_frees_the_panel_after_its_time_limit_even_over_a_reload(
    app_url: str, page: Page
) -> None:
    ready_trader(page, app_url, "NEVER")
    page.route("**/api/buy", lambda route: route.abort())
    part(page, "preset-0.1").click()
    accept_impact(page)
    part(page, "trade-submit").click()
    expect(part(page, "trade-submit")).to_have_text("Checking…")

    page.clock.install()
    page.reload()
    expect(part(page, "trade-submit")).to_have_text("Checking…", timeout=SLOW_MS)
    page.clock.fast_forward(90_000)
    expect(part(page, "trade-message")).to_contain_text("the order did not arrive", timeout=SLOW_MS)
    expect(part(page, "trade-message")).to_contain_text("Nothing was spent")
    expect(newest_order(page)).to_have_attribute("data-state", "rejected")
    page.clock.fast_forward(5_000)
    expect(part(page, "trade-submit")).to_contain_text("Buy NEVER ·", timeout=SLOW_MS)


def test_a_deposit_opens_the_buy_button_in_a_market_that_stands_still(
    app_url: str, page: Page, new_page: Callable[..., Page]
) -> None:
    ready_trader(page, app_url, "STILL")
    poor = new_page()
    sign_in(poor, page.url)
    part(poor, "preset-0.1").click()
    expect(part(poor, "trade-submit")).to_have_text("Not enough SOL", timeout=SLOW_MS)
    part(poor, "faucet").first.click()
    accept_impact(poor)
    expect(part(poor, "trade-submit")).to_contain_text("Buy STILL ·", timeout=SLOW_MS)


def test_an_order_whose_answer_is_lost_is_found_by_its_id_and_sent_once(app_url: str, page: Page) -> None:
    ready_trader(page, app_url, "LOST")
    sent: list[Any] = []

    def lose_the_answer(route: Route) -> None:
        sent.append(route.request.post_data_json)
        route.fetch()
        route.abort()

    page.route("**/api/buy", lose_the_answer)
    part(page, "preset-0.1").click()
    accept_impact(page)
    part(page, "trade-submit").click()
    order = newest_order(page)
    expect(order).to_have_attribute("data-state", "confirmed", timeout=SLOW_MS)
    expect(part(page, "trade-submit")).to_have_text("Enter an amount")
    assert {body["client_order_id"] for body in sent} == {order.get_attribute("data-order")}
    expect(part(page, "order-row")).to_have_count(2)  # this one and the launch's own first buy


def test_an_order_that_never_arrived_is_sent_again_under_the_same_id(app_url: str, page: Page) -> None:
    ready_trader(page, app_url, "AGAIN")
    sent: list[Any] = []

    def lose_the_first(route: Route) -> None:
        sent.append(route.request.post_data_json)
        if len(sent) == 1:
            route.abort()
        else:
            route.continue_()

    page.route("**/api/buy", lose_the_first)
    part(page, "preset-0.1").click()
    accept_impact(page)
    part(page, "trade-submit").click()
    expect(part(page, "trade-submit")).to_have_text("Checking…")
    expect(newest_order(page)).to_have_attribute("data-state", "confirmed", timeout=SLOW_MS)
    assert len(sent) == 2
    assert sent[0] == sent[1]


def test_what_is_no_amount_cannot_be_sent(app_url: str, page: Page) -> None:
    ready_trader(page, app_url, "TYPO")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url) if request.method == "POST" else None)
    wrong = ("0,5", "abc", "1e3", "-1", "１", "0x10", "NaN", "0", "0.0000000001", "9" * 30, "0.001")
    for text in wrong:
        part(page, "amount").fill(text)
        expect(part(page, "trade-submit")).to_have_attribute("aria-disabled", "true")
        part(page, "amount").press("Enter")
    part(page, "amount").fill("0,5")
    expect(part(page, "trade-submit")).to_have_text("Use a point: 0.5")

    unanswered: list[str] = []

    def leave_the_first_unanswered(route: Route) -> None:
        unanswered.append(route.request.url)
        if len(unanswered) == 1:
            route.abort()
        else:
            route.continue_()

    page.route("**/quote?side=buy**", leave_the_first_unanswered)
    part(page, "amount").fill("0.02")
    expect(part(page, "trade-submit")).to_have_attribute("title", "The server did not answer. Nothing was spent.")
    expect(part(page, "trade-submit")).to_contain_text("Buy TYPO · 0.02 SOL", timeout=SLOW_MS)
    assert [url for url in requests if "/api/buy" in url] == []


def test_a_launch_is_refused_field_by_field_in_the_servers_words(app_url: str, page: Page) -> None:
    sign_in(page, f"{app_url}/launch")
    part(page, "launch-name").fill("Vol\u200btage")
    expect(part(page, "error-name")).to_contain_text("invisible character U+200B", timeout=SLOW_MS)
    part(page, "launch-symbol").fill("V-1")
    expect(part(page, "error-symbol")).to_contain_text("capital letters", timeout=SLOW_MS)
    expect(part(page, "launch-submit")).to_have_attribute("aria-disabled", "true")


def test_declining_in_the_wallet_says_that_nothing_happened(app_url: str, page: Page) -> None:
    page.add_init_script(DECLINING_WALLET)
    page.goto(app_url)
    part(page, "sign-in").click()
    choices = part(page, "wallet-choice")
    expect(choices.first).to_have_attribute("data-wallet", "Demo wallet")
    page.get_by_role("button", name="Shy wallet").click()
    expect(page.get_by_role("alert")).to_contain_text("You declined in the wallet. Nothing happened.")
    expect(part(page, "sign-in")).to_be_visible()


def test_signing_out_forgets_the_account_and_signing_in_brings_it_back(app_url: str, page: Page) -> None:
    account = sign_in(page, app_url)
    part(page, "account").click()
    part(page, "sign-out").click()
    expect(part(page, "sign-in")).to_be_visible(timeout=SLOW_MS)
    assert sign_in(page, app_url) == account


def test_a_phone_trades_from_a_sheet_and_never_scrolls_sideways(app_url: str, new_page: Any) -> None:
    page = new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    sign_in(page, app_url)
    part(page, "account").click()
    part(page, "menu-faucet").click()
    expect(part(page, "menu-balance")).to_have_text("10.0000 SOL", timeout=SLOW_MS)
    page.keyboard.press("Escape")
    launch(page, app_url, "PHONE")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    chart = part(page, "candle-chart")
    chart.get_by_label("Interval").select_option("1d")
    expect(chart).to_have_attribute("data-interval", "1d")
    expect(chart.get_by_text("Price", exact=True)).to_be_in_viewport(ratio=1)
    part(page, "open-buy").click()
    part(page, "amount").fill("0.02")
    part(page, "trade-submit").click()
    expect(part(page, "amount")).to_have_count(0)
    expect(newest_order(page)).to_have_attribute("data-state", "confirmed", timeout=SLOW_MS)
    for path in ("/", "/launch"):
        page.goto(app_url + path)
        expect(part(page, "account")).to_be_visible(timeout=SLOW_MS)
        assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize(("state", "words"), [("reconnecting", "Reconnecting"), ("stale", "Stale since 23:59:59")])
def test_a_phones_header_has_room_for_every_word_of_the_connection(
    app_url: str, new_page: Any, state: str, words: str
) -> None:
    page = new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    sign_in(page, app_url)
    badge = part(page, "connection-badge")
    expect(badge).to_have_attribute("data-state", "live", timeout=SLOW_MS)
    for width in (390, 375, 320):
        page.set_viewport_size({"width": width, "height": 844})
        badge.evaluate(
            "(badge, [state, words]) => { badge.dataset.state = state; badge.textContent = words; }", [state, words]
        )
        expect(badge).to_have_text(words)
        expect(part(page, "account")).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_page_never_shows_the_token_of_the_page_before(app_url: str, page: Page) -> None:
    ready_trader(page, app_url, "FIRST")
    first = page.url
    launch(page, app_url, "SECOND", "0")
    expect(part(page, "token-symbol")).to_have_text("SECOND")
    expect(part(page, "figure-market_cap_lamports")).to_contain_text("—")
    expect(page).to_have_title("SECOND · BlitzHub")
    page.goto(app_url)
    page.get_by_role("link", name="FIRST").first.click()
    expect(part(page, "token-symbol")).to_have_text("FIRST", timeout=SLOW_MS)
    assert page.url.rstrip("/") == first.rstrip("/")
    expect(page).to_have_title(re.compile(r"SOL · FIRST · BlitzHub"))
    page.get_by_role("link", name="Board", exact=True).first.click()
    expect(page).to_have_title("Board · BlitzHub")
    page.get_by_role("link", name="SECOND").first.click()
    expect(part(page, "token-symbol")).to_have_text("SECOND", timeout=SLOW_MS)


def test_an_address_without_a_token_says_so(app_url: str, page: Page) -> None:
    page.goto(f"{app_url}/token/So11111111111111111111111111111111111111112")
    expect(page.get_by_role("heading", name="No token at this address.")).to_be_visible(timeout=SLOW_MS)
