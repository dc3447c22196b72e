"""Orders through the API: what is queued, what is refused, and that a refusal changes nothing."""

import asyncio
import uuid
from typing import Any

import pytest
from sqlalchemy import update
from starlette.applications import Starlette

from engine.errors import OutcomeUnknown, Unavailable
from engine.persistence import freezes
from engine.persistence.tables import TokenRow
from engine.services import Services
from engine.trading.orders import Side, decoded
from tests.fakes import FakeBroker
from tests.integration.api.client import (
    TOKEN,
    Browser,
    add_token,
    assert_problem,
    buy_body,
    row_counts,
    sell_body,
    set_balance,
)

RICH = 100_000_000_000
BAD_AMOUNTS = [
    "0", "-1", "1.5", "NaN", "1e18", "0x10", "１２３", "", " 1", "+1", "01", "1_000", "²", "1\n", "null",
    str(2**63), str(2**64), "9" * 5000, True, 5, 1.5, None, [], {}, ["1"],
]  # fmt: skip


@pytest.fixture
async def rich(trader: Browser, services: Services) -> Browser:
    """A trader with 100 SOL and 10 tokens, and a token to trade."""
    add_token(services, supply=50_000_000_000, reserve_lamports=1_250_000_000)
    set_balance(services, trader.address, RICH)
    set_balance(services, trader.address, 10_000_000, TOKEN)
    return trader


def published(services: Services) -> list[tuple[str, bytes]]:
    assert isinstance(services.broker, FakeBroker)
    return list(services.broker.published)


async def test_a_buy_is_queued_with_everything_the_worker_needs(rich: Browser, services: Services) -> None:
    before = row_counts(services)
    body = buy_body(min_tokens_out="17")
    response = await rich.post("/api/buy", json=body)
    assert response.status_code == 202
    [(token, message)] = published(services)
    order = decoded(message)
    assert token == TOKEN
    assert (order.account_id, order.client_order_id) == (rich.address, body["client_order_id"])
    assert (order.side, order.amount, order.bound) == (Side.BUY, 1_000_000_000, 17)
    assert order.deadline_ms == services.clock.now_ms() + services.settings.order_deadline_ms
    assert row_counts(services) == before
    queued = response.json()
    assert (queued["state"], queued["amount"], queued["lamports"]) == ("queued", "1000000000", None)
    assert (await rich.get(f"/api/orders/{body['client_order_id']}")).json() == queued


async def test_an_order_costs_two_small_reads(rich: Browser, services: Services) -> None:
    await rich.post("/api/buy", json=buy_body())
    before = services.database.statements
    assert (await rich.post("/api/buy", json=buy_body())).status_code == 202
    begins = 2
    assert services.database.statements - before <= 2 + begins


@pytest.mark.parametrize("amount", BAD_AMOUNTS, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("field", ["lamports", "min_tokens_out"])
async def test_a_bad_figure_in_a_buy_is_refused(rich: Browser, services: Services, field: str, amount: Any) -> None:
    before = row_counts(services)
    response = await rich.post("/api/buy", json={**buy_body(), field: amount})
    assert_problem(response, 422, "invalid_amount")
    assert response.json()["data"] == {"field": field}
    assert (row_counts(services), published(services)) == (before, [])


@pytest.mark.parametrize("amount", BAD_AMOUNTS, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("field", ["tokens", "min_lamports_out"])
async def test_a_bad_figure_in_a_sell_is_refused(rich: Browser, services: Services, field: str, amount: Any) -> None:
    before = row_counts(services)
    assert_problem(await rich.post("/api/sell", json={**sell_body(), field: amount}), 422, "invalid_amount")
    assert (row_counts(services), published(services)) == (before, [])


STRANGER = "FZyDdnJLfC3ioPVxBzMVLWTp9iSUe4wvBK3y4Dqi4Tf4"
NOW = 1_790_000_000_000
BAD_ORDERS = [
    ({"token": STRANGER}, 404, "unknown_token"),
    ({"token": "SOL"}, 422, "invalid_token"),
    ({"token": "0" * 44}, 422, "invalid_token"),
    ({"token": "1" * 5000}, 422, "invalid_token"),
    ({"token": 5}, 422, "invalid_token"),
    ({"token": "\x00" * 32}, 422, "invalid_token"),
    ({"client_order_id": "1"}, 422, "invalid_client_order_id"),
    ({"client_order_id": str(uuid.uuid4()).upper()}, 422, "invalid_client_order_id"),
    ({"client_order_id": 7}, 422, "invalid_client_order_id"),
    ({"deadline_ms": NOW - 1}, 422, "deadline"),
    ({"deadline_ms": 1}, 422, "deadline"),
    ({"deadline_ms": 0}, 422, "invalid_deadline"),
    ({"deadline_ms": -5}, 422, "invalid_deadline"),
    ({"deadline_ms": NOW + 86_400_000}, 422, "invalid_deadline"),
    ({"deadline_ms": 2**64}, 422, "invalid_deadline"),
    ({"deadline_ms": 1.5}, 422, "invalid_deadline"),
    ({"deadline_ms": True}, 422, "invalid_deadline"),
    ({"deadline_ms": str(NOW + 5)}, 422, "invalid_deadline"),
    ({"lamports": str(RICH)}, 422, "funds"),
    ({"lamports": str(2**63 - 1), "min_tokens_out": "1"}, 422, "funds"),
    ({"lamports": "9999999"}, 422, "below_minimum"),
    ({"min_tokens_out": str(2**63 - 1)}, 422, "slippage"),
    ({"surprise": "field"}, 422, "invalid_request"),
    ({"min_tokens_out": None}, 422, "invalid_request"),
]


@pytest.mark.parametrize(("changes", "status", "code"), BAD_ORDERS)
async def test_a_buy_that_cannot_be_is_refused_at_once(
    rich: Browser, services: Services, changes: dict[str, Any], status: int, code: str
) -> None:
    before = row_counts(services)
    body = buy_body(**changes)
    assert_problem(await rich.post("/api/buy", json=body), status, code)
    assert (row_counts(services), published(services)) == (before, [])
    if code in ("funds", "slippage", "below_minimum", "deadline"):
        fresh = buy_body(client_order_id=body["client_order_id"])
        set_balance(services, rich.address, RICH)
        assert (await rich.post("/api/buy", json=fresh)).status_code == 202, "the id was left unused"


async def test_the_locked_minimum_and_the_rent_cannot_be_spent(trader: Browser, services: Services) -> None:
    add_token(services)
    locked, rent, lamports = 890_880, 2_074_080, 1_000_000_000
    set_balance(services, trader.address, locked + rent + lamports - 1)
    assert_problem(await trader.post("/api/buy", json=buy_body()), 422, "funds")
    set_balance(services, trader.address, locked + rent + lamports)
    assert (await trader.post("/api/buy", json=buy_body())).status_code == 202


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        ({"stage": "launching"}, 409, "not_tradable"),
        ({"stage": "failed"}, 409, "not_tradable"),
        ({"paused": 1}, 409, "paused"),
    ],
)
async def test_a_token_that_does_not_trade_is_refused(
    trader: Browser, services: Services, state: dict[str, Any], status: int, code: str
) -> None:
    add_token(services, **state)
    set_balance(services, trader.address, RICH)
    assert_problem(await trader.post("/api/buy", json=buy_body()), status, code)
    assert published(services) == []


async def test_more_tokens_than_held_are_not_sold(rich: Browser, services: Services) -> None:
    assert_problem(await rich.post("/api/sell", json=sell_body(tokens="10000001")), 422, "funds")
    assert (await rich.post("/api/sell", json=sell_body(tokens="10000000"))).status_code == 202


async def test_a_sell_worth_nothing_or_below_its_bound_is_refused(rich: Browser) -> None:
    assert_problem(await rich.post("/api/sell", json=sell_body(tokens="1")), 422, "nothing_received")
    assert_problem(await rich.post("/api/sell", json=sell_body(min_lamports_out="1000000000")), 422, "slippage")


async def test_a_paused_token_still_sells(rich: Browser, services: Services) -> None:
    with services.database.transaction() as connection:
        connection.execute(update(TokenRow).values(paused=1))
    assert (await rich.post("/api/sell", json=sell_body())).status_code == 202


async def test_the_same_order_twice_is_queued_once(rich: Browser, services: Services) -> None:
    body = buy_body()
    first, second = await rich.post("/api/buy", json=body), await rich.post("/api/buy", json=body)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert len(published(services)) == 1


async def test_an_id_belongs_to_its_first_body(rich: Browser, services: Services) -> None:
    body = buy_body()
    await rich.post("/api/buy", json=body)
    for changed in ({"lamports": "20000000"}, {"min_tokens_out": "2"}, {"deadline_ms": NOW + 5_000}):
        assert_problem(await rich.post("/api/buy", json={**body, **changed}), 409, "conflicting_order")
    sell = sell_body(client_order_id=body["client_order_id"])
    assert_problem(await rich.post("/api/sell", json=sell), 409, "conflicting_order")
    assert len(published(services)) == 1


async def test_two_accounts_may_choose_the_same_id(rich: Browser, app: Starlette, services: Services) -> None:
    body = buy_body()
    await rich.post("/api/buy", json=body)
    async with Browser(app) as other:
        await other.sign_in()
        assert_problem(await other.get(f"/api/orders/{body['client_order_id']}"), 404, "not_seen_yet")
        set_balance(services, other.address, RICH)
        assert (await other.post("/api/buy", json=body)).status_code == 202
    assert len({decoded(message).order_id for _, message in published(services)}) == 2


@pytest.mark.parametrize(
    ("failure", "status", "code", "retry_after"),
    [
        (Unavailable("The queue is out of reach."), 503, "unavailable", "2"),
        (OutcomeUnknown("No answer from the queue."), 504, "outcome_unknown", None),
    ],
)
async def test_a_failing_broker_is_told_and_the_same_order_can_be_sent_again(
    rich: Browser, services: Services, failure: Exception, status: int, code: str, retry_after: str | None
) -> None:
    assert isinstance(services.broker, FakeBroker)
    services.broker.failure = failure
    body = buy_body()
    response = await rich.post("/api/buy", json=body)
    assert_problem(response, status, code)
    assert response.headers.get("retry-after") == retry_after
    assert_problem(await rich.get(f"/api/orders/{body['client_order_id']}"), 404, "not_seen_yet")
    services.broker.failure = None
    assert (await rich.post("/api/buy", json=body)).status_code == 202


async def test_nobody_orders_without_a_session(visitor: Browser, services: Services) -> None:
    add_token(services)
    assert_problem(await visitor.post("/api/buy", json=buy_body()), 401, "not_signed_in")
    assert_problem(await visitor.get(f"/api/orders/{uuid.uuid4()}"), 401, "not_signed_in")


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_another_sites_page_cannot_order(rich: Browser, services: Services, headers: dict[str, str]) -> None:
    assert_problem(await rich.post("/api/buy", json=buy_body(), headers=headers), 403, "foreign_origin")
    assert published(services) == []


async def test_too_many_orders_are_slowed_down_and_told_when_to_come_back(rich: Browser, services: Services) -> None:
    responses = [await rich.post("/api/buy", json=buy_body()) for _ in range(41)]
    assert [response.status_code for response in responses[:40]] == [202] * 40
    assert responses[0].headers["ratelimit"] == '"orders";r=39;t=1'
    assert responses[0].headers["ratelimit-policy"] == '"orders";q=40;w=2'
    assert_problem(responses[40], 429, "too_many_requests")
    assert responses[40].headers["retry-after"] == "1"
    assert len(published(services)) == 40
    services.clock.advance(1000)  # type: ignore[attr-defined]
    assert (await rich.post("/api/buy", json=buy_body())).status_code == 202


MALFORMED = [
    (b"", 422, "invalid_request"),
    (b"{", 422, "invalid_request"),
    (b"null", 422, "invalid_request"),
    (b"[]", 422, "invalid_request"),
    (b'"text"', 422, "invalid_request"),
    (b"\xff\xfe", 422, "invalid_request"),
    (b"[" * 100_000, 400, "bad_request"),
    (b'{"lamports": ' + b"9" * 5000 + b"}", 400, "bad_request"),
    (b'{"lamports": NaN, "min_tokens_out": "1", "token": "", "client_order_id": ""}', 422, "invalid_amount"),
    (b'{"\\ud800": "x"}', 422, "invalid_request"),
    (b'{"client_order_id": "\\ud800", "token": "\\ud800", "lamports": "1", "min_tokens_out": "1"}', 422,
     "invalid_client_order_id"),
    (b"x" * 2_000_000, 413, "body_too_large"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "code"), MALFORMED, ids=lambda value: repr(value)[:20])
async def test_a_malformed_body_is_refused(
    rich: Browser, services: Services, body: bytes, status: int, code: str
) -> None:
    response = await rich.post("/api/buy", content=body, headers={"Content-Type": "application/json"})
    assert_problem(response, status, code)
    assert published(services) == []


async def test_a_streamed_body_of_2_mb_is_refused(rich: Browser) -> None:
    async def chunks() -> Any:
        for _ in range(32):
            yield b"x" * 65_536
            await asyncio.sleep(0)

    response = await rich.post("/api/buy", content=chunks(), headers={"Content-Type": "application/json"})
    assert_problem(response, 413, "body_too_large")


async def test_a_frozen_account_is_told_why_and_cannot_trade(trader: Browser, services: Services) -> None:
    add_token(services)
    account_id = (await trader.get("/api/me")).json()["account_id"]
    set_balance(services, account_id, 5_000_000_000)
    with services.database.transaction() as connection:
        assert freezes.freeze_account(connection, account_id, "Solana refused it")
    assert (await trader.get("/api/me/balances")).json()["frozen"] == "Solana refused it"
    refused = await trader.post("/api/buy", json=buy_body())
    assert_problem(refused, 403, "frozen")
    assert "Solana refused it" in refused.json()["detail"]
