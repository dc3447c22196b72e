"""Tickets over the API, and what an account hears on its channel while it really trades and withdraws."""

from collections.abc import AsyncIterator
from functools import partial

import pytest
from starlette.applications import Starlette

from blitzhub.api.market_socket import create_hub
from engine.live import Connection, Hub, Limits
from engine.services import Services
from tests.fakes import FakeClock
from tests.integration.api.client import (
    TOKEN,
    Browser,
    add_token,
    assert_problem,
    buy_body,
    sell_body,
    set_balance,
)
from tests.integration.api.test_keys import bearer, make
from tests.integration.api.test_order_life import RICH, execute
from tests.integration.api.test_withdrawals import body as withdrawal_body
from tests.unit.live_parts import FakeSocket, until

ASK = '{"method":"subscribe","subscription":{"type":"account"},"ticket":"%s"}'


@pytest.fixture
async def hub(services: Services) -> AsyncIterator[Hub]:
    hub = create_hub(services, Limits(repair_ms=20, account_repair_ms=20))
    await hub.start()
    yield hub
    await hub.close()


class Client:
    """What a socket knows of its account by the protocol's rules, and nothing else."""

    def __init__(self, hub: Hub) -> None:
        self.socket = FakeSocket()
        self.connection: Connection = hub.connect(self.socket)

    def state(self) -> tuple[int, str, dict[str, str], dict[str, str]]:
        """`seq`, lamports, tokens and each order's state, from the frames so far."""
        seq, lamports, tokens, orders = -1, "", dict[str, str](), dict[str, str]()
        frames = [frame for frame in self.socket.said(self._channel()) if frame["channel"].startswith("account")]
        for frame in frames:
            snapshot = frame["from_seq"] == 0
            assert snapshot or frame["from_seq"] == seq + 1
            seq, lamports, data = frame["seq"], frame["data"]["lamports"], frame["data"]
            tokens = data["tokens"] if snapshot else tokens | data["tokens"]
            orders |= {each["client_order_id"]: each["state"] for each in reversed(data.get("orders", []))}
        return seq, lamports, {token: amount for token, amount in tokens.items() if amount != "0"}, orders

    def _channel(self) -> str:
        return f"account:{self.connection.account}"


async def ticket(browser: Browser, headers: dict[str, str] | None = None) -> str:
    response = await browser.post("/api/me/socket-ticket", headers=headers)
    assert response.status_code == 201, response.text
    return str(response.json()["ticket"])


async def test_the_socket_says_what_the_database_says_through_trades_and_withdrawals(
    hub: Hub, trader: Browser, services: Services
) -> None:
    add_token(services)
    set_balance(services, trader.address, RICH)
    client = Client(hub)
    client.connection.receive(ASK % await ticket(trader))
    await until(lambda: client.socket.frames)

    async def agrees() -> None:
        there = (await trader.get("/api/me/balances")).json()
        orders = (await trader.get("/api/me/orders")).json()["orders"]
        tokens = {held["token"]: held["amount"] for held in there["tokens"]}
        states = {order["client_order_id"]: order["state"] for order in orders}
        expected = there["account_seq"], there["lamports"], tokens, states
        await until(lambda: client.state() == expected)

    await agrees()
    quote = (await trader.get(f"/api/tokens/{TOKEN}/quote?side=buy&amount=1000000000&slippage_bps=0")).json()
    buy, refused = buy_body(), buy_body(min_tokens_out=quote["minimum"])  # which the first one's price has passed
    for body in (buy, refused):
        await trader.post("/api/buy", json=body)
    await execute(services)
    await agrees()
    assert client.state()[3] == {buy["client_order_id"]: "filled", refused["client_order_id"]: "rejected"}
    assert len(client.socket.frames) == 2, "a first buy with its rent is told without a look into the database"
    await trader.post("/api/buy", json=buy_body())
    await trader.post("/api/sell", json=sell_body(tokens="1000", min_lamports_out="1"))
    await execute(services)
    await agrees()
    response = await trader.post("/api/me/withdrawals", json=withdrawal_body(trader))
    assert response.status_code == 202, response.text
    await agrees()
    await trader.delete(f"/api/me/withdrawals/{response.json()['withdrawal_id']}")
    await agrees()


async def test_a_movement_whose_event_was_lost_is_found_in_the_database(
    hub: Hub, trader: Browser, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_token(services)
    set_balance(services, trader.address, RICH)
    client = Client(hub)
    client.connection.receive(ASK % await ticket(trader))
    await until(lambda: client.socket.frames)
    await trader.post("/api/buy", json=buy_body())
    with monkeypatch.context() as deaf:
        deaf.setattr(type(services.bus), "publish", lambda *_: None)
        await execute(services)
    await until(lambda: client.state()[0] == 2)
    assert client.state()[1] == (await trader.get("/api/me/balances")).json()["lamports"]


async def test_a_bot_gets_a_ticket_with_a_key_that_may_read(trader: Browser, visitor: Browser, hub: Hub) -> None:
    made = await make(trader, "read")
    client = Client(hub)
    client.connection.receive(ASK % await ticket(visitor, bearer(made)))
    await until(lambda: client.connection.account == trader.address)
    trading = await make(trader, "trade")
    assert_problem(await visitor.post("/api/me/socket-ticket", headers=bearer(trading)), 403, "missing_scope")
    revoked = await ticket(visitor, bearer(made))
    await trader.delete(f"/api/auth/keys/{made['key_id']}")
    await until(lambda: client.socket.errors() == ["ticket_needed"])
    late = Client(hub)
    late.connection.receive(ASK % revoked)
    await until(lambda: late.socket.errors() == ["invalid_ticket"])


async def test_signing_out_turns_the_sockets_out(trader: Browser, hub: Hub) -> None:
    client = Client(hub)
    client.connection.receive(ASK % await ticket(trader))
    await until(lambda: client.connection.account)
    await until(lambda: client.socket.frames)
    await trader.post("/api/auth/logout")
    await until(lambda: client.socket.errors() == ["ticket_needed"])
    assert client.connection.account is None


async def test_a_stranger_and_another_sites_page_get_no_ticket(visitor: Browser, trader: Browser) -> None:
    assert_problem(await visitor.post("/api/me/socket-ticket"), 401, "not_signed_in")
    foreign = {"Origin": "https://evil.example"}
    assert_problem(await trader.post("/api/me/socket-ticket", headers=foreign), 403, "foreign_origin")


async def test_a_ticket_ends_after_half_a_minute(trader: Browser, services: Services, hub: Hub) -> None:
    old = await ticket(trader)
    assert isinstance(services.clock, FakeClock)
    services.clock.advance(30_001)
    client = Client(hub)
    client.connection.receive(ASK % old)
    await until(lambda: client.socket.errors() == ["invalid_ticket"])


async def test_a_cache_that_keeps_nothing_is_told(
    app: Starlette, trader: Browser, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forget(*_: object) -> None:
        return None

    monkeypatch.setattr(type(services.cache), "set", partial(forget))
    assert_problem(await trader.post("/api/me/socket-ticket"), 503, "tickets_unavailable")
