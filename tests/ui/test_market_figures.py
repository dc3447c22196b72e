"""Indicators, the ranking and every interval of the chart, as a visitor sees them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.ui.conftest import PHONE
from tests.ui.trader import SLOW_MS, part, ready_trader

pytestmark = pytest.mark.browser

INTERVALS = ["1s", "15s", "1m", "5m", "15m", "1h", "4h", "1d"]


def test_figures_of_a_token_come_by_themselves_and_a_young_token_has_no_past(
    app_url: str, page: Page, new_page: Callable[..., Page], tmp_path: Path
) -> None:
    ready_trader(page, app_url, "LONGSYMBOL")
    expect(part(page, "figure-traders_24h")).to_contain_text("1", timeout=SLOW_MS)
    expect(part(page, "figure-volume_24h_lamports")).to_contain_text("0.100", timeout=SLOW_MS)
    expect(part(page, "figure-top_ten_bps")).to_contain_text("%", timeout=SLOW_MS)
    for window in ("5m", "1h", "6h", "24h"):
        expect(part(page, f"change-{window}")).to_contain_text("—")
    chart = part(page, "candle-chart")
    for interval in INTERVALS:
        chart.get_by_text(interval, exact=True).click()
        expect(chart).to_have_attribute("data-interval", interval)
        expect(chart).to_have_attribute("data-phase", "candles", timeout=SLOW_MS)
        expect(chart).to_have_attribute("data-candles", "1")
    for key in ("[", "t"):
        page.keyboard.press(key)
    expect(chart).to_have_attribute("data-interval", "4h")
    expect(chart).to_have_attribute("data-unit", "price")
    page.screenshot(path=str(tmp_path / "token.png"))
    page.set_viewport_size({"width": 1024, "height": 800})
    assert part(page, "token-symbol").evaluate("symbol => symbol.scrollWidth <= symbol.clientWidth")
    names, figures = (page.locator(name).bounding_box() for name in (".bh-tokenbar__names", ".bh-tokenbar__figures"))
    assert names
    assert figures
    assert names["x"] + names["width"] <= figures["x"]

    board = new_page()
    board.goto(f"{app_url}/?trend=5m")
    column = board.locator('[data-ranking="trending_5m"]')
    card = column.get_by_test_id("token-card").filter(has_text="LONGSYMBOL")
    expect(card).to_be_visible(timeout=SLOW_MS)
    expect(card.locator('[data-field="top_ten"]')).to_contain_text("top 10")
    expect(card.locator('[data-field="change"]')).to_have_text("—")
    board.screenshot(path=str(tmp_path / "board.png"))
    part(board, "trend-5m").click()
    expect(board.locator('[data-ranking="new"]').get_by_test_id("token-card").first).to_be_visible()
    expect(board).to_have_url(f"{app_url}/")

    board.goto(f"{app_url}/?holders=1&cap=1")
    found = board.locator('[data-column="new"]')
    expect(found.get_by_test_id("token-card").filter(has_text="LONGSYMBOL")).to_be_visible(timeout=SLOW_MS)
    part(board, "filter-holders").fill("2")
    expect(found.get_by_text("No token matches.")).to_be_visible(timeout=SLOW_MS)
    part(board, "filter-holders").fill("many")
    expect(part(board, "filter-error")).to_have_text("Holders from: Digits only")
    part(board, "filter-cap").fill("0,5")
    expect(part(board, "filter-error")).to_have_text("Market cap from: Use a point: 0.5. Holders from: Digits only")
    part(board, "filter-cap").fill("")
    part(board, "filter-holders").fill("1")
    expect(part(board, "filter-error")).to_have_count(0)
    expect(found.get_by_test_id("token-card").filter(has_text="LONGSYMBOL")).to_be_visible(timeout=SLOW_MS)

    phone = new_page(viewport=PHONE)
    phone.goto(f"{app_url}/?trend=1h")
    expect(phone.locator('[data-ranking="trending_1h"]').get_by_test_id("token-card").first).to_be_visible()
    tabs, filters = (phone.locator(name).bounding_box() for name in (".bh-board__tabs", ".bh-filters"))
    assert tabs
    assert filters
    assert tabs["y"] + tabs["height"] <= filters["y"]
    phone.screenshot(path=str(tmp_path / "phone.png"))
    phone.goto(page.url)
    expect(part(phone, "figure-traders_24h")).to_contain_text("1", timeout=SLOW_MS)
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    phone.screenshot(path=str(tmp_path / "phone_token.png"))
