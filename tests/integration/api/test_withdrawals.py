"""Withdrawals over the API: who may ask, what is answered, and what is refused before anything has moved."""

import asyncio
import uuid
from typing import Any

import base58
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette

from engine.ledger.releases import Releases
from engine.services import Services
from tests.fakes import FakeClock
from tests.integration.api.client import Browser, assert_problem, row_counts, set_balance

SOL = 1_000_000_000
FEE = 10_000
LOCKED = 890_880


def stranger() -> str:
    return base58.b58encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()


def body(browser: Browser, **changes: Any) -> dict[str, Any]:
    plain = {"client_id": str(uuid.uuid4()), "asset": "SOL", "amount": str(SOL), "destination": browser.address}
    return {**plain, **changes}


async def lamports(browser: Browser) -> int:
    return int((await browser.get("/api/me/balances")).json()["lamports"])


@pytest.fixture
def rich(trader: Browser, services: Services) -> Browser:
    set_balance(services, trader.address, 5 * SOL)
    return trader


async def test_a_withdrawal_is_taken_out_listed_and_can_be_taken_back(rich: Browser) -> None:
    quoted = await rich.get("/api/me/withdrawals/quote", params={"asset": "SOL", "destination": rich.address})
    assert quoted.json() | {"frozen_since_ms": None} == {
        "asset": "SOL",
        "destination": rich.address,
        "kind": "withdrawal",
        "fee_lamports": str(FEE),
        "rent_lamports": "0",
        "max": str(5 * SOL - LOCKED - FEE),
        "minimum": str(LOCKED),
        "is_new": False,
        "delay_ms": 0,
        "sign_in_again": False,
        "frozen_since_ms": None,
    }
    asked = body(rich)
    response = await rich.post("/api/me/withdrawals", json=asked)
    assert response.status_code == 202, response.text
    made = response.json()
    assert (made["state"], made["cancellable"], made["direction"]) == ("waiting", True, "out")
    assert await lamports(rich) == 4 * SOL - FEE
    assert (await rich.post("/api/me/withdrawals", json=asked)).json() == made
    assert (await rich.get("/api/me/withdrawals")).json() == {"withdrawals": [made], "next_cursor": None}
    path = f"/api/me/withdrawals/{made['withdrawal_id']}"
    assert (await rich.get(path)).json() == made
    assert (await rich.delete(path)).json()["state"] == "cancelled"
    assert await lamports(rich) == 5 * SOL
    assert_problem(await rich.delete(path), 409, "too_late_to_cancel")


async def test_nobody_sees_or_takes_back_somebody_elses(rich: Browser, app: Starlette) -> None:
    made = (await rich.post("/api/me/withdrawals", json=body(rich))).json()
    async with Browser(app) as other:
        path = f"/api/me/withdrawals/{made['withdrawal_id']}"
        assert_problem(await other.get(path), 401, "not_signed_in")
        await other.sign_in()
        assert_problem(await other.get(path), 404, "unknown_withdrawal")
        assert_problem(await other.delete(path), 404, "unknown_withdrawal")
        assert (await other.get("/api/me/withdrawals")).json()["withdrawals"] == []


async def test_pages_of_the_list_follow_each_other(rich: Browser, services: Services) -> None:
    clock = services.clock
    assert isinstance(clock, FakeClock)
    made = []
    for _ in range(5):
        clock.advance(1)
        made.append((await rich.post("/api/me/withdrawals", json=body(rich, amount="900000"))).json()["withdrawal_id"])
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await rich.get("/api/me/withdrawals", params=params)).json()
        seen += [one["withdrawal_id"] for one in page["withdrawals"]]
        cursor = page["next_cursor"]
    assert seen == made[::-1]
    assert_problem(await rich.get("/api/me/withdrawals", params={"cursor": "x"}), 422, "invalid_cursor")


async def test_a_stale_sign_in_cannot_send_to_a_new_address_and_a_fresh_one_can(
    rich: Browser, services: Services
) -> None:
    clock, friend = services.clock, stranger()
    assert isinstance(clock, FakeClock)
    clock.advance(services.settings.reauthentication_ms + 1)
    quoted = await rich.get("/api/me/withdrawals/quote", params={"asset": "SOL", "destination": friend})
    assert (quoted.json()["is_new"], quoted.json()["sign_in_again"]) == (True, True)
    assert_problem(await rich.post("/api/me/withdrawals", json=body(rich, destination=friend)), 403, "sign_in_again")
    assert (await rich.post("/api/me/withdrawals", json=body(rich))).status_code == 202
    await rich.sign_in()
    made = (await rich.post("/api/me/withdrawals", json=body(rich, destination=friend))).json()
    assert made["release_at_ms"] == clock.now_ms() + services.settings.withdrawal_delay_ms
    assert await Releases(services).release_due() == 1
    clock.advance(services.settings.withdrawal_delay_ms)
    assert await Releases(services).release_due() == 1


async def test_a_key_never_sends_to_a_new_address(rich: Browser, visitor: Browser) -> None:
    key = (await rich.post("/api/auth/keys", json={"name": "bot", "scopes": ["withdraw"]})).json()["secret"]
    headers = {"Authorization": f"Bearer {key}"}
    new = body(rich, destination=stranger())
    assert_problem(await visitor.post("/api/me/withdrawals", json=new, headers=headers), 403, "sign_in_again")
    assert (await visitor.post("/api/me/withdrawals", json=body(rich), headers=headers)).status_code == 202


async def test_a_transfer_shows_in_both_accounts_and_keeps_the_senders_costs_back(
    rich: Browser, app: Starlette, services: Services
) -> None:
    async with Browser(app) as friend:
        await friend.sign_in()
        wallet = (await friend.get("/api/me")).json()["wallet"]
        made = (await rich.post("/api/me/withdrawals", json=body(rich, destination=wallet))).json()
        assert made["kind"] == "transfer"
        assert (await friend.get("/api/me/withdrawals")).json()["withdrawals"] == []
        clock = services.clock
        assert isinstance(clock, FakeClock)
        clock.advance(services.settings.withdrawal_delay_ms)
        assert await Releases(services).release_due() == 1
        (seen,) = (await friend.get("/api/me/withdrawals")).json()["withdrawals"]
        assert await lamports(friend) == SOL
        told = {name: seen[name] for name in ("direction", "sender", "fee_lamports", "client_id", "cancellable")}
        assert told == {
            "direction": "in",
            "sender": rich.address,
            "fee_lamports": "0",
            "client_id": None,
            "cancellable": False,
        }


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"client_id": "x"}, 422, "invalid_client_id"),
        ({"client_id": 7}, 422, "invalid_client_id"),
        ({"asset": "sol"}, 422, "invalid_token"),
        ({"asset": None}, 422, "invalid_token"),
        ({"asset": "7RyBeyuCcTFuYaUkd1YwTSSHwVJDhTjrC4VvDqzs6ghp"}, 422, "unknown_token"),
        ({"amount": "0"}, 422, "invalid_amount"),
        ({"amount": 5}, 422, "invalid_amount"),
        ({"amount": str(6 * SOL)}, 422, "funds"),
        ({"amount": str(2 * 10**12)}, 422, "above_hourly_limit"),
        ({"amount": "5"}, 422, "below_rent"),
        ({"destination": "1" * 32}, 422, "invalid_destination"),
        ({"destination": None}, 422, "invalid_destination"),
        ({"destination": "nowhere"}, 422, "invalid_destination"),
        ({"more": 1}, 422, "invalid_request"),
    ],
)
async def test_what_cannot_be_withdrawn_is_refused_and_changes_nothing(
    rich: Browser, services: Services, changes: dict[str, Any], status: int, code: str
) -> None:
    before = row_counts(services)
    response = await rich.post("/api/me/withdrawals", json=body(rich, **changes))
    assert response.json()["code"] == code
    assert response.status_code in (status, 404)
    assert (row_counts(services), await lamports(rich)) == (before, 5 * SOL)


async def test_another_sites_page_cannot_withdraw(rich: Browser) -> None:
    headers = {"Origin": "https://evil.example"}
    assert_problem(await rich.post("/api/me/withdrawals", json=body(rich), headers=headers), 403, "foreign_origin")


async def test_of_fifty_withdrawals_of_everything_one_succeeds(rich: Browser) -> None:
    wanted = [body(rich, amount=str(5 * SOL - LOCKED - FEE)) for _ in range(50)]
    answers = await asyncio.gather(*(rich.post("/api/me/withdrawals", json=each) for each in wanted))
    codes = [answer.json().get("code", answer.status_code) for answer in answers]
    assert sorted(codes, key=str) == [202] + ["funds"] * 49
    assert await lamports(rich) == LOCKED
