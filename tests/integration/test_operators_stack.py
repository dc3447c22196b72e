"""The engine room over the real servers: a killed worker, a held token's queue, a switch that both backends keep."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from solders.keypair import Keypair

from tests.databases import postgresql
from tests.stack import Stack, running_stack
from tests.traders.client import Refused, TraderClient

pytestmark = pytest.mark.slow

LIMIT_S: Final = 60.0
DEAD_WITHIN_S: Final = 10.0
SWITCHED_WITHIN_S: Final = 1.0
OPERATOR: Final = Keypair()
BUY_LAMPORTS: Final = 20_000_000
ORDERS: Final = 5


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory: Path = tmp_path_factory.mktemp("stack")
    with (
        postgresql(migrated=False) as url,
        running_stack(directory, url, BLITZ_OPERATORS=str(OPERATOR.pubkey())) as running,
    ):
        yield running


@pytest.fixture
async def operator(stack: Stack) -> AsyncIterator[TraderClient]:
    client = TraderClient(stack.url, OPERATOR, continent="EU")
    await client.sign_in()
    yield client
    await client.close()


@pytest.fixture
async def trader(stack: Stack) -> AsyncIterator[TraderClient]:
    client = TraderClient(stack.url, continent="NA")
    await client.sign_in()
    await client.faucet()
    async with asyncio.timeout(LIMIT_S):
        while await client.free_lamports() < 10**9:  # noqa: ASYNC110  nothing rings
            await asyncio.sleep(0.2)
    yield client
    await client.close()


async def listed(trader: TraderClient, symbol: str) -> str:
    token = await trader.launch(f"Test {symbol}", symbol)
    async with asyncio.timeout(LIMIT_S):
        while (await trader.get(f"/tokens/{token}"))["stage"] != "curve":  # noqa: ASYNC110  nothing rings
            await asyncio.sleep(0.2)
    return token


async def act(operator: TraderClient, action: str, target: str, typed: str) -> Any:
    body = {"action": action, "target": target, "reason": "a test of it", "typed": typed}
    return await operator.post("/admin/actions", body)


async def seen(operator: TraderClient, holds: Callable[[Any], Any], limit_s: float = LIMIT_S) -> Any:
    """The engine room once it shows that."""
    async with asyncio.timeout(limit_s):
        while not holds(shown := await operator.get("/admin/engine")):  # noqa: ASYNC110  nothing rings
            await asyncio.sleep(0.2)
    return shown


def of_kind(shown: Any, kind: str) -> list[Any]:
    return [each for each in shown["workers"] if each["runs"] == [kind]]


async def test_the_queue_of_a_held_token_grows_at_the_broker_and_drains(
    operator: TraderClient, trader: TraderClient
) -> None:
    token = await listed(trader, "HOLD")
    await act(operator, "hold_token", token, "HOLD")
    await asyncio.sleep(SWITCHED_WITHIN_S)
    ids = [(await trader.buy(token, BUY_LAMPORTS))["client_order_id"] for _ in range(ORDERS)]

    def waiting(shown: Any) -> int:
        return sum(each["orders"] for each in shown["queues"] if each["token"] == token)

    shown = await seen(operator, lambda shown: waiting(shown) == ORDERS)
    [queue] = [each for each in shown["queues"] if each["token"] == token]
    assert (queue["symbol"], queue["held"], queue["is_known"]) == ("HOLD", True, True)
    assert {(await trader.order(each))["state"] for each in ids} == {"queued"}
    await act(operator, "release_token", token, "HOLD")
    await seen(operator, lambda shown: waiting(shown) == 0)
    async with asyncio.timeout(LIMIT_S):
        for each in ids:
            while (await trader.order(each))["state"] not in ("filled", "confirmed"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def test_a_switch_holds_on_both_backends_within_a_second(operator: TraderClient, trader: TraderClient) -> None:
    token = await listed(trader, "STOP")
    await trader.buy(token, BUY_LAMPORTS)
    await act(operator, "pause_platform", "platform", "PAUSE")
    await asyncio.sleep(SWITCHED_WITHIN_S)
    elsewhere = trader.seen_from("EU")
    for backend in (trader, elsewhere):
        with pytest.raises(Refused) as refused:
            await backend.buy(token, BUY_LAMPORTS)
        assert refused.value.code == "paused"
    await act(operator, "resume_platform", "platform", "RESUME")
    for backend in (trader, elsewhere):
        assert (await backend.buy(token, BUY_LAMPORTS))["state"] == "queued"
    await elsewhere.close()


async def test_a_killed_worker_is_dead_within_ten_seconds(stack: Stack, operator: TraderClient) -> None:
    shown = await seen(operator, lambda shown: len(of_kind(shown, "trade")) == 2)
    assert {kind for each in shown["workers"] for kind in each["runs"]} >= {"web", "trade", "settle", "stream"}
    assert not [each for each in shown["workers"] if each["is_dead"]]
    living = {each["name"] for each in of_kind(shown, "trade")}
    killed_s = time.monotonic()
    stack.kill("trade1")
    shown = await seen(operator, lambda shown: any(each["is_dead"] for each in of_kind(shown, "trade")))
    assert time.monotonic() - killed_s < DEAD_WITHIN_S
    [dead] = [each for each in of_kind(shown, "trade") if each["is_dead"]]
    assert dead["name"] in living
