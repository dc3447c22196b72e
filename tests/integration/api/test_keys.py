"""Bots' keys over the API: shown once, good for their scopes on every route, gone at once when revoked."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.applications import Starlette

from blitzhub.api import PARTS, admin
from blitzhub.api.dependencies import Needs, known_caller
from engine.accounts.sessions import secret_hash
from engine.services import Services
from tests.integration.api.client import Browser, assert_problem, buy_body, set_balance

SCOPES = ["read", "trade", "withdraw"]
PUBLIC = {
    "GET /docs",
    "GET /docs.js",
    "GET /docs/socket",
    "GET /docs/asyncapi.yaml",
    "GET /docs/market_client.py",
    "GET /health/live",
    "GET /health/ready",
    "POST /auth/nonce",
    "POST /auth/verify",
    "POST /auth/logout",
    "GET /tokens",
    "GET /tokens/trending",
    "GET /tokens/{address}",
    "GET /tokens/{address}/quote",
    "GET /tokens/{address}/trades",
    "GET /tokens/{address}/candles",
    "GET /tokens/{address}/holders",
    "GET /tokens/{address}/metadata.json",
    "GET /images/{image}",
    "GET /proof",
    "POST /csp-report",
}
PERSONS_ONLY = {
    "POST /auth/keys",
    "GET /auth/keys",
    "DELETE /auth/keys/{key_id}",
    "GET /auth/sessions",
    "POST /auth/logout-everywhere",
}


async def make(browser: Browser, *scopes: str) -> dict[str, Any]:
    response = await browser.post("/api/auth/keys", json={"name": "bot", "scopes": list(scopes)})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


def bearer(made: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {made['secret']}"}


def withdrawal(account: str) -> dict[str, Any]:
    return {"client_id": str(uuid.uuid4()), "asset": "SOL", "amount": "1000000", "destination": account}


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(trader: Browser, services: Services) -> None:
    made = await make(trader, "read")
    (listed,) = (await trader.get("/api/auth/keys")).json()["keys"]
    assert {name: listed[name] for name in ("key_id", "scopes", "used_at_ms", "revoked_at_ms")} == {
        "key_id": made["key_id"],
        "scopes": ["read"],
        "used_at_ms": None,
        "revoked_at_ms": None,
    }
    assert made["secret"] not in (await trader.get("/api/auth/keys")).text
    stored = services.database.url.database
    assert stored is not None
    kept = b"".join(path.read_bytes() for path in Path(stored).parent.glob(f"{Path(stored).name}*"))
    assert made["secret"].encode() not in kept
    assert secret_hash(made["secret"]).encode() in kept


async def test_a_key_is_its_account_without_any_cookie(trader: Browser, visitor: Browser) -> None:
    made = await make(trader, "read")
    mine, seen = await trader.get("/api/me"), await visitor.get("/api/me", headers=bearer(made))
    assert seen.json() == mine.json()
    (listed,) = (await trader.get("/api/auth/keys")).json()["keys"]
    assert listed["used_at_ms"] > 0


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_key_may_do_what_its_scope_says_and_nothing_else(
    trader: Browser, visitor: Browser, services: Services, scope: str
) -> None:
    set_balance(services, trader.address, 10**9)
    headers = bearer(await make(trader, scope))
    answers = {
        "read": await visitor.get("/api/me/balances", headers=headers),
        "trade": await visitor.post("/api/buy", json=buy_body(), headers=headers),
        "withdraw": await visitor.post("/api/me/withdrawals", json=withdrawal(trader.address), headers=headers),
    }
    for other, answer in answers.items():
        if other == scope:
            assert answer.status_code in (200, 202) or answer.json()["code"] == "unknown_token"
        else:
            assert_problem(answer, 403, "missing_scope")


async def test_a_revoked_key_is_nobody_at_once(trader: Browser, visitor: Browser) -> None:
    made = await make(trader, *SCOPES)
    assert (await trader.delete(f"/api/auth/keys/{made['key_id']}")).status_code == 204
    assert_problem(await visitor.get("/api/me", headers=bearer(made)), 401, "invalid_api_key")
    assert_problem(await trader.delete(f"/api/auth/keys/{made['key_id']}"), 404, "unknown_api_key")


async def test_nobody_revokes_somebody_elses_key(trader: Browser, app: Starlette) -> None:
    made = await make(trader, "read")
    async with Browser(app) as other:
        await other.sign_in()
        assert_problem(await other.delete(f"/api/auth/keys/{made['key_id']}"), 404, "unknown_api_key")
    assert (await trader.get("/api/me", headers=bearer(made))).status_code == 200


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "Bearer x", "Bearer bh_" + "A" * 43, "Basic YTpi", "Bearer bh_" + "A" * 500, "bh_x"]
)
async def test_what_is_no_key_is_refused_even_beside_a_good_cookie(trader: Browser, value: str) -> None:
    assert_problem(await trader.get("/api/me", headers={"Authorization": value}), 401, "invalid_api_key")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "bot", "scopes": []},
        {"name": "bot", "scopes": ["admin"]},
        {"name": "", "scopes": ["read"]},
        {"name": " ", "scopes": ["read"]},
        {"name": "x" * 41, "scopes": ["read"]},
        {"name": "a\nb", "scopes": ["read"]},
        {"name": "\u200b", "scopes": ["read"]},
        {"name": "bot\u202etob", "scopes": ["read"]},
    ],
)
async def test_a_key_without_name_or_scope_is_not_made(trader: Browser, body: dict[str, Any]) -> None:
    assert_problem(await trader.post("/api/auth/keys", json=body), 422, "invalid_api_key_request")


async def test_an_account_has_at_most_twenty_good_keys(trader: Browser) -> None:
    keys = [await make(trader, "read") for _ in range(20)]
    await trader.delete(f"/api/auth/keys/{keys[0]['key_id']}")
    trader_again = await trader.post("/api/auth/keys", json={"name": "bot", "scopes": ["read"]})
    assert trader_again.status_code in (201, 429)  # the rate limit counts too


def test_every_route_is_public_for_persons_or_needs_a_scope() -> None:
    """A new route fails here until it says whom it is for."""
    found: dict[str, str] = {}
    for part in PARTS:
        if part is admin:  # guarded and tested by itself: test_operators.py
            continue
        for route in part.router.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods:
                found[f"{method} {route.path}"] = _needed(route.dependant)
    public = {route for route, needed in found.items() if needed == "public"}
    persons = {route for route, needed in found.items() if needed == "known"}
    assert public == PUBLIC
    assert persons == PERSONS_ONLY
    assert set(found.values()) == {"public", "known", *SCOPES}


def _needed(dependant: Any) -> str:
    """The scope a route needs; `known` for a signed-in person, `public` for nobody."""
    calls = list(_calls(dependant))
    scopes = {call.scope.value for call in calls if isinstance(call, Needs)}
    assert len(scopes) <= 1
    return scopes.pop() if scopes else "known" if known_caller in calls else "public"


def _calls(dependant: Any) -> Any:
    for each in dependant.dependencies:
        yield each.call
        yield from _calls(each)


@pytest.mark.parametrize("route", sorted(PERSONS_ONLY))
async def test_no_key_makes_keys_or_ends_sessions(trader: Browser, visitor: Browser, route: str) -> None:
    made = await make(trader, *SCOPES)
    method, path = route.split(" ")
    body = {"name": "more", "scopes": ["withdraw"]} if route == "POST /auth/keys" else None
    url = "/api" + path.replace("{key_id}", made["key_id"])
    answer = await visitor.request(method, url, json=body, headers=bearer(made))
    assert_problem(answer, 403, "person_needed")


async def test_signing_out_everywhere_ends_every_session_and_no_key(trader: Browser, app: Starlette) -> None:
    made = await make(trader, "read")
    async with Browser(app, trader.wallet) as other:
        await other.sign_in()
        (first, second) = (await other.get("/api/auth/sessions")).json()["sessions"]
        assert [first["current"], second["current"]].count(True) == 1
        assert (await trader.post("/api/auth/logout-everywhere")).status_code == 204
        for browser in (trader, other):
            browser.headers.pop("Authorization", None)
            assert_problem(await browser.get("/api/me"), 401, "not_signed_in")
        assert (await other.get("/api/me", headers=bearer(made))).status_code == 200
