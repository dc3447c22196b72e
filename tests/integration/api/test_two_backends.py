"""Two backends over one PostgreSQL database: what a client may do once is done once, whichever of them it asks."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from blitzhub.api import create_api
from engine.persistence.database import Database
from engine.services import Services
from tests.databases import postgresql
from tests.integration.api.client import Browser, set_balance

SOL = 1_000_000_000
LOCKED, FEE = 890_880, 10_000
EVERYTHING = 5 * SOL - LOCKED - FEE


@pytest.fixture
def backends(services: Services) -> Iterator[list[Services]]:
    with postgresql() as url:
        opened = [replace(services, database=Database(url)) for _ in range(2)]
        yield opened
        for each in opened:
            each.database.close()


@pytest.fixture
async def browsers(backends: list[Services]) -> AsyncIterator[list[Browser]]:
    """The same signed-in person, once at each backend."""
    apps = []
    for backend in backends:
        api = create_api()
        api.state.services = backend
        apps.append(Starlette(routes=[Mount("/api", api)]))
    async with Browser(apps[0]) as first, Browser(apps[1], first.wallet) as second:
        await first.sign_in()
        await second.sign_in()
        yield [first, second]


async def test_of_fifty_withdrawals_of_everything_over_two_backends_one_succeeds(
    browsers: list[Browser], backends: list[Services]
) -> None:
    address = browsers[0].address
    set_balance(backends[0], address, 5 * SOL)

    async def ask(number: int) -> object:
        body = {"client_id": str(uuid.uuid4()), "asset": "SOL", "amount": str(EVERYTHING), "destination": address}
        answer = await browsers[number % 2].post("/api/me/withdrawals", json=body)
        return answer.json().get("code", answer.status_code)

    codes = await asyncio.gather(*(ask(number) for number in range(50)))
    assert sorted(codes, key=str) == [202] + ["funds"] * 49
    for browser in browsers:
        assert (await browser.get("/api/me/balances")).json()["lamports"] == str(LOCKED)
        assert len((await browser.get("/api/me/withdrawals")).json()["withdrawals"]) == 1


async def test_one_request_sent_to_both_backends_at_once_is_one_withdrawal(
    browsers: list[Browser], backends: list[Services]
) -> None:
    address = browsers[0].address
    set_balance(backends[0], address, 5 * SOL)
    body = {"client_id": str(uuid.uuid4()), "asset": "SOL", "amount": str(SOL), "destination": address}
    answers = await asyncio.gather(
        *(browsers[number % 2].post("/api/me/withdrawals", json=body) for number in range(20))
    )
    assert {(answer.status_code, answer.json()["withdrawal_id"]) for answer in answers} == {
        (202, answers[0].json()["withdrawal_id"])
    }
    assert (await browsers[1].get("/api/me/balances")).json()["lamports"] == str(4 * SOL - FEE)


async def test_twenty_replays_of_one_sign_in_over_two_backends_sign_in_once(browsers: list[Browser]) -> None:
    first, second = browsers
    proof = await first.proof()
    second.cookies.update(first.cookies)
    answers = await asyncio.gather(*(browsers[number % 2].post("/api/auth/verify", json=proof) for number in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19


async def test_a_key_revoked_at_one_backend_is_nobody_at_the_other(browsers: list[Browser]) -> None:
    made = (await browsers[0].post("/api/auth/keys", json={"name": "bot", "scopes": ["read"]})).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert (await browsers[1].get("/api/me", headers=headers)).status_code == 200
    assert (await browsers[0].delete(f"/api/auth/keys/{made['key_id']}")).status_code == 204
    assert (await browsers[1].get("/api/me", headers=headers)).status_code == 401
