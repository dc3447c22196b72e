"""What each switch does to a trader, to the trade worker and to the record of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.routing import Mount

from blitzhub.api import create_api
from engine.operators import audit
from engine.operators.actions import Action
from engine.persistence import freezes, parked
from engine.persistence.tables import AuditRow, table
from engine.ports import BusMessage
from engine.services import Services
from engine.trading import parking
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

OPERATOR = Ed25519PrivateKey.generate()
RENT = 2_074_080
TOKENS_HELD = 5_000_000
LOG = table(AuditRow)


@pytest.fixture
def staffed(services: Services) -> Services:
    add_token(services, supply=10**10, reserve_lamports=50_000)
    wallet = Browser(Starlette(), OPERATOR).address
    return replace(services, settings=replace(services.settings, operators=wallet))


@pytest.fixture
def app(staffed: Services) -> Starlette:
    api = create_api()
    api.state.services = staffed
    return Starlette(routes=[Mount("/api", api)])


@pytest.fixture
async def operator(app: Starlette) -> AsyncIterator[Browser]:
    async with Browser(app, OPERATOR) as browser:
        await browser.sign_in()
        yield browser


@pytest.fixture
async def rich(app: Starlette, staffed: Services) -> AsyncIterator[Browser]:
    async with Browser(app) as browser:
        await browser.sign_in()
        set_balance(staffed, browser.address, 10**11)
        set_balance(staffed, browser.address, TOKENS_HELD, TOKEN)
        yield browser


WORDS = {
    "pause_platform": "PAUSE",
    "resume_platform": "RESUME",
    "freeze_account": "FREEZE",
    "unfreeze_account": "UNFREEZE",
    "replay_parked": "REPLAY",
    "reject_parked": "REJECT",
}


async def symbol(operator: Browser) -> str:
    return str((await operator.get(f"/api/tokens/{TOKEN}")).json()["symbol"])


async def act(operator: Browser, action: str, target: str, **changes: str) -> Any:
    typed = WORDS.get(action) or await symbol(operator)
    body = {"action": action, "target": target, "reason": "a test of it", "typed": typed, **changes}
    return await operator.post("/api/admin/actions", json=body)


def worker(services: Services) -> TradeWorker:
    return TradeWorker(services.database, services.broker, services.bus, services.clock, RENT)


def decide_queued(services: Services, by: TradeWorker) -> list[tuple[str, str | None]]:
    """Execute what the API has queued; (state, reason) of each order."""
    broker = services.broker
    assert isinstance(broker, FakeBroker)
    orders, broker.published = [decoded(body) for _, body in broker.published], []
    with services.database.transaction() as connection:
        messages = by.execute(orders, False, connection)
    told = [json.loads(message.payload) for message in messages]
    return [(event["state"], event["reason"]) for event in told if event["type"] == "order"]


async def test_a_paused_token_refuses_buys_and_lets_sell(operator: Browser, rich: Browser, staffed: Services) -> None:
    trading = worker(staffed)
    assert (await rich.post("/api/buy", json=buy_body())).status_code == 202
    assert (await act(operator, "pause_token", TOKEN)).status_code == 200
    assert decide_queued(staffed, trading) == [("rejected", "paused")], "queued before it: not bought either"
    assert_problem(await rich.post("/api/buy", json=buy_body()), 409, "paused")
    assert (await rich.post("/api/sell", json=sell_body())).status_code == 202
    assert decide_queued(staffed, trading) == [("filled", None)]
    assert (await rich.get(f"/api/tokens/{TOKEN}")).json()["paused"] is True
    assert (await act(operator, "resume_token", TOKEN)).status_code == 200
    assert (await rich.post("/api/buy", json=buy_body())).status_code == 202
    assert decide_queued(staffed, trading) == [("filled", None)]


async def test_a_paused_platform_refuses_every_buy_and_launch_within_a_second(
    operator: Browser, rich: Browser, staffed: Services
) -> None:
    trading = worker(staffed)
    assert isinstance(staffed.clock, FakeClock)
    assert (await rich.post("/api/buy", json=buy_body())).status_code == 202
    assert decide_queued(staffed, trading) == [("filled", None)]
    assert (await rich.post("/api/buy", json=buy_body())).status_code == 202
    assert (await act(operator, "pause_platform", "platform")).status_code == 200
    assert_problem(await rich.post("/api/buy", json=buy_body()), 409, "paused")
    launch = {"client_id": buy_body()["client_order_id"], "name": "Late", "symbol": "LATE"}
    assert_problem(await rich.post("/api/tokens", json=launch), 409, "paused")
    staffed.clock.advance(999)
    assert decide_queued(staffed, trading) == [("rejected", "paused")]
    assert (await rich.post("/api/sell", json=sell_body())).status_code == 202
    assert decide_queued(staffed, trading) == [("filled", None)]
    assert (await operator.get("/api/admin/status")).json()["state"]["buying_paused_since_ms"] is not None
    assert (await act(operator, "resume_platform", "platform")).status_code == 200
    staffed.clock.advance(999)
    assert (await rich.post("/api/buy", json=buy_body())).status_code == 202
    assert decide_queued(staffed, trading) == [("filled", None)]


async def test_a_held_token_takes_orders_and_its_workers_are_told(
    operator: Browser, rich: Browser, staffed: Services
) -> None:
    assert isinstance(staffed.broker, FakeBroker)
    assert (await act(operator, "hold_token", TOKEN)).status_code == 200
    assert (await rich.post("/api/buy", json=buy_body())).status_code == 202
    assert (await rich.get(f"/api/tokens/{TOKEN}")).json()["held"] is True
    staffed.broker.failure = RuntimeError("no broker")
    with pytest.raises(RuntimeError):
        await act(operator, "release_token", TOKEN)
    staffed.broker.failure = None
    [failed, *_] = (await operator.get("/api/admin/audit")).json()["entries"]
    assert (failed["action"], failed["reason"]) == ("release_token failed", "row 2: RuntimeError")


async def test_a_frozen_account_neither_buys_nor_sells(operator: Browser, rich: Browser, staffed: Services) -> None:
    trading = worker(staffed)
    assert (await rich.post("/api/buy", json=buy_body())).status_code == 202
    assert (await act(operator, "freeze_account", rich.address)).status_code == 200
    assert decide_queued(staffed, trading) == [("rejected", "frozen")]
    for side, body in (("buy", buy_body()), ("sell", sell_body())):
        assert_problem(await rich.post(f"/api/{side}", json=body), 403, "frozen")
    assert (await act(operator, "unfreeze_account", rich.address)).status_code == 200
    assert (await rich.post("/api/buy", json=buy_body())).status_code == 202


async def test_what_settlement_froze_is_not_lifted_here(operator: Browser, rich: Browser, staffed: Services) -> None:
    with staffed.database.transaction() as connection:
        freezes.freeze_account(connection, rich.address, "trade x failed")
        freezes.hold_token(connection, TOKEN, "the vault cannot pay", 1)
    for action, target in (("unfreeze_account", rich.address), ("release_token", TOKEN), ("resume_token", TOKEN)):
        assert_problem(await act(operator, action, target), 409, "already_so")
    with staffed.database.snapshot() as connection:
        assert {each["what"] for each in freezes.frozen(connection)} == {"account", "token"}


async def test_a_hidden_token_leaves_the_board_and_can_still_be_sold(
    operator: Browser, rich: Browser, staffed: Services
) -> None:
    async def listed() -> bool:
        found = (await rich.get("/api/tokens?column=new")).json()["tokens"]
        return TOKEN in [token["address"] for token in found]

    assert await listed()
    assert (await act(operator, "hide_token", TOKEN)).status_code == 200
    assert not await listed()
    assert (await rich.get(f"/api/tokens/{TOKEN}")).status_code == 200
    assert (await rich.post("/api/sell", json=sell_body())).status_code == 202
    assert (await act(operator, "unhide_token", TOKEN)).status_code == 200
    assert await listed()


@pytest.mark.parametrize(("action", "state"), [("replay_parked", "filled"), ("reject_parked", "rejected")])
async def test_a_parked_order_is_ended_by_a_trade_worker_once(
    operator: Browser, rich: Browser, staffed: Services, action: str, state: str
) -> None:
    assert isinstance(staffed.broker, FakeBroker)
    assert (await rich.post("/api/buy", json=buy_body())).status_code == 202
    order = decoded(staffed.broker.published[0][1])
    row = parked.parked_row(order.token, order.encoded(), "delivery_limit", staffed.clock.now_ms())
    with staffed.database.transaction() as connection:
        parked.park([row], connection)
    assert (await act(operator, action, order.order_id)).status_code == 200
    assert (await rich.get(f"/api/orders/{order.client_order_id}")).json()["state"] == "parked", "asked for, not done"
    workers = [asyncio.create_task(parking.carry_out(staffed, worker(staffed))) for _ in range(2)]
    async with asyncio.timeout(20):
        while (found := (await rich.get(f"/api/orders/{order.client_order_id}")).json())["state"] == "parked":  # noqa: ASYNC110  nothing rings
            await asyncio.sleep(0.05)
    for task in workers:
        task.cancel()
    assert found["state"] == state
    assert_problem(await act(operator, action, order.order_id), 404, "not_parked")


@pytest.mark.parametrize("action", [each.value for each in Action])
async def test_nothing_is_done_without_a_reason_the_word_and_a_target(
    operator: Browser, rich: Browser, staffed: Services, action: str
) -> None:
    target = {"platform": "platform", "account": rich.address, "token": TOKEN}.get(action.partition("_")[2], "f" * 32)
    if action.startswith(("resume", "release", "unhide", "unfreeze")):
        opposite = {"resume": "pause", "release": "hold", "unhide": "hide", "unfreeze": "freeze"}
        first, _, what = action.partition("_")
        assert (await act(operator, f"{opposite[first]}_{what}", target)).status_code == 200
    if action.endswith("_parked"):
        with staffed.database.transaction() as connection:
            row = parked.parked_row(TOKEN, b"poison", "unreadable", 1) | {"parked_id": target}
            parked.park([row], connection)
    before = row_counts(staffed)
    for reason in ("", "  ", "no", "x" * 301):
        assert_problem(await act(operator, action, target, reason=reason), 422, "reason_needed")
    for typed in ("", "yes", "pause"):
        assert_problem(await act(operator, action, target, typed=typed), 422, "wrong_word")
    assert (await act(operator, action, "nowhere")).status_code in (404, 422)
    assert row_counts(staffed) == before, "not even on record"
    done = (await act(operator, action, target)).json()
    assert (done["operator"], done["action"], done["target"]) == (operator.address, action, target)
    assert done["reason"] == "a test of it"
    assert done["before"] != done["after"]
    if not action.endswith("_parked"):
        assert_problem(await act(operator, action, target), 409, "already_so")


async def test_an_unknown_action_is_refused(operator: Browser) -> None:
    assert_problem(await act(operator, "sell_everything", TOKEN), 422, "unknown_action")


async def test_the_record_comes_before_the_effect(
    operator: Browser, staffed: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def publish(_: list[BusMessage]) -> None:
        with staffed.database.snapshot() as connection:
            seen.append(len(list(audit.every_row(connection))))
        raise OSError("the process dies here")

    monkeypatch.setattr(staffed.bus, "publish", publish)
    with pytest.raises(OSError, match="dies"):
        await act(operator, "pause_token", TOKEN)
    assert seen == [1]


async def test_the_record_is_read_and_exported(operator: Browser, rich: Browser) -> None:
    for action in ("pause_token", "resume_token"):
        await act(operator, action, TOKEN)
    entries = (await operator.get("/api/admin/audit?limit=1")).json()["entries"]
    assert [entry["action"] for entry in entries] == ["resume_token"]
    older = (await operator.get(f"/api/admin/audit?before={entries[0]['seq']}")).json()["entries"]
    assert [entry["action"] for entry in older] == ["pause_token"]
    exported = await operator.get("/api/admin/audit/export?format=jsonl")
    assert list(audit.faults(json.loads(line) for line in exported.text.splitlines())) == []
    assert (await operator.get("/api/admin/audit/export")).text.startswith("seq,at_ms,operator,")
    switched = (await operator.get("/api/admin/switched")).json()
    assert switched == {"platform_paused_since_ms": None, "switched": []}
    await act(operator, "hide_token", TOKEN)
    assert [each["what"] for each in (await operator.get("/api/admin/switched")).json()["switched"]] == ["hidden"]
