"""A thousand concurrent orders around a curve's limit, and a SIGKILL at every step of the graduation they cause."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.bootstrap import open_services
from engine.settings import load
from tests import rabbit
from tests.databases import postgresql
from tests.integration.graduation.child import SETTLEMENT_POINTS, TRADE_POINTS
from tests.integration.graduation.crowd import (
    LIMIT_S,
    all_done,
    check_chain,
    check_graduation,
    gather_crowd,
    until,
)
from tests.localnet import Localnet, running_localnet

KILLS = [(), *zip(TRADE_POINTS, SETTLEMENT_POINTS, strict=True)]
"""At each point of the trade worker's path, and of the settlement's."""

CASES = (
    [(stack, kills) for stack in ("sqlite", "servers") for kills in KILLS]
    if os.environ.get("BLITZ_TEST_CROWD") == "all"
    else [("sqlite", KILLS[1]), ("servers", KILLS[3])]
)
"""`make crowd` takes all of them; every test run takes one of each stack."""

pytestmark = pytest.mark.slow


@dataclass
class Stack:
    """Where everything is, for this process and its children; `prefix` names the queues where RabbitMQ has them."""

    name: str
    environment: dict[str, str]
    prefix: str | None = None


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    with running_localnet(tmp_path_factory.mktemp("chain")) as node:
        yield node


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest, chain: Localnet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """SQLite with its own broker, or PostgreSQL and RabbitMQ; the chain is the same."""
    environment = {
        "BLITZ_DATA_DIR": str(tmp_path_factory.mktemp(request.param)),
        "BLITZ_SOLANA_RPC_URL": chain.rpc_url,
        "BLITZ_SOLANA_WS_URL": chain.ws_url,
        "BLITZ_DEPOSIT_SCAN_MS": "200",
    }
    if request.param == "sqlite":
        yield Stack(request.param, environment)
        return
    with postgresql(migrated=False) as url, rabbit.own_prefix([]) as prefix:
        servers = {"BLITZ_DATABASE_URL": url, "BLITZ_BROKER_URL": rabbit.URL, "BLITZ_BROKER_PREFIX": prefix}
        yield Stack(request.param, environment | servers, prefix)


@pytest.mark.parametrize(
    ("stack", "kills"),
    CASES,
    ids=lambda case: case if isinstance(case, str) else "-".join(case) or "unharmed",
    indirect=["stack"],
)
async def test_a_thousand_orders_around_the_limit_graduate_the_token_once_and_lose_nothing(
    stack: Stack, kills: tuple[str, ...]
) -> None:
    seed = CASES.index((stack.name, kills)) + 1
    settings = load(stack.environment)
    async with open_services(settings) as services:
        crowd = await gather_crowd(services, seed)
        orders = await crowd.orders(seed)
        await crowd.publish(orders)
    async with open_services(settings) as services:
        await work(stack, kills, lambda: all_done(services.database, orders, crowd.token))
        figures = check_graduation(services.database, crowd, orders)
        await check_chain(services)
    print(f"\n{kills or 'unharmed'}: {figures}")  # noqa: T201
    if stack.prefix is not None:
        await rabbit.delete_queue(stack.prefix, crowd.token)


async def work(stack: Stack, kills: tuple[str, ...], done: Callable[[], bool]) -> None:
    """Let workers die at each of these points, one after the other, and the last ones finish."""
    left = list(kills)
    while left:
        child = await start(stack, left)
        assert child.stdout is not None
        try:
            reached = (await asyncio.wait_for(child.stdout.readline(), LIMIT_S)).decode().strip()
        except TimeoutError:
            child.kill()
            raise
        assert await child.wait() == -signal.SIGKILL
        left.remove(reached)
    child = await start(stack, [])
    try:
        await until(done)
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), LIMIT_S) == 0


async def start(stack: Stack, points: list[str]) -> asyncio.subprocess.Process:
    """A process with both workers."""
    command = (sys.executable, "-m", "tests.integration.graduation.child", *points)
    root = Path(__file__).parents[3]
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=root, env=os.environ | stack.environment)
