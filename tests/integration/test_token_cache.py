"""A token's answer from the cache, in memory and over Redis: current after every trade, and without a query."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.bus_memory import MemoryBus, MemoryCache
from engine.identifiers import TokenAddress
from engine.live import DatabaseSource, Hub
from engine.live.connection import Limits
from engine.persistence import market
from engine.persistence.database import Database
from engine.ports import Cache
from engine.trading import events
from engine.trading.orders import Side
from engine.trading.token_cache import SOFT_TTL_MS, TTL_MS, TokenCache, WriteThroughBus, metrics_key
from engine.trading.worker import TradeWorker
from tests.contract.test_bus_redis import REDIS_URL, answers, parts
from tests.databases import copied
from tests.fakes import FakeBroker, FakeClock, migrated_database
from tests.ledger import ONE_SOL, RENT, fund, list_tokens, make_order, token
from tests.unit.live_parts import FakeSocket, subscribe, until


class Market:
    """A ledger with one token, its cache, and a worker that trades it."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self.database, self.cache, self.clock = database, cache, FakeClock()
        self.bus = WriteThroughBus(MemoryBus(), cache)
        self.tokens = TokenCache(database, cache, self.clock)
        self._worker = TradeWorker(database, FakeBroker(), self.bus, self.clock, RENT)
        self._numbers = iter(range(10_000))

    def trade(self) -> None:
        """Buy for half a SOL, commit, publish."""
        with self.database.transaction() as connection:
            order = make_order(Side.BUY, ONE_SOL // 2, number=next(self._numbers))
            messages = self._worker.execute([order], False, connection)
        self.bus.publish(messages)

    def truth(self) -> dict[str, Any]:
        """What the database says."""
        with self.database.snapshot() as connection:
            found = market.token(connection, token(0))
        assert found is not None
        return found

    async def seen(self, address: TokenAddress | None = None) -> tuple[dict[str, Any] | None, int]:
        """What a visitor sees, and how many statements that cost."""
        before = self.database.statements
        found = await self.tokens.token(address or token(0))
        return found, self.database.statements - before


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(params=["memory", "redis"])
async def traded(request: pytest.FixtureRequest, tmp_path: Path, migrated: Path) -> AsyncIterator[Market]:
    with copied(migrated, tmp_path / "ledger.db") as database:
        with database.transaction() as connection:
            fund(connection, [0])
            list_tokens(connection, range(2))
        if request.param == "memory":
            yield Market(database, MemoryCache(FakeClock()))
            return
        if not await answers(REDIS_URL):
            pytest.skip("no Redis answers at BLITZ_TEST_REDIS_URL")
        async with parts(REDIS_URL) as redis:
            yield Market(database, redis.cache)


async def arrived(traded: Market) -> None:
    """Wait until the figures of the last trade are in the cache: they are put there in the background."""
    seq = b'"seq":%d,' % traded.truth()["seq"]
    async with asyncio.timeout(30):
        while seq not in (await traded.cache.get(metrics_key(token(0))) or b""):  # noqa: ASYNC110  Redis rings no event
            await asyncio.sleep(0.005)


async def test_a_second_view_costs_no_query(traded: Market) -> None:
    first, first_cost = await traded.seen()
    assert first == traded.truth()
    assert first_cost > 0
    assert await traded.seen() == (first, 0)


async def test_a_page_view_of_a_warm_token_costs_no_query(traded: Market) -> None:
    quiet = Limits(repair_ms=600_000)
    hub = Hub(DatabaseSource(traded.database), traded.bus, traded.clock, limits=quiet)
    await hub.start()

    async def viewed() -> int:
        """A page's answer and the snapshots of its live parts; how many statements they cost."""
        before = traded.database.statements
        assert (await traded.seen())[0] is not None
        socket = FakeSocket()
        connection = hub.connect(socket)
        for message in (
            subscribe("token", token(0)),
            subscribe("trades", token(0)),
            subscribe("candles", token(0), "1m"),
        ):
            connection.receive(message)
        await until(lambda: len(socket.frames) == 3)
        hub.disconnect(connection)
        return traded.database.statements - before

    try:
        assert await viewed() > 0
        assert [await viewed() for _ in range(3)] == [0, 0, 0]
    finally:
        await hub.close()


async def test_after_a_trade_the_kept_answer_has_its_figures_without_a_query(traded: Market) -> None:
    await traded.seen()
    for _ in range(3):
        traded.trade()
        await arrived(traded)
        assert await traded.seen() == (traded.truth(), 0)


async def test_a_thousand_visitors_of_a_cold_token_cost_one_read(traded: Market) -> None:
    alone = (await traded.seen())[1]
    await traded.cache.set(f"token:{token(0)}", b"", TTL_MS)
    before = traded.database.statements
    answers = await asyncio.gather(*(traded.tokens.token(token(0)) for _ in range(1_000)))
    assert all(answer == traded.truth() for answer in answers[:3])
    assert len({str(answer) for answer in answers}) == 1
    assert traded.database.statements - before <= 2 * alone + 6, "one read, and `truth` above"


async def test_an_old_answer_is_given_at_once_while_one_reader_fetches_the_new_one(traded: Market) -> None:
    old, _ = await traded.seen()
    with traded.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE tokens SET volume_24h_lamports = 77")
    assert (await traded.seen())[0] == old
    traded.clock.advance(SOFT_TTL_MS)
    before = traded.database.statements
    answers = await asyncio.gather(*(traded.tokens.token(token(0)) for _ in range(50)))
    assert answers[0] == old
    assert traded.database.statements - before < 10, "one read for all of them, or two"
    async with asyncio.timeout(30):
        while (await traded.seen())[0] != traded.truth():  # noqa: ASYNC110  Redis rings no event
            await asyncio.sleep(0.005)


async def test_a_changed_stage_is_seen_at_once(traded: Market) -> None:
    await traded.seen()
    with traded.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE tokens SET paused = 1")
    with traded.database.snapshot() as connection:
        [row] = connection.exec_driver_sql("SELECT * FROM tokens WHERE decimals = 6 LIMIT 1").mappings()
    traded.bus.publish([events.stage_changed(row)])
    async with asyncio.timeout(30):
        while not ((await traded.seen(row["address"]))[0] or {})["paused"]:  # noqa: ASYNC110  Redis rings no event
            await asyncio.sleep(0.005)


async def test_a_launch_is_read_every_time_and_an_unknown_token_is_none(traded: Market) -> None:
    with traded.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE tokens SET stage = 'launching'")
    for _ in range(2):
        found, cost = await traded.seen()
        assert found == traded.truth()
        assert cost > 0
    assert (await traded.seen(token(9)))[0] is None


async def test_a_read_that_fails_is_the_visitors_error_and_the_next_one_reads_again(traded: Market) -> None:
    real = traded.database.read

    async def failing(work: Any) -> Any:
        raise OSError("away")

    traded.database.read = failing  # type: ignore[method-assign]
    with pytest.raises(OSError, match="away"):
        await traded.seen()
    traded.database.read = real  # type: ignore[method-assign]
    assert (await traded.seen())[0] == traded.truth()
