"""An order's whole life as its owner sees it: queued by the API, decided by the trade worker, confirmed on Solana."""

import asyncio
import uuid
from functools import partial
from typing import Any

from sqlalchemy import insert, select, update

from engine.persistence.tables import BalanceRow, SettlementRow, TradeRow
from engine.services import Services
from engine.trading.orders import decoded
from engine.trading.worker import TradeWorker
from tests.fakes import FakeBroker, FakeClock
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
RENT = 2_074_080


async def execute(services: Services) -> None:
    """Let the trade worker decide everything that was published, twice: the second time changes nothing."""
    assert isinstance(services.broker, FakeBroker)
    orders = [decoded(body) for _, body in services.broker.published]
    worker = TradeWorker(services.database, services.broker, services.bus, services.clock, RENT)
    await services.database.write(partial(worker.execute, orders, True))
    before = row_counts(services)
    await services.database.write(partial(worker.execute, orders, True))
    assert row_counts(services) == before


async def state_of(browser: Browser, body: dict[str, Any]) -> dict[str, Any]:
    response = await browser.get(f"/api/orders/{body['client_order_id']}")
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def confirm_everything(services: Services) -> None:
    with services.database.transaction() as connection:
        values = {"state": "confirmed", "signature": "5" * 88, "confirmed_at_ms": services.clock.now_ms()}
        connection.execute(update(SettlementRow).values(**values))


async def test_a_buy_is_queued_filled_and_confirmed_with_the_figures_of_its_quote(
    trader: Browser, services: Services
) -> None:
    add_token(services)
    set_balance(services, trader.address, RICH)
    quote = (await trader.get(f"/api/tokens/{TOKEN}/quote?side=buy&amount=1000000000&slippage_bps=0")).json()
    body = buy_body(min_tokens_out=quote["minimum"])
    assert (await trader.post("/api/buy", json=body)).json()["state"] == "queued"
    assert isinstance(services.clock, FakeClock)
    services.clock.advance(20)
    await execute(services)
    filled = await state_of(trader, body)
    assert (filled["state"], filled["reason"], filled["signature"]) == ("filled", None, None)
    assert (filled["tokens"], filled["lamports"]) == (quote["tokens"], quote["lamports"])
    assert (filled["fee_lamports"], filled["price"]) == (quote["fee_lamports"], quote["price_after"])
    assert filled["decided_at_ms"] - filled["accepted_at_ms"] == 20
    balances = (await trader.get("/api/me/balances")).json()
    assert int(balances["lamports"]) == RICH - int(quote["lamports"]) - int(quote["rent_lamports"])
    assert balances["tokens"][0]["amount"] == quote["tokens"]
    confirm_everything(services)
    confirmed = await state_of(trader, body)
    assert (confirmed["state"], confirmed["signature"]) == ("confirmed", "5" * 88)
    assert confirmed["confirmed_at_ms"] == services.clock.now_ms()


async def test_a_sell_of_everything_brings_what_its_quote_said(trader: Browser, services: Services) -> None:
    add_token(services)
    set_balance(services, trader.address, RICH)
    await trader.post("/api/buy", json=buy_body())
    await execute(services)
    held = (await trader.get("/api/me/balances")).json()["tokens"][0]["amount"]
    quote = (await trader.get(f"/api/tokens/{TOKEN}/quote?side=sell&amount={held}&slippage_bps=0")).json()
    assert quote["max"] == held
    body = sell_body(tokens=held, min_lamports_out=quote["minimum"])
    assert (await trader.post("/api/sell", json=body)).status_code == 202
    await execute(services)
    filled = await state_of(trader, body)
    assert (filled["state"], filled["lamports"], filled["tokens"]) == ("filled", quote["lamports"], held)
    assert (await trader.get("/api/me/balances")).json()["tokens"] == []


async def test_the_largest_buy_is_filled(trader: Browser, services: Services) -> None:
    add_token(services)
    set_balance(services, trader.address, 3_000_000_000)
    largest = (await trader.get(f"/api/tokens/{TOKEN}/quote?side=buy&amount=1000000000")).json()["max"]
    body = buy_body(lamports=largest)
    assert (await trader.post("/api/buy", json=body)).status_code == 202
    await execute(services)
    assert (await state_of(trader, body))["state"] == "filled"
    assert int((await trader.get("/api/me/balances")).json()["free_lamports"]) < 10, "but for the rounding rest"


async def test_an_order_that_the_market_outran_is_rejected_with_its_reason(trader: Browser, services: Services) -> None:
    add_token(services)
    set_balance(services, trader.address, RICH)
    quote = (await trader.get(f"/api/tokens/{TOKEN}/quote?side=buy&amount=1000000000&slippage_bps=100")).json()
    first, second = buy_body(min_tokens_out=quote["minimum"]), buy_body(min_tokens_out=quote["minimum"])
    for body in (first, second):
        assert (await trader.post("/api/buy", json=body)).status_code == 202
    await execute(services)
    assert (await state_of(trader, first))["state"] == "filled"
    rejected = await state_of(trader, second)
    assert (rejected["state"], rejected["reason"]) == ("rejected", "slippage")
    assert (rejected["tokens"], rejected["lamports"], rejected["signature"]) == (None, None, None)
    assert rejected["detail"]


async def test_a_decided_order_sent_again_is_answered_and_not_queued(trader: Browser, services: Services) -> None:
    add_token(services)
    set_balance(services, trader.address, RICH)
    body = buy_body(deadline_ms=services.clock.now_ms() + 1_000)
    await trader.post("/api/buy", json=body)
    await execute(services)
    assert isinstance(services.clock, FakeClock)
    services.clock.advance(86_400_000)  # the cache has forgotten it and its deadline is long over
    again = await trader.post("/api/buy", json=body)
    assert (again.status_code, again.json()["state"]) == (200, "filled")
    assert_problem(await trader.post("/api/buy", json={**body, "min_tokens_out": "2"}), 409, "conflicting_order")
    assert isinstance(services.broker, FakeBroker)
    assert len(services.broker.published) == 1


async def test_the_same_order_sent_twenty_times_at_once_is_executed_once(trader: Browser, services: Services) -> None:
    add_token(services)
    set_balance(services, trader.address, RICH)
    body = buy_body()
    responses = await asyncio.gather(*(trader.post("/api/buy", json=body) for _ in range(20)))
    assert {response.status_code for response in responses} == {202}
    await execute(services)
    with services.database.snapshot() as connection:
        assert len(connection.execute(select(TradeRow)).all()) == 1


async def test_two_bodies_with_one_id_at_once_become_one_order(trader: Browser, services: Services) -> None:
    add_token(services)
    set_balance(services, trader.address, RICH)
    bodies = [buy_body(client_order_id="8c1f0c6e-6d1c-4f27-8d7c-2f5f5a0a5b11", min_tokens_out=str(n)) for n in (1, 2)]
    responses = await asyncio.gather(*(trader.post("/api/buy", json=body) for body in bodies))
    assert {response.status_code for response in responses} <= {202, 409}
    await execute(services)
    after = [(await trader.post("/api/buy", json=body)).status_code for body in bodies]
    assert sorted(after) == [200, 409]


async def test_own_orders_are_paged_newest_first(trader: Browser, services: Services) -> None:
    add_token(services)
    set_balance(services, trader.address, RICH)
    bodies = [buy_body() for _ in range(5)]
    for body in bodies:
        await trader.post("/api/buy", json=body)
    await execute(services)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = "" if cursor is None else f"&cursor={cursor}"
        page = (await trader.get(f"/api/me/orders?limit=2&token={TOKEN}{query}")).json()
        seen += [order["client_order_id"] for order in page["orders"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(body["client_order_id"] for body in bodies)
    other = "FZyDdnJLfC3ioPVxBzMVLWTp9iSUe4wvBK3y4Dqi4Tf4"
    assert (await trader.get(f"/api/me/orders?token={other}")).json() == {"orders": [], "next_cursor": None}
    assert_problem(await trader.get("/api/me/orders?token=SOL"), 422, "invalid_token")


async def test_nobody_sees_another_accounts_orders_or_balances(
    trader: Browser, visitor: Browser, services: Services
) -> None:
    add_token(services)
    set_balance(services, trader.address, RICH)
    body = buy_body()
    await trader.post("/api/buy", json=body)
    await execute(services)
    await visitor.sign_in()
    assert_problem(await visitor.get(f"/api/orders/{body['client_order_id']}"), 404, "not_seen_yet")
    assert (await visitor.get("/api/me/orders")).json()["orders"] == []
    assert (await visitor.get("/api/me/balances")).json()["lamports"] == "0"
    assert_problem(await visitor.get(f"/api/orders/{uuid.uuid4()}x"), 422, "invalid_client_order_id")


async def test_vaults_and_emptied_accounts_are_no_holders(trader: Browser, services: Services) -> None:
    add_token(services)
    with services.database.transaction() as connection:
        row = {"account_id": trader.address, "asset": TOKEN, "amount": 0, "account_seq": 0}
        connection.execute(insert(BalanceRow), [row])
    assert (await trader.get(f"/api/tokens/{TOKEN}/holders")).json() == {"holders": []}
