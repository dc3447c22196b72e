"""Traders beside the browser: many accounts that trade one token through the front door, on a thread of their own."""

import asyncio
import itertools
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import httpx

from tests.traders.client import Refused, TraderClient

BUY_LAMPORTS: Final = 10_000_000
STAKE_BUYS: Final = 20
"""What each account holds from the beginning, as many buys' worth: so it can sell whenever it is its turn."""

LIMIT_S: Final = 60.0
PAUSE_S: Final = 0.1

T = TypeVar("T")


class Crowd:
    """Accounts on both continents, in turn; every method may be called where Playwright's own loop runs."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._traders: list[TraderClient] = []
        self._sell_tokens = 0
        self.accepted: list[tuple[TraderClient, str]] = []
        """The orders that were answered 202: whose, and the client order id."""

    def open(self, accounts: int) -> str:
        """Sign the accounts in, fund them, launch a token and buy a stake each; the token's address."""
        return self.do(self._open(accounts))

    def buy_in_america(self, token: str) -> None:
        """One buy that the American backend accepts."""
        self.do(self._traders[1].buy(token, BUY_LAMPORTS))

    @contextmanager
    def trading(self, token: str, orders_per_s: float) -> Iterator[None]:
        """So many orders a second while the block runs, after it all of them are accepted.

        Every account buys and sells in turn: the price stays where it is, and nobody else's limit is passed.
        """
        stop = threading.Event()
        running = asyncio.run_coroutine_threadsafe(self._run(token, 1 / orders_per_s, stop), self._loop)
        try:
            yield
        finally:
            stop.set()
            running.result(LIMIT_S)

    def states(self) -> set[str]:
        """The states of the accepted orders, once none of them waits."""
        return self.do(self._states())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something that runs on the crowd's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(LIMIT_S)

    async def _open(self, accounts: int) -> str:
        self._traders = [TraderClient(self._url, continent=("EU", "NA")[number % 2]) for number in range(accounts)]
        await asyncio.gather(*(self._fund(trader) for trader in self._traders))
        first = self._traders[0]
        token = await first.launch("Both sides", "BOTH")
        await _until(lambda: _trades(first, token))
        stakes = await asyncio.gather(*(self._stake(trader, token) for trader in self._traders))
        self._sell_tokens = min(stakes) // STAKE_BUYS
        return token

    async def _fund(self, trader: TraderClient) -> None:
        await trader.sign_in()
        await trader.faucet()
        await _until(trader.free_lamports)

    async def _stake(self, trader: TraderClient, token: str) -> int:
        await trader.buy(token, BUY_LAMPORTS * STAKE_BUYS)
        return (await _until(trader.holdings))[token]

    async def _run(self, token: str, pause_s: float, stop: threading.Event) -> None:
        sent: list[asyncio.Task[None]] = []
        next_s = time.monotonic()
        for buys in itertools.cycle((True, False)):
            for trader in self._traders:
                if stop.is_set():
                    await asyncio.gather(*sent)
                    return
                sent.append(asyncio.create_task(self._order(trader, token, buys)))
                next_s += pause_s
                await asyncio.sleep(max(0.0, next_s - time.monotonic()))

    async def _order(self, trader: TraderClient, token: str, buys: bool) -> None:
        """Repeat the order until it is accepted, as every client does: the id makes it one order."""
        client_order_id = str(uuid.uuid4())
        while True:
            try:
                if buys:
                    await trader.buy(token, BUY_LAMPORTS, client_order_id=client_order_id)
                else:
                    await trader.sell(token, self._sell_tokens, client_order_id=client_order_id)
            except (httpx.TransportError, Refused) as error:
                _raise_unless_passing(error)
                await asyncio.sleep(PAUSE_S)
            else:
                self.accepted.append((trader, client_order_id))
                return

    async def _states(self) -> set[str]:
        of_each = await asyncio.gather(*(self._states_of(trader) for trader in self._traders))
        return {state for states in of_each for state in states}

    async def _states_of(self, trader: TraderClient) -> list[str]:
        return [await self._state(trader, each) for owner, each in self.accepted if owner is trader]

    async def _state(self, trader: TraderClient, client_order_id: str) -> str:
        while True:
            try:
                if (state := str((await trader.order(client_order_id))["state"])) != "queued":
                    return state
            except (httpx.TransportError, Refused) as error:
                _raise_unless_passing(error)
            await asyncio.sleep(PAUSE_S)

    def close(self) -> None:
        """End the thread."""
        self.do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()

    async def _close(self) -> None:
        for trader in self._traders:
            await trader.close()


async def _trades(trader: TraderClient, token: str) -> bool:
    return bool((await trader.get(f"/tokens/{token}"))["stage"] == "curve")


async def _until(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the answer is something."""
    while not (answer := await ask()):  # noqa: ASYNC110  other processes change it
        await asyncio.sleep(PAUSE_S)
    return answer


def _raise_unless_passing(error: httpx.TransportError | Refused) -> None:
    """Let through what ends by itself: no answer, a backend that is away, too many requests, not seen yet."""
    if isinstance(error, Refused) and error.status < 500 and error.status != 429 and error.code != "not_seen_yet":
        raise error
