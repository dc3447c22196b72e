"""`python -m tests.traders`: a few simulated traders that keep a local market moving until they are stopped."""

import argparse
import asyncio
import contextlib
import logging
import os
import random
import sys

import httpx

from tests.traders.client import Refused, TraderClient
from tests.traders.pictures import picture

log = logging.getLogger("traders")

TOKENS = [
    ("Voltage Cat", "VOLT"),
    ("Night Train", "NIGHT"),
    ("Paper Moon", "MOON"),
    ("Deep Field", "FIELD"),
    ("Copper Fox", "FOX"),
    ("Glass Harbor", "GLASS"),
]
AT_ONCE = 3
LAUNCH_EVERY_S = 45.0
FUNDED_WITHIN_S = 30.0
FIRST_BUY_LAMPORTS = 1_000_000_000
MIN_LAMPORTS, MAX_LAMPORTS = 20_000_000, 1_500_000_000
SELL_PERCENTS = (10, 20, 20, 35, 50, 100)
TOP_UP_BELOW_LAMPORTS = 1_000_000_000


class Trader:
    """One simulated trader: buys what moves, sells in parts, tops up at the faucet."""

    def __init__(self, url: str, seed: int, pause_s: float) -> None:
        self._client = TraderClient(url, simulated=True)
        self._random = random.Random(seed)
        self._pause_s = pause_s

    async def run(self, launch: tuple[str, str] | None, after_s: float) -> None:
        """Sign in, launch a token after a while, then trade for ever."""
        await self._client.sign_in()
        await self._fund()
        if launch is not None:
            await asyncio.sleep(after_s)
            await self._launch(*launch)
        while True:
            await asyncio.sleep(self._random.expovariate(1 / self._pause_s))
            try:
                await self._trade()
            except Refused as refusal:
                log.info("refused: %s", refusal)
                await asyncio.sleep(refusal.retry_after_s)

    async def _launch(self, name: str, symbol: str) -> None:
        image = await self._client.upload(picture(symbol))
        address = await self._client.launch(name, symbol, first_buy_lamports=FIRST_BUY_LAMPORTS, image=image)
        log.info("launched %s: %s", symbol, address)

    async def _fund(self) -> None:
        """Ask the faucet and wait until the deposit is booked."""
        before = await self._client.free_lamports()
        await self._client.faucet()
        async with asyncio.timeout(FUNDED_WITHIN_S):
            while await self._client.free_lamports() <= before:  # noqa: ASYNC110  another process changes it
                await asyncio.sleep(0.5)

    async def _trade(self) -> None:
        holdings = await self._client.holdings()
        if holdings and self._random.random() < 0.4:
            token, held = self._random.choice(list(holdings.items()))
            amount = max(1, held * self._random.choice(SELL_PERCENTS) // 100)
            quote = await self._client.quote(token, "sell", amount, slippage_bps=300)
            await self._client.sell(token, amount, int(quote["minimum"]))
            return
        free_lamports = await self._client.free_lamports()
        if free_lamports < TOP_UP_BELOW_LAMPORTS:
            await self._fund()
            return
        tokens = (await self._client.get("/tokens", column="new", limit=20))["tokens"]
        if not tokens:
            return
        token = self._random.choice(tokens)["address"]
        wanted = int(self._random.lognormvariate(18.6, 0.9))
        lamports = min(max(wanted, MIN_LAMPORTS), MAX_LAMPORTS, free_lamports // 2)
        quote = await self._client.quote(token, "buy", lamports, slippage_bps=300)
        await self._client.buy(token, lamports, int(quote["minimum"]))


async def wait_for_app(url: str) -> None:
    """Return once the app answers."""
    async with httpx.AsyncClient() as http:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(f"{url}/api/health/live")).is_success:
                    return
            await asyncio.sleep(0.5)


async def run(url: str, traders: int, orders_per_s: float, seed: int) -> None:
    """Run the traders against the app at `url` until cancelled."""
    await wait_for_app(url)
    everybody = [Trader(url, seed + number, traders / orders_per_s) for number in range(traders)]
    tokens = [] if await _market_exists(url) else TOKENS
    async with asyncio.TaskGroup() as group:
        for number, trader in enumerate(everybody):
            launch = tokens[number] if number < len(tokens) else None
            group.create_task(trader.run(launch, max(0, number + 1 - AT_ONCE) * LAUNCH_EVERY_S))


async def _market_exists(url: str) -> bool:
    async with httpx.AsyncClient(base_url=url) as http:
        return bool((await http.get("/api/tokens", params={"column": "new"})).json()["tokens"])


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.traders", description=__doc__)
    parser.add_argument("--url", default=f"http://localhost:{os.environ.get('BLITZ_PORT') or 8600}")
    parser.add_argument("--traders", type=int, default=6, help="how many accounts trade")
    parser.add_argument("--orders-per-s", type=float, default=2.0, help="orders a second of all together")
    parser.add_argument("--seed", type=int, default=1, help="seed of every random choice")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(arguments.url, arguments.traders, arguments.orders_per_s, arguments.seed))


if __name__ == "__main__":
    main()
