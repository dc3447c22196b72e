"""kill -9 of the app and of the chain in the middle of 500 orders: nothing lost, nothing doubled, nothing amiss."""

import asyncio
import contextlib
import random
import uuid
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solders.pubkey import Pubkey

from engine.bootstrap import open_services
from engine.settings import load
from tests.app import App, running_app
from tests.localnet import Localnet, running_localnet
from tests.settling import differences
from tests.traders.client import Refused, TraderClient

ORDERS = 500
TRADERS = 4
TOKENS = 2
KILLS_AT = (150, 330)
CHAIN_KILL_AT = 240
LIMIT_S = 240
FAST = {"BLITZ_REQUESTS_PER_S": "100000"}


class Drill:
    """The orders under way; every answer may be lost, every request is sent again with its own id."""

    def __init__(self, traders: list[TraderClient], tokens: list[str], seed: int) -> None:
        self._traders = traders
        self._tokens = tokens
        self._random = random.Random(seed)
        self.accepted: dict[str, TraderClient] = {}

    async def trade(self, trader: TraderClient, count: int) -> None:
        """Send `count` orders one after another, most of them buys."""
        for _ in range(count):
            token, client_order_id = self._random.choice(self._tokens), str(uuid.uuid4())
            is_buy = self._random.random() < 0.7
            send = trader.buy if is_buy else trader.sell
            amount = self._random.randint(10_000_000, 40_000_000) if is_buy else self._random.randint(10**6, 10**8)
            with contextlib.suppress(_RefusedForGood):
                await _insist(lambda s=send, t=token, a=amount, i=client_order_id: s(t, a, 1, i))
                self.accepted[client_order_id] = trader

    async def states(self) -> Counter[str]:
        """How many accepted orders are in each state."""
        found: Counter[str] = Counter()
        for client_order_id, trader in self.accepted.items():
            order = await _insist(lambda t=trader, i=client_order_id: t.order(i))
            found[order["state"]] += 1
        return found


class _RefusedForGood(Exception):
    """The API saw at once that the order cannot be filled; its id stays unused."""


async def _insist(send: Any) -> Any:
    """Repeat a request through crashes until it is answered."""
    while True:
        try:
            return await send()
        except httpx.TransportError:
            await asyncio.sleep(0.1)
        except Refused as refusal:
            if refusal.status < 500 and refusal.code not in ("not_seen_yet", "too_many_requests"):
                raise _RefusedForGood(str(refusal)) from refusal
            await asyncio.sleep(0.1)


async def _open_market(traders: list[TraderClient]) -> list[str]:
    """Sign everybody in, fund them, and launch the tokens."""
    for trader in traders:
        await trader.sign_in()
        await trader.faucet()
    for trader in traders:
        await _until(lambda t=trader: _has_sol(t))
    tokens = [await traders[0].launch(f"Drill {number}", f"DRILL{number}") for number in range(TOKENS)]
    for token in tokens:
        await _until(lambda a=token: _is_tradable(traders[0], a))
    return tokens


async def _has_sol(trader: TraderClient) -> bool:
    return await trader.free_lamports() > 0


async def _is_tradable(trader: TraderClient, token: str) -> bool:
    return bool((await trader.get(f"/tokens/{token}"))["stage"] == "curve")


async def _until(condition: Any) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await condition():  # noqa: ASYNC110  other processes change it
            await asyncio.sleep(0.1)


async def _when_accepted(drill: Drill, count: int, act: Any) -> None:
    """Do something violent, in a thread, once so many orders were accepted."""
    while len(drill.accepted) < count:  # noqa: ASYNC110  other tasks fill it
        await asyncio.sleep(0.005)
    await asyncio.to_thread(act)


def _crash(app: App) -> None:
    app.kill()
    app.start()


async def _memo_counts(chain: Localnet, vaults: list[str]) -> Counter[str]:
    """How often each settlement's memo stands on the chain, by its id."""
    counts: Counter[str] = Counter()
    async with AsyncClient(chain.rpc_url, commitment=Confirmed) as client:
        for vault in vaults:
            found = (await client.get_signatures_for_address(Pubkey.from_string(vault), limit=1000)).value
            counts.update(each.memo.split("bh1:")[1] for each in found if each.err is None and each.memo)
    return counts


async def _run(app: App, chain: Localnet, seed: int) -> Drill:
    """Trade through the kills until every accepted order is confirmed or rejected."""
    async with AsyncExitStack() as stack:
        traders = [TraderClient(app.url) for _ in range(TRADERS)]
        for trader in traders:
            stack.push_async_callback(trader.close)
        drill = Drill(traders, await _open_market(traders), seed)
        async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
            for count in KILLS_AT:
                group.create_task(_when_accepted(drill, count, lambda: _crash(app)))
            group.create_task(_when_accepted(drill, CHAIN_KILL_AT, chain.restart))
            while len(drill.accepted) < ORDERS:
                left = ORDERS - len(drill.accepted)
                await asyncio.gather(*(drill.trade(trader, -(-left // TRADERS)) for trader in traders))
        await _until(lambda: _nothing_waits(drill))
        states = await drill.states()
        assert set(states) <= {"confirmed", "rejected"}
        assert states["confirmed"] > ORDERS / 2
        return drill


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
async def test_five_hundred_orders_survive_kills_of_app_and_chain(tmp_path: Path, seed: int) -> None:
    with running_localnet(tmp_path / "localnet") as chain, running_app(tmp_path, chain, FAST) as app:
        drill = await _run(app, chain, seed)
        app.stop()

        async with open_services(load(app.environment)) as services:
            with services.database.snapshot() as connection:
                rows = connection.exec_driver_sql("select order_id, client_order_id, state from orders").all()
                unsettled = connection.exec_driver_sql(
                    "select count(*) from settlements where state <> 'confirmed' and state <> 'finalized'"
                ).scalar_one()
                vaults = list(connection.exec_driver_sql("select vault from tokens").scalars())
            assert sorted(row.client_order_id for row in rows) == sorted(drill.accepted)
            assert unsettled == 0
            memos = await _memo_counts(chain, vaults)
            filled = {row.order_id for row in rows if row.state == "filled"}
            assert {memo: count for memo, count in memos.items() if memo in filled} == dict.fromkeys(filled, 1)
            assert await differences(services) == []


async def _nothing_waits(drill: Drill) -> bool:
    states = await drill.states()
    return states["queued"] == states["filled"] == 0
