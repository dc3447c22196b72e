"""The shell: frame, unknown addresses, security policy, API errors, start without compiling."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app import running_app
from tests.localnet import running_localnet
from tests.ui.conftest import DESKTOP, PHONE

pytestmark = pytest.mark.browser


def test_the_start_page_comes_alive_without_violating_the_policy(app_url: str, page: Page) -> None:
    with page.expect_websocket(lambda socket: "/_event" in socket.url):
        page.goto(app_url)
    expect(page.get_by_role("link", name="Board", exact=True).first).to_have_attribute("aria-current", "page")
    expect(page.get_by_text("Connection lost")).to_have_count(0)
    assert "Reflex" not in page.inner_text("body")


def test_both_names_of_this_machine_are_served(app_url: str, page: Page) -> None:
    with page.expect_websocket(lambda socket: "/_event" in socket.url) as opened:
        page.goto(app_url.replace("localhost", "127.0.0.1"))
    opened.value.wait_for_event("framereceived")


def test_an_unknown_address_is_a_404_page_in_our_words(app_url: str, page: Page) -> None:
    response = page.goto(f"{app_url}/nope")
    assert response is not None
    assert response.status == 404
    expect(page.get_by_role("heading", name="No token at this address.")).to_be_visible()
    page.get_by_role("link", name="To the board").click()
    expect(page).to_have_url(f"{app_url}/")


def test_the_api_page_draws_from_vendored_scripts(app_url: str, page: Page) -> None:
    page.goto(f"{app_url}/api/docs")
    expect(page.get_by_role("heading", name=re.compile("BlitzHub"))).to_be_visible()
    expect(page.get_by_text("/health/live").first).to_be_visible()


def test_an_inline_script_is_refused_and_noticed_by_these_tests(app_url: str, browser: Browser) -> None:
    page = browser.new_page()
    noticed: list[str] = []
    page.on("console", lambda message: noticed.append(message.text))
    page.goto(app_url)
    ran = page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.ran = true";
          document.head.append(script);
          return window.ran === true;
        }"""
    )
    page.close()
    assert not ran
    assert any("Content Security Policy" in text for text in noticed)


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_page_scrolls_sideways(app_url: str, new_page: Callable[..., Page], viewport: dict[str, int]) -> None:
    page = new_page(viewport=viewport)
    for path in ("/", "/nope"):
        page.goto(app_url + path)
        expect(page.locator("#content")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_the_first_tab_stop_skips_to_the_content(app_url: str, page: Page) -> None:
    page.goto(app_url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_the_api_link_leaves_the_frontend(app_url: str, page: Page) -> None:
    page.goto(app_url)
    page.get_by_role("link", name="API").click()
    expect(page.get_by_text("/health/live").first).to_be_visible()


def test_the_fonts_are_preloaded_and_used(app_url: str, page: Page) -> None:
    page.goto(app_url)
    page.evaluate("document.fonts.ready.then(() => true)")
    assert page.evaluate("document.fonts.check('13px \"Inter Variable\"')")
    preloads = page.locator("link[rel=preload][as=font]").evaluate_all("links => links.map(l => l.href)")
    assert len(preloads) == 2
    for address in preloads:
        assert page.request.get(address).ok


def test_unknown_api_paths_and_methods_are_problem_documents(app_url: str, page: Page) -> None:
    missing = page.request.get(f"{app_url}/api/nope")
    assert (missing.status, missing.json()["code"]) == (404, "not_found")
    assert missing.headers["content-type"] == "application/problem+json"
    wrong = page.request.delete(f"{app_url}/api/health/live")
    assert (wrong.status, wrong.json()["code"]) == (405, "method_not_allowed")


def test_hashed_assets_are_kept_and_the_rest_is_asked_for(app_url: str, page: Page) -> None:
    rules: dict[str, str] = {}
    page.on("response", lambda response: rules.update({response.url: response.headers.get("cache-control", "")}))
    page.goto(app_url)
    expect(page.locator("#content")).to_be_visible()
    assert rules[f"{app_url}/"] == "no-cache"
    scripts = {url: rule for url, rule in rules.items() if "/assets/" in url and url.endswith(".js")}
    environment = [rule for url, rule in scripts.items() if "/reflex-env-" in url]
    hashed = [rule for url, rule in scripts.items() if "/reflex-env-" not in url and "/manifest-" not in url]
    assert environment == ["no-cache"]
    assert hashed
    assert all("immutable" in rule for rule in hashed)


def test_a_violation_report_is_taken_and_garbage_is_refused(app_url: str, page: Page) -> None:
    report = json.dumps({"csp-report": {"blocked-uri": "eval", "effective-directive": "script-src"}})
    path = f"{app_url}/api/csp-report"
    assert page.request.post(path, data=report, headers={"content-type": "application/csp-report"}).status == 204
    assert page.request.post(path, data="[" * 100_000).status == 400
    assert page.request.post(path, data="x" * 2_000_000).status == 413


def test_a_page_that_crashes_says_so_in_our_words(app_url: str, browser: Browser) -> None:
    page = browser.new_page()
    page.route(
        re.compile(r"/assets/_index-[^/]+\.js"),
        lambda route: route.fulfill(
            content_type="text/javascript", body="export default function Page() { throw new Error('boom'); }"
        ),
    )
    page.goto(app_url)
    expect(page.get_by_role("heading", name="This page could not be drawn.")).to_be_visible()
    assert "boom" not in page.inner_text("body")
    page.unroute_all()
    page.get_by_role("link", name="Reload").click()
    expect(page.get_by_role("banner")).to_be_visible()
    page.close()


def test_a_lost_server_is_told_in_our_words_until_it_is_back(tmp_path: Path, page: Page) -> None:
    note = page.get_by_text("Connection lost. Reconnecting…")
    with running_localnet(tmp_path / "localnet") as chain, running_app(tmp_path, chain) as app:
        with page.expect_websocket(lambda socket: "/_event" in socket.url) as opened:
            page.goto(app.url)
        opened.value.wait_for_event("framereceived")
        expect(note).to_have_count(0)
        app.stop()
        expect(note).to_be_visible(timeout=20_000)
        assert "Cannot connect" not in page.inner_text("body")
        app.start()
        expect(note).to_have_count(0, timeout=30_000)
