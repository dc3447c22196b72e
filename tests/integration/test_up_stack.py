"""The full stack as `make up` starts it: two backends on real servers, one of which dies."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from engine.adapters.rabbitmq.topology import Topology
from tests import rabbit
from tests.databases import postgresql
from tests.stack import Stack, running_stack
from tests.traders.client import Refused, TraderClient

LIMIT_S = 60.0
SEEN_WITHIN_S = 1.0
LIVE_AGAIN_WITHIN_S = 10.0
ORDERS = 30
PRICE_OF_A_TRY = 20_000_000


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with postgresql(migrated=False) as url, running_stack(tmp_path, url) as running:
        yield running


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await condition():  # noqa: ASYNC110  other processes change it
            await asyncio.sleep(0.1)


async def has_sol(trader: TraderClient) -> bool:
    return await trader.free_lamports() > 0


async def trades(trader: TraderClient, token: str) -> bool:
    return bool((await trader.get(f"/tokens/{token}"))["stage"] == "curve")


async def insist(send: Callable[[], Awaitable[Any]]) -> Any:
    """Repeat a request until it is answered, as every client does: the id makes it one order."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                return await send()
            except (httpx.TransportError, Refused) as error:
                if isinstance(error, Refused) and error.status < 500 and error.code != "not_seen_yet":
                    raise
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def watching(http: aiohttp.ClientSession, stack: Stack, token: str) -> Any:
    """A market socket of a visitor in Europe that has its first snapshot of the token's trades."""
    headers = {"Origin": stack.url, "CF-IPContinent": "EU"}
    async with http.ws_connect(f"{stack.url}/ws/market", headers=headers) as socket:
        await socket.send_json({"method": "subscribe", "subscription": {"type": "trades", "token": token}})
        await socket.receive_json(timeout=LIMIT_S)
        yield socket


async def seen_after_s(socket: aiohttp.ClientWebSocketResponse, buy: Callable[[], Awaitable[Any]]) -> float:
    """How long after a buy was accepted its trade arrives on the socket."""
    await buy()
    accepted_s = time.monotonic()
    await socket.receive_json(timeout=LIMIT_S)
    return time.monotonic() - accepted_s


async def final_states(trader: TraderClient, ids: list[str]) -> set[str]:
    """The states of these orders once none of them waits."""
    states: set[str] = set()

    async def ended() -> bool:
        nonlocal states
        orders = [await insist(lambda i=each: trader.order(i)) for each in ids]
        states = {order["state"] for order in orders}
        return states <= {"confirmed", "rejected"}

    await until(ended)
    return states


@pytest.mark.slow
async def test_one_market_on_two_backends_of_which_one_dies(stack: Stack) -> None:
    american = TraderClient(stack.url, continent="NA")
    await american.sign_in()
    european = american.seen_from("EU")
    await american.faucet()
    await until(lambda: has_sol(european))
    token = await american.launch("Two sides", "SIDES")
    try:
        await until(lambda: trades(european, token))
        await trade_while_one_dies(stack, token, american, european)
    finally:
        await asyncio.gather(american.close(), european.close())
        await rabbit.delete(Topology(stack.prefix), [token])


async def trade_while_one_dies(stack: Stack, token: str, american: TraderClient, european: TraderClient) -> None:
    async with aiohttp.ClientSession() as http:
        async with watching(http, stack, token) as socket:
            delays_s = [await seen_after_s(socket, lambda: american.buy(token, PRICE_OF_A_TRY)) for _ in range(3)]
            assert max(delays_s) < SEEN_WITHIN_S, delays_s
            ids = [str(uuid.uuid4()) for _ in range(ORDERS)]
            sending = asyncio.gather(
                *(
                    insist(lambda t=trader, i=each: t.buy(token, PRICE_OF_A_TRY, client_order_id=i))
                    for each, trader in zip(ids, [american, european] * (ORDERS // 2), strict=True)
                )
            )
            await asyncio.to_thread(stack.kill, "eu")
            await asyncio.to_thread(stack.kill, "eu_stream")
            killed_s = time.monotonic()
            while not socket.closed:
                await socket.receive(timeout=LIMIT_S)
        async with watching(http, stack, token) as socket:
            await seen_after_s(socket, lambda: american.buy(token, PRICE_OF_A_TRY))
            assert time.monotonic() - killed_s < LIVE_AGAIN_WITHIN_S
        await sending
    assert await final_states(european, ids) == {"confirmed"}
    await asyncio.to_thread(stack.wait_for, "EU", "EU-BE-01", LIMIT_S)
