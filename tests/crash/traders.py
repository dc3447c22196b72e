"""Traders as the API's contract wants them: whoever does not know what became of an order asks again with its id."""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx

from engine.identifiers import AccountId, order_id
from tests.traders.client import Refused, TraderClient

ASK_AGAIN_S: Final = 0.1
LEAST_LAMPORTS, MOST_LAMPORTS = 10_000_000, 30_000_000
FAR_TOO_MUCH: Final = 10**15
"""A bound that no price meets."""


@dataclass(slots=True)
class Ordered:
    """An order. `accepted` once it was answered 202 or with its outcome; `may_exist` once an answer was lost."""

    order_id: str
    token: str
    accepted: bool = False
    may_exist: bool = False


class Trader:
    """One account's client that buys and sells until told to stop."""

    def __init__(self, url: str, seed: str) -> None:
        self._client = TraderClient(url)
        self._rng = random.Random(seed)
        self.orders: list[Ordered] = []

    async def enter(self) -> None:
        """Sign in and get rich."""
        await self._client.sign_in()
        await self._client.faucet()
        while await self._client.free_lamports() <= 0:  # noqa: ASYNC110  the deposit scan books it
            await asyncio.sleep(0.1)

    async def launch(self, number: int) -> str:
        """Launch a token; its address once it trades."""
        token = await self._client.launch(f"Crash {number}", f"CRASH{number}")
        while (await self._client.get(f"/tokens/{token}"))["stage"] != "curve":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return token

    async def trade(self, tokens: list[str], orders_per_s: float, stop: asyncio.Event) -> None:
        """Send orders, one after another, each until it is answered."""
        while not stop.is_set():
            await asyncio.sleep(self._rng.expovariate(orders_per_s))
            await self._send(self._rng.choice(tokens))

    async def _send(self, token: str) -> None:
        client_order_id = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        ordered = Ordered(order_id(AccountId(self._client.account_id), client_order_id), token)
        self.orders.append(ordered)
        send = await self._drawn(token, client_order_id)
        while True:
            try:
                await send()
            except httpx.TransportError:
                ordered.may_exist = True
            except Refused as refused:
                if refused.status < 500 and refused.status != 429:
                    return
                ordered.may_exist = ordered.may_exist or refused.status == 504
            else:
                ordered.accepted = True
                return
            await asyncio.sleep(ASK_AGAIN_S)

    async def _drawn(self, token: str, client_order_id: str) -> Callable[[], Awaitable[object]]:
        """What sends the next order: the very same one, as often as it is called."""
        held, bound = await self._held(token), FAR_TOO_MUCH if self._rng.random() < 0.05 else 1
        if held and self._rng.random() < 0.4:
            tokens = max(1, held // self._rng.randint(1, 4))
            return partial(self._client.sell, token, tokens, bound, client_order_id)
        lamports = self._rng.randint(LEAST_LAMPORTS, MOST_LAMPORTS)
        return partial(self._client.buy, token, lamports, bound, client_order_id)

    async def _held(self, token: str) -> int:
        """What is held of the token, 0 where nobody can tell."""
        try:
            return (await self._client.holdings()).get(token, 0)
        except (Refused, httpx.TransportError):
            return 0

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.close()
