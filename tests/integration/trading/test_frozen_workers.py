"""A trade worker frozen at each point of its batch, on real servers: replaced in time, and harmless when it wakes."""

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from engine.persistence.database import Database
from tests import rabbit
from tests.databases import postgresql
from tests.fleet import LIMIT_S, Market
from tests.ledger import check, token

POINTS = ("delivered", "locked", "committed")
TOKENS, ROUNDS = 3, 20
REPLACED_WITHIN_S = 15.0


@pytest.fixture
def places() -> Iterator[dict[str, tuple[str, str]]]:
    """A database and a prefix on the broker for each point, so that all can be tried side by side."""
    with ExitStack() as stack:
        tokens = [token(number) for number in range(TOKENS)]
        yield {
            point: (stack.enter_context(postgresql()), stack.enter_context(rabbit.own_prefix(tokens)))
            for point in POINTS
        }


async def says(process: Process, line: bytes) -> None:
    """Wait for the child to say that."""
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        assert await process.stdout.readline() == line


@asynccontextmanager
async def child(url: str, prefix: str, point: str) -> AsyncIterator[Process]:
    module = "tests.integration.trading.freezing_child"
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, url, prefix, point, stdout=PIPE)
    try:
        await says(process, b"begins\n")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def replaced_after_s(market: Market, url: str, point: str) -> float:
    """Freeze a worker there, wait until another one has done all its work, wake it and let both go on together."""
    await market.publish(ROUNDS)
    async with child(url, market.prefix, point) as frozen:
        await says(frozen, b"frozen\n")
        async with child(url, market.prefix, "never"):
            both_there_s = time.monotonic()
            await market.all_final()
            elapsed_s = time.monotonic() - both_there_s
            await market.publish(ROUNDS)
            frozen.send_signal(signal.SIGCONT)
            await market.publish(ROUNDS)
            await market.all_final()
        await market.publish(ROUNDS)  # the woken one alone
        await market.all_final()
        assert frozen.returncode is None, "it goes on working"
    return elapsed_s


@pytest.mark.slow
async def test_a_worker_frozen_at_any_point_is_replaced_in_time_and_does_no_harm_when_it_wakes(
    places: dict[str, tuple[str, str]],
) -> None:
    databases = {point: Database(url) for point, (url, _) in places.items()}
    markets = {point: Market(databases[point], prefix, TOKENS) for point, (_, prefix) in places.items()}
    for market in markets.values():
        await market.declare()  # one after the other: the server makes quorum queues slowly
    try:
        elapsed_s = await asyncio.gather(
            *(replaced_after_s(market, places[point][0], point) for point, market in markets.items())
        )
        for point, market in markets.items():
            market.check_order()
            check(databases[point])
        assert max(elapsed_s) < REPLACED_WITHIN_S, dict(zip(POINTS, elapsed_s, strict=True))
    finally:
        for market in markets.values():
            await market.broker.close()
        for database in databases.values():
            database.close()
