"""Whatever JSON a client sends: an answer or a coded refusal, never a crash, and a refusal changes nothing."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount

from blitzhub.api import create_api
from engine.services import Services
from tests.fakes import FakeBroker, FakeClock, fake_services, migrated_database
from tests.integration.api.client import TOKEN, Browser, add_token, buy_body, row_counts, sell_body, set_balance

ODD_TEXTS = st.sampled_from(
    [
        "",
        "0",
        "-1",
        "1.5",
        "NaN",
        "1e18",
        "0x10",
        "１２３",
        "٣",
        "9" * 5000,
        str(2**63),
        "\x00",
        "\ud800",
        "\u202e",
        "null",
    ]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=40)
    | ODD_TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)
LAUNCH = {
    "client_id": "8c1f0c6e-6d1c-4f27-8d7c-2f5f5a0a5b11",
    "name": "Blue Whale",
    "symbol": "WHALE",
    "description": "Big.",
    "image": None,
    "first_buy_lamports": "0",
    "first_buy_min_tokens_out": "1",
}
PROOF = {"nonce": "0" * 32, "address": TOKEN, "message": "text", "signature": "AAAA", "simulated": False}
VALID: dict[str, dict[str, Any]] = {
    "/api/buy": {**buy_body(), "deadline_ms": None},
    "/api/sell": {**sell_body(), "deadline_ms": None},
    "/api/tokens": LAUNCH,
    "/api/auth/nonce": {"address": TOKEN},
    "/api/auth/verify": PROOF,
}
REQUESTS = st.sampled_from(sorted(VALID)).flatmap(
    lambda path: st.tuples(
        st.just(path),
        JSON | st.dictionaries(st.sampled_from([*VALID[path], "surprise"]), JSON, min_size=1, max_size=2),
    )
)


class Site:
    """One signed-in trader before one API."""

    def __init__(self, services: Services) -> None:
        self.services = services
        api = create_api()
        api.state.services = services
        self.app = Starlette(routes=[Mount("/api", api)])
        self.cookie = asyncio.run(self._sign_in())

    async def _sign_in(self) -> str:
        async with Browser(self.app) as browser:
            await browser.sign_in()
            add_token(self.services, supply=50_000_000_000, reserve_lamports=1_250_000_000)
            set_balance(self.services, browser.address, 1_000_000_000_000)
            set_balance(self.services, browser.address, 10_000_000, TOKEN)
            return browser.cookies["__Host-sid"]

    async def send(self, path: str, body: Any) -> httpx.Response:
        async with Browser(self.app) as browser:
            headers = {"Content-Type": "application/json", "Cookie": f"__Host-sid={self.cookie}"}
            return await browser.post(path, content=json.dumps(body).encode(), headers=headers)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory: Path = tmp_path_factory.mktemp("api")
    migrated = migrated_database(tmp_path_factory.mktemp("migrated"))
    with fake_services(directory, migrated, requests_per_s=1_000) as services:
        yield Site(services)


@settings(max_examples=300, deadline=None)
@given(request=REQUESTS)
def test_no_json_crashes_the_api_or_changes_anything_when_refused(site: Site, request: tuple[str, Any]) -> None:
    path, change = request
    body = {**VALID[path], **change} if isinstance(change, dict) else change
    assert isinstance(site.services.broker, FakeBroker)
    assert isinstance(site.services.clock, FakeClock)
    site.services.clock.advance(60_000)  # no request is refused for its frequency only
    before, published = row_counts(site.services), len(site.services.broker.published)
    response = asyncio.run(site.send(path, body))
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        problem = response.json()
        assert problem["code"]
        assert problem["status"] == response.status_code
        assert row_counts(site.services) == before
        assert len(site.services.broker.published) == published
