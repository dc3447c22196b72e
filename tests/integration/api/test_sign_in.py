"""Signing in: what is accepted once, and every way in which it is refused."""

import asyncio
import base64
import hashlib
import json
from http.cookies import SimpleCookie
from typing import Any

import base58
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from starlette.applications import Starlette

from engine.persistence.tables import AccountRow, BalanceRow, SessionRow, WalletRow
from engine.services import Services
from tests.fakes import FakeClock
from tests.integration.api.client import Browser, assert_problem, row_counts

DAY_MS = 86_400_000


def clock_of(services: Services) -> FakeClock:
    assert isinstance(services.clock, FakeClock)
    return services.clock


async def verify(browser: Browser, body: dict[str, Any]) -> httpx.Response:
    return await browser.post("/api/auth/verify", json=body)


async def test_the_first_sign_in_makes_an_account_a_wallet_and_an_empty_balance(
    visitor: Browser, services: Services
) -> None:
    response = await visitor.sign_in(simulated=True)
    me = response.json()
    assert me == (await visitor.get("/api/me")).json()
    assert (me["account_id"], me["simulated"]) == (visitor.address, True)
    with services.database.snapshot() as connection:
        [account] = connection.execute(select(AccountRow.account_id, AccountRow.wallet)).all()
        [wallet] = connection.execute(select(WalletRow.address, WalletRow.kind, WalletRow.key_name)).all()
        [balance] = connection.execute(select(BalanceRow)).all()
    assert account == (visitor.address, me["wallet"])
    assert wallet == (me["wallet"], "trading", f"wallet/{visitor.address}")
    assert await services.signer.create_key(f"wallet/{visitor.address}") == me["wallet"]
    assert tuple(balance) == (visitor.address, "SOL", 0, 0, None)


async def test_signing_in_again_finds_the_same_account(visitor: Browser, app: Starlette, services: Services) -> None:
    first = (await visitor.sign_in()).json()
    async with Browser(app, visitor.wallet) as elsewhere:
        assert (await elsewhere.sign_in(simulated=True)).json() == first
        assert (await visitor.get("/api/me")).status_code == 200
    assert row_counts(services)["accounts"] == 1


async def test_the_wallet_may_choose_the_account_by_itself(visitor: Browser) -> None:
    asked = (await visitor.post("/api/auth/nonce", json={})).json()
    assert asked["message"] is None
    said = asked["input"]
    text = "\n".join(
        [
            f"{said['domain']} wants you to sign in with your Solana account:",
            visitor.address,
            "",
            said["statement"],
            "",
            f"URI: {said['uri']}",
            f"Version: {said['version']}",
            f"Chain ID: {said['chainId']}",
            f"Nonce: {said['nonce']}",
            f"Issued At: {said['issuedAt']}",
            f"Expiration Time: {said['expirationTime']}",
        ]
    )
    body = {"nonce": said["nonce"], "address": visitor.address, "message": text, "signature": visitor.signed(text)}
    assert (await verify(visitor, body)).status_code == 200


async def test_the_challenge_names_this_site_its_chain_and_its_times(visitor: Browser) -> None:
    asked = (await visitor.post("/api/auth/nonce", json={"address": visitor.address})).json()["input"]
    assert (asked["domain"], asked["uri"]) == ("localhost:8600", "https://localhost:8600")
    assert (asked["chainId"], asked["address"]) == ("solana:localnet", visitor.address)
    assert asked["nonce"].isalnum()
    assert len(asked["nonce"]) >= 8
    assert (asked["issuedAt"], asked["expirationTime"]) == ("2026-09-21T14:13:20.000Z", "2026-09-21T14:18:20.000Z")


async def test_a_local_site_answers_to_both_of_its_names(visitor: Browser) -> None:
    headers = {"Origin": "https://127.0.0.1:8600"}
    asked = (await visitor.post("/api/auth/nonce", json={"address": visitor.address}, headers=headers)).json()
    assert asked["input"]["domain"] == "127.0.0.1:8600"
    text = asked["message"]
    body = {"nonce": asked["input"]["nonce"], "address": visitor.address, "message": text}
    response = await visitor.post("/api/auth/verify", json={**body, "signature": visitor.signed(text)}, headers=headers)
    assert response.status_code == 200


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(
    visitor: Browser, services: Services
) -> None:
    response = await visitor.sign_in()
    cookie = SimpleCookie(response.headers["set-cookie"])["__Host-sid"]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"].lower()) == (True, True, "lax")
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    with services.database.snapshot() as connection:
        [stored] = connection.execute(select(SessionRow.session_hash)).scalars()
    assert stored == hashlib.sha256(cookie.value.encode()).hexdigest()


async def test_one_signed_challenge_sent_twenty_times_at_once_signs_in_once(
    visitor: Browser, services: Services
) -> None:
    body = await visitor.proof()
    responses = await asyncio.gather(*(verify(visitor, body) for _ in range(20)))
    assert sorted(response.status_code for response in responses) == [200] + [401] * 19
    assert {response.json()["code"] for response in responses if response.status_code == 401} == {"unknown_nonce"}
    assert row_counts(services)["sessions"] == 1


async def test_simultaneous_first_sign_ins_make_one_account(visitor: Browser, services: Services) -> None:
    bodies = [await visitor.proof() for _ in range(10)]
    responses = await asyncio.gather(*(verify(visitor, body) for body in bodies))
    assert [response.status_code for response in responses] == [200] * 10
    assert len({response.json()["wallet"] for response in responses}) == 1
    counts = row_counts(services)
    assert (counts["accounts"], counts["wallets"], counts["balances"]) == (1, 1, 1)


def _other_text(body: dict[str, Any], browser: Browser, old: str, new: str) -> dict[str, Any]:
    text = body["message"].replace(old, new)
    assert text != body["message"]
    return {**body, "message": text, "signature": browser.signed(text)}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("localhost:8600 wants", "evil.example wants", "foreign_domain"),
        ("localhost:8600 wants", "localhost:8600.evil.example wants", "foreign_domain"),
        ("localhost:8600 wants", "127.0.0.1:8600 wants", "sign_in_mismatch"),
        ("URI: https://localhost:8600", "URI: https://evil.example", "sign_in_mismatch"),
        ("solana:localnet", "solana:mainnet", "sign_in_mismatch"),
        ("Version: 1", "Version: 2", "sign_in_mismatch"),
        ("2026-09-21T14:18", "2027-09-21T14:18", "sign_in_mismatch"),
        ("moves nothing.", "moves everything.", "sign_in_mismatch"),
        ("Nonce: ", "Nonce:  ", "sign_in_mismatch"),
        ("\n\n", "\n", "sign_in_mismatch"),
        ("Sign in", "Sign\u200b in", "sign_in_mismatch"),
    ],
)
async def test_a_correctly_signed_other_text_is_refused(
    visitor: Browser, services: Services, old: str, new: str, code: str
) -> None:
    body = _other_text(await visitor.proof(), visitor, old, new)
    assert_problem(await verify(visitor, body), 401, code)
    assert row_counts(services)["accounts"] == row_counts(services)["sessions"] == 0


async def test_a_forged_signature_is_refused_and_uses_up_the_nonce(visitor: Browser, services: Services) -> None:
    body = await visitor.proof()
    forged = Ed25519PrivateKey.generate().sign(body["message"].encode())
    response = await verify(visitor, {**body, "signature": base64.b64encode(forged).decode()})
    assert_problem(response, 401, "bad_signature")
    assert_problem(await verify(visitor, body), 401, "unknown_nonce")
    assert row_counts(services)["sessions"] == 0


@pytest.mark.parametrize("signature", ["", "AAAA", "?", "\u00e9", base64.b64encode(bytes(64)).decode(), "A" * 5000])
async def test_what_is_no_signature_is_refused(visitor: Browser, signature: str) -> None:
    assert_problem(await verify(visitor, {**(await visitor.proof()), "signature": signature}), 401, "bad_signature")


@pytest.mark.parametrize("field", ["nonce", "address", "message", "signature"])
@pytest.mark.parametrize("value", [None, 5, True, [], {}, "\ud800"])
async def test_a_proof_of_wrong_types_is_refused(visitor: Browser, services: Services, field: str, value: Any) -> None:
    before = row_counts(services)
    content = json.dumps({"nonce": "x", "address": visitor.address, "message": "x", "signature": "", field: value})
    headers = {"Content-Type": "application/json"}
    response = await visitor.post("/api/auth/verify", content=content.encode(), headers=headers)
    assert_problem(response, 422, "invalid_request")
    assert row_counts(services) == before


async def test_nobody_signs_in_as_somebody_else(visitor: Browser, app: Starlette) -> None:
    async with Browser(app) as victim:
        body = {**(await visitor.proof()), "address": victim.address}
        assert_problem(await verify(visitor, body), 401, "sign_in_mismatch")


async def test_a_challenge_is_good_in_the_browser_that_asked_for_it_only(
    visitor: Browser, app: Starlette, services: Services
) -> None:
    body = await visitor.proof()
    async with Browser(app) as thief:
        assert_problem(await verify(thief, body), 401, "unknown_nonce")
        await thief.post("/api/auth/nonce", json={})
        assert_problem(await verify(thief, body), 401, "unknown_nonce")
    assert row_counts(services)["sessions"] == 0
    assert (await verify(visitor, body)).status_code == 200, "another browser cannot use it up"


async def test_a_challenge_expires(visitor: Browser, services: Services) -> None:
    body = await visitor.proof()
    clock_of(services).advance(services.settings.nonce_ttl_ms)
    assert_problem(await verify(visitor, body), 401, "sign_in_expired")
    assert_problem(await verify(visitor, body), 401, "unknown_nonce")
    assert row_counts(services)["sessions"] == 0


async def test_expired_challenges_are_forgotten(visitor: Browser, services: Services) -> None:
    await visitor.proof()
    clock_of(services).advance(3 * services.settings.nonce_ttl_ms)
    await visitor.proof()
    assert row_counts(services)["nonces"] == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"address": "nobody"}, "invalid_address"),
        ({"address": "1" * 31}, "invalid_address"),
        ({"address": base58.b58encode(bytes(33)).decode()}, "invalid_address"),
        ({"address": base58.b58encode(bytes(32)).decode()}, "weak_key"),
        ({"address": base58.b58encode(bytes([1]) + bytes(31)).decode()}, "weak_key"),
        ({"address": 5}, "invalid_request"),
        ({"address": "\ud800"}, "invalid_request"),
        ({"surprise": 1}, "invalid_request"),
        ([], "invalid_request"),
    ],
)
async def test_no_challenge_is_made_for_nonsense(visitor: Browser, services: Services, body: Any, code: str) -> None:
    before = row_counts(services)
    content = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    assert_problem(await visitor.post("/api/auth/nonce", content=content, headers=headers), 422, code)
    assert row_counts(services) == before


async def test_a_weak_key_signs_nobody_in(visitor: Browser) -> None:
    identity = base58.b58encode(bytes([1]) + bytes(31)).decode()
    asked = (await visitor.post("/api/auth/nonce", json={})).json()["input"]
    trivial = base64.b64encode(bytes([1]) + bytes(63)).decode()
    body = {"nonce": asked["nonce"], "address": identity, "message": "x", "signature": trivial}
    assert_problem(await verify(visitor, body), 422, "weak_key")


async def test_signing_in_rotates_the_session(visitor: Browser, app: Starlette, services: Services) -> None:
    await visitor.sign_in()
    old = visitor.cookies["__Host-sid"]
    await visitor.sign_in()
    assert visitor.cookies["__Host-sid"] != old
    assert row_counts(services)["sessions"] == 1
    async with Browser(app) as thief:
        response = await thief.get("/api/me", headers={"Cookie": f"__Host-sid={old}"})
        assert_problem(response, 401, "not_signed_in")


async def test_signing_out_ends_the_session_on_the_server(visitor: Browser, app: Starlette, services: Services) -> None:
    await visitor.sign_in()
    old = visitor.cookies["__Host-sid"]
    assert (await visitor.post("/api/auth/logout")).status_code == 204
    assert "__Host-sid" not in visitor.cookies
    assert row_counts(services)["sessions"] == 0
    response = await visitor.get("/api/me", headers={"Cookie": f"__Host-sid={old}"})
    assert_problem(response, 401, "not_signed_in")
    assert (await visitor.post("/api/auth/logout")).status_code == 204


async def test_a_session_ends_when_it_is_not_used(visitor: Browser, services: Services) -> None:
    await visitor.sign_in()
    for _ in range(3):
        clock_of(services).advance(services.settings.session_idle_ms - 1)
        assert (await visitor.get("/api/me")).status_code == 200, "each use keeps it alive"
    clock_of(services).advance(services.settings.session_idle_ms)
    assert_problem(await visitor.get("/api/me"), 401, "not_signed_in")


async def test_a_session_ends_even_when_it_is_used(visitor: Browser, services: Services) -> None:
    await visitor.sign_in()
    for _ in range(services.settings.session_absolute_ms // DAY_MS - 1):
        clock_of(services).advance(DAY_MS)
        assert (await visitor.get("/api/me", headers=cookie_header(visitor))).status_code == 200
    clock_of(services).advance(DAY_MS)
    assert_problem(await visitor.get("/api/me", headers=cookie_header(visitor)), 401, "not_signed_in")


def cookie_header(browser: Browser) -> dict[str, str]:
    return {"Cookie": f"__Host-sid={browser.cookies['__Host-sid']}"}


@pytest.mark.parametrize("cookie", ["", "x", "a" * 5000, '"', "é", "\x7f", "a b; c=d"])
async def test_a_made_up_cookie_is_nobody(visitor: Browser, cookie: str) -> None:
    header = f"__Host-sid={cookie}".encode()
    assert_problem(await visitor.get("/api/me", headers=[(b"Cookie", header)]), 401, "not_signed_in")


@pytest.mark.parametrize("path", ["/api/auth/nonce", "/api/auth/verify", "/api/auth/logout"])
async def test_another_sites_page_cannot_sign_anybody_in_or_out(visitor: Browser, path: str) -> None:
    for origin in ("https://evil.example", "null", "http://localhost:8600", "https://localhost:8601"):
        response = await visitor.post(path, json={}, headers={"Origin": origin})
        assert_problem(response, 403, "foreign_origin")
