"""The drills in short, one platform for all; the long ones are `make crash`, `freezes`, `outages` and `storms`."""

import random
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.app import needs_frontend
from tests.crash import drills
from tests.crash.market import Market, opened_market
from tests.crash.platform import Platform, running_platform

SEED = 1
STORM_S = 8.0

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    needs_frontend()
    with running_platform(tmp_path_factory.mktemp("crash")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(platform: Platform) -> AsyncIterator[Market]:
    async with opened_market(platform, str(SEED)) as market:
        yield market


@pytest_asyncio.fixture(loop_scope="module")
async def market(opened: Market) -> AsyncIterator[Market]:
    """Traders trade until the test ends; then nothing is lost and nothing doubled."""
    before = len(opened.accepted)
    async with opened.trading():
        yield opened
    await opened.settled(opened.accepted)
    verdict = await opened.verdict()
    assert verdict.is_good, verdict
    assert verdict.accepted > before


async def test_a_process_that_kills_itself_at_any_point_is_back_by_itself(market: Market) -> None:
    for strikes in drills.plan(SEED):
        await drills.kill(market, strikes)


async def test_a_worker_that_freezes_anywhere_is_replaced_and_does_no_harm_when_it_wakes(market: Market) -> None:
    await drills.freeze(market, random.Random(SEED))


@pytest.mark.parametrize("name", ["rabbitmq", "postgresql", "redis", "localnet", "sign"])
async def test_a_server_that_is_killed_under_load_takes_nothing_with_it(market: Market, name: str) -> None:
    await drills.kill_server(market, name, random.Random(SEED))


async def test_bytes_late_torn_or_lost_on_every_line_do_no_harm(market: Market) -> None:
    await drills.bad_weather(market, SEED, STORM_S)
    struck = {fault for line in market.platform.lines.values() for fault in line.struck}
    assert {"late", "reset", "torn"} <= struck
