"""An account's own channel on the market socket, on both servers: tickets, resume, signing out, and the limits."""

import asyncio
from typing import Any

import orjson
from sqlalchemy import insert
from websockets.asyncio.client import ClientConnection, connect

from engine.accounts.tickets import end_tickets, issue
from engine.identifiers import SOL, AccountId
from engine.live import Limits
from engine.persistence.tables import BalanceRow
from engine.trading import events
from tests.contract.test_market_socket import TOKEN, Serve, Served, hear, serve
from tests.market_data import address
from tests.unit.live_parts import subscribe, until

__all__ = ["serve"]  # the fixture

ACCOUNT, OTHER = AccountId(address(1)), AccountId(address(2))
FUNDS = 5_000_000_000


def fund(market: Served, account: str = ACCOUNT, account_seq: int = 1) -> None:
    row = {"account_id": account, "asset": SOL, "amount": FUNDS, "account_seq": account_seq}
    with market.services.database.transaction() as connection:
        connection.execute(insert(BalanceRow), [row])


def deposit(market: Served, account_seq: int, lamports: int = 7) -> None:
    market.bus.publish([events.balance_changed(ACCOUNT, "deposit", lamports, account_seq)])


def order(state: str, account_seq: int, number: int = 1, rent_lamports: int = 0) -> dict[str, Any]:
    filled = state != "rejected"
    return {
        "order_id": f"{number:032x}",
        "client_order_id": f"mine-{number}",
        "token": TOKEN,
        "side": "buy",
        "state": state,
        "reason": None if filled else "slippage",
        "detail": None,
        "lamports": "1000" if filled else None,
        "tokens": "30" if filled else None,
        "rent_lamports": str(rent_lamports) if state == "filled" else None,
        "price": "5" if filled else None,
        "signature": "5" * 88 if state == "confirmed" else None,
        "account_seq": account_seq,
        "at_ms": 1_000 + account_seq,
    }


def tell(market: Served, *orders: dict[str, Any]) -> None:
    market.bus.publish([events.order_decided(ACCOUNT, each) for each in orders])


def ask(ticket: str | None = None, after_seq: int | None = None) -> str:
    more = {"ticket": ticket, "after_seq": after_seq}
    message = {"method": "subscribe", "subscription": {"type": "account"}}
    return orjson.dumps(message | {key: value for key, value in more.items() if value is not None}).decode()


async def join(
    market: Served, client: ClientConnection, account: AccountId = ACCOUNT, after_seq: int | None = None
) -> Any:
    ticket, _ = await issue(market.services, account)
    await client.send(ask(ticket, after_seq))
    return await hear(client)


async def refusal(client: ClientConnection) -> str:
    frame = await hear(client)
    assert frame["channel"] == "error"
    return str(frame["data"]["code"])


async def test_an_account_sees_its_balance_and_its_orders_as_they_change(serve: Serve) -> None:
    async with serve() as market, connect(market.url) as client:
        fund(market)
        snapshot = await join(market, client)
        assert (snapshot["channel"], snapshot["from_seq"], snapshot["seq"]) == (f"account:{ACCOUNT}", 0, 1)
        assert snapshot["data"]["lamports"] == str(FUNDS)
        assert (snapshot["data"]["tokens"], snapshot["data"]["orders"]) == ({}, [])
        deposit(market, 2)
        delta = await hear(client)
        assert (delta["from_seq"], delta["seq"], delta["data"]["lamports"]) == (2, 2, str(FUNDS + 7))
        tell(market, order("filled", 4, rent_lamports=50))  # the rent is number 3
        delta = await hear(client)
        assert (delta["from_seq"], delta["seq"]) == (3, 4)
        assert delta["data"]["lamports"] == str(FUNDS + 7 - 1000 - 50)
        assert delta["data"]["tokens"] == {TOKEN: "30"}
        assert [each["state"] for each in delta["data"]["orders"]] == ["filled"]
        tell(market, order("confirmed", 4), order("rejected", 4, number=2))
        delta = await hear(client)
        assert (delta["from_seq"], delta["seq"]) == (5, 4)
        assert {each["client_order_id"]: each["state"] for each in delta["data"]["orders"]} == {
            "mine-1": "confirmed",
            "mine-2": "rejected",
        }


async def test_a_ticket_is_good_once_and_for_nobody_elses_channel(serve: Serve) -> None:
    async with serve() as market, connect(market.url) as first, connect(market.url) as second:
        fund(market)
        fund(market, OTHER, 9)
        ticket, _ = await issue(market.services, ACCOUNT)
        await first.send(ask(ticket))
        assert (await hear(first))["channel"] == f"account:{ACCOUNT}"
        for wrong in (ticket, "x" * 43, None):
            await second.send(ask(wrong))
            assert await refusal(second) == ("ticket_needed" if wrong is None else "invalid_ticket")
        for made_up in ({"type": "account", "account": ACCOUNT}, {"type": "account", "token": ACCOUNT}):
            await second.send(orjson.dumps({"method": "subscribe", "subscription": made_up}).decode())
            assert await refusal(second) == "ticket_needed"
        deposit(market, 2)
        assert (await hear(first))["seq"] == 2
        others, _ = await issue(market.services, OTHER)
        await first.send(ask(others))
        assert await refusal(first) == "other_account"
        await second.send('{"method":"ping"}')
        assert (await hear(second))["channel"] == "pong"  # and nothing of the account before it


async def test_who_asks_again_on_the_same_socket_needs_no_ticket(serve: Serve) -> None:
    async with serve() as market, connect(market.url) as client:
        fund(market)
        await join(market, client)
        deposit(market, 2)
        assert (await hear(client))["seq"] == 2
        await client.send(ask())
        again = await hear(client)
        assert (again["from_seq"], again["seq"], again["data"]["lamports"]) == (0, 2, str(FUNDS + 7))


async def test_whoever_comes_back_hears_what_was_missed_with_what_has_no_number(serve: Serve) -> None:
    async with serve() as market, connect(market.url) as steady:
        fund(market)
        await join(market, steady)
        async with connect(market.url) as client:
            await join(market, client)
            tell(market, order("filled", 2))
            assert (await hear(client))["seq"] == (await hear(steady))["seq"] == 2
        tell(market, order("confirmed", 2), order("rejected", 2, number=2))
        await hear(steady)
        deposit(market, 3)
        await hear(steady)
        async with connect(market.url) as again:
            missed = await join(market, again, after_seq=2)
            assert (missed["from_seq"], missed["seq"], missed["data"]["lamports"]) == (3, 3, str(FUNDS + 7 - 1000))
            told = {each["client_order_id"]: each["state"] for each in missed["data"]["orders"]}
            assert told == {"mine-1": "confirmed", "mine-2": "rejected"}
        for unknown in (1, 4):  # before this server followed the account, and not known to it
            async with connect(market.url) as again:
                assert (await join(market, again, after_seq=unknown))["from_seq"] == 0


async def test_a_lost_movement_brings_the_truth_from_the_database(serve: Serve) -> None:
    async with serve() as market, connect(market.url) as client:
        fund(market, account_seq=5)
        await join(market, client)
        deposit(market, 7)  # 6 was lost; the database still says 5, and so does the snapshot
        snapshot = await hear(client)
        assert (snapshot["from_seq"], snapshot["seq"], snapshot["data"]["lamports"]) == (0, 5, str(FUNDS))


async def test_signing_out_ends_tickets_and_turns_the_sockets_out(serve: Serve) -> None:
    async with serve() as market, connect(market.url) as client, connect(market.url) as late:
        fund(market)
        await join(market, client)
        ticket, _ = await issue(market.services, ACCOUNT)
        await end_tickets(market.services, ACCOUNT)
        assert await refusal(client) == "ticket_needed"
        deposit(market, 2)
        for each, message in ((client, ask()), (late, ask(ticket))):
            await each.send(message)
            assert await refusal(each) in ("ticket_needed", "invalid_ticket")
        await asyncio.sleep(0.002)  # a ticket of the same millisecond as the sign-out is void as well
        assert (await join(market, client))["channel"] == f"account:{ACCOUNT}"


async def test_unsubscribing_leaves_the_account(serve: Serve) -> None:
    async with serve() as market, connect(market.url) as client:
        fund(market)
        await join(market, client)
        await client.send('{"method":"unsubscribe","subscription":{"type":"account"}}')
        await client.send(ask())
        assert await refusal(client) == "ticket_needed"


async def test_an_account_may_have_so_many_sockets(serve: Serve) -> None:
    async with serve(Limits(sockets_per_account=2)) as market, connect(market.url) as one, connect(market.url) as two:
        fund(market)
        for client in (one, two, one):  # whoever is in is not counted twice
            assert (await join(market, client))["channel"] == f"account:{ACCOUNT}"
        async with connect(market.url) as third:
            assert (await join(market, third))["data"]["code"] == "too_many_sockets"
            await two.close()
            await until(lambda: market.hub.connections == 2)
            assert (await join(market, third))["channel"] == f"account:{ACCOUNT}"


async def test_a_socket_may_have_so_many_subscriptions_and_send_so_many_messages(serve: Serve) -> None:
    async with serve(Limits(subscriptions=2, message_burst=6, messages_per_s=0.001)) as market:
        fund(market)
        async with connect(market.url) as client:
            await join(market, client)
            await client.send(subscribe("trades", TOKEN))
            assert (await hear(client))["channel"] == f"trades:{TOKEN}"
            await client.send(subscribe("board"))
            assert await refusal(client) == "too_many_subscriptions"
            await client.send(ask())  # it has that one already
            assert (await hear(client))["channel"] == f"account:{ACCOUNT}"
            for _ in range(2):
                await client.send('{"method":"ping"}')
                assert (await hear(client))["channel"] == "pong"
            await client.send('{"method":"ping"}')
            assert await refusal(client) == "rate_limited"


async def test_both_sides_hear_that_the_other_lives(serve: Serve) -> None:
    async with serve(Limits(heartbeat_ms=50, idle_ms=400)) as market:
        async with connect(market.url) as mute:
            assert (await hear(mute))["channel"] == "heartbeat"
            await asyncio.wait_for(mute.wait_closed(), 5)
            assert (mute.close_code, mute.close_reason) == (4009, "idle")
        async with connect(market.url) as speaking:
            for _ in range(8):
                await speaking.send('{"method":"ping"}')
                while (await hear(speaking))["channel"] != "pong":
                    pass
                await asyncio.sleep(0.1)
