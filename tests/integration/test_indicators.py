"""The indicators worker over real databases: exact, live, the same after a restart, and recomputable from trades."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from sqlalchemy import insert, select, update

from engine.adapters.bus_memory import MemoryBus, MemoryCache
from engine.indicators.rolling import DAY_MS, WINDOWS_MS
from engine.persistence import market, ranking
from engine.persistence.database import Database
from engine.persistence.indicators import FIGURES
from engine.persistence.tables import BalanceRow, TokenRow, TradeRow
from engine.trading.events import BOARD
from engine.trading.orders import Side
from engine.trading.token_cache import TokenCache, WriteThroughBus
from engine.trading.worker import TradeWorker
from tests.databases import KINDS, database_of
from tests.fakes import FakeBroker, FakeClock, migrated_database
from tests.ledger import ONE_SOL, RENT, account, fund, list_tokens, make_order, token
from tests.market_data import trade_values
from workers.meter import SWEEP_MS, Meter

MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("migrated"))


class Platform:
    """Accounts, tokens, a trade worker, and what an indicators worker needs."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock = database, FakeClock()
        self.cache = MemoryCache(self.clock)
        self.bus = WriteThroughBus(MemoryBus(), self.cache)
        self.worker = TradeWorker(database, FakeBroker(), self.bus, self.clock, RENT)
        self._number = 0
        with database.transaction() as connection:
            fund(connection, range(4), 100 * ONE_SOL)
            list_tokens(connection, range(3), creator=account(0))

    def trade(self, which: int = 0, who: int = 0, side: Side = Side.BUY, amount: int = ONE_SOL // 10) -> None:
        """Commit one trade, as the trade worker does, and say so."""
        self._number += 1
        deadline_ms = self.clock.now_ms() + MINUTE_MS
        order = make_order(side, amount, number=self._number, who=who, on=token(which), deadline_ms=deadline_ms)
        with self.database.transaction() as connection:
            self.bus.publish(self.worker.execute([order], False, connection))

    async def meter(self) -> Meter:
        """A worker that has just started."""
        meter = Meter(SimpleNamespace(database=self.database, clock=self.clock, bus=self.bus))  # type: ignore[arg-type]
        await meter.start()
        await meter.refresh()
        return meter

    def written(self) -> dict[str, dict[str, int]]:
        """The figures in the tokens' rows."""
        with self.database.snapshot() as connection:
            rows = connection.execute(select(TokenRow.__table__)).mappings().all()
        return {row["address"]: {name: row[name] for name in FIGURES} for row in rows if row["last_trade_at_ms"]}

    def recomputed(self) -> dict[str, dict[str, int]]:
        """The same, from the trades alone."""
        now_ms = self.clock.now_ms()
        with self.database.snapshot() as connection:
            trades = connection.execute(select(TradeRow.__table__).order_by(TradeRow.seq)).mappings().all()
            tokens = connection.execute(select(TokenRow.__table__)).mappings().all()
        return {
            row["address"]: _figures_of([each for each in trades if each["token"] == row["address"]], row, now_ms)
            for row in tokens
            if row["last_trade_at_ms"]
        }


def _figures_of(trades: list[Any], row: Any, now_ms: int) -> dict[str, int]:
    day = [each for each in trades if each["executed_at_ms"] > now_ms - DAY_MS]
    held: Counter[str] = Counter()
    for each in trades:
        held[each["account_id"]] += each["tokens"] if each["side"] == "buy" else -each["tokens"]

    def price_before(at_ms: int) -> int:
        return next((each["price"] for each in reversed(trades) if each["executed_at_ms"] <= at_ms), 0)

    return {
        "volume_24h_lamports": sum(each["lamports"] for each in day),
        "traders_24h": len({each["account_id"] for each in day}),
        **{f"price_{name}_ago": price_before(now_ms - length_ms) for name, length_ms in WINDOWS_MS.items()},
        "top_ten_bps": sum(sorted(held.values())[-10:]) * 10_000 // row["total_supply"],
        "creator_bps": held[row["creator"]] * 10_000 // row["total_supply"],
    }


@pytest.fixture(params=KINDS)
def platform(request: pytest.FixtureRequest, tmp_path: Path, migrated: Path) -> Iterator[Platform]:
    with database_of(request.param, request, tmp_path) as database:
        yield Platform(database)


async def test_what_is_written_equals_what_the_trades_say_at_every_moment(platform: Platform) -> None:
    meter = await platform.meter()
    assert platform.written() == {}
    for step in range(12):
        platform.trade(which=step % 2, who=step % 4)
        if step % 3 == 2:
            platform.trade(which=step % 2, who=step % 4, side=Side.SELL, amount=1_000_000)
        platform.clock.advance((1_000, 4 * MINUTE_MS, 3 * 3_600_000)[step % 3])
        await meter.refresh()
        assert platform.written() == platform.recomputed()
    assert any(figures["price_6h_ago"] for figures in platform.written().values())
    platform.clock.advance(DAY_MS)
    await meter.refresh()
    quiet = platform.written()
    assert quiet == platform.recomputed()
    assert {figures["volume_24h_lamports"] for figures in quiet.values()} == {0}


async def test_a_trade_leaves_the_volume_to_the_millisecond(platform: Platform) -> None:
    platform.trade()
    platform.clock.advance(DAY_MS - 1)
    meter = await platform.meter()
    assert platform.written()[token(0)]["volume_24h_lamports"] > 0
    platform.clock.advance(1)
    await meter.refresh()
    assert platform.written()[token(0)]["volume_24h_lamports"] == 0


async def test_a_worker_that_starts_anew_comes_to_the_same_figures(platform: Platform) -> None:
    for who in range(3):
        platform.trade(who=who)
        platform.clock.advance(7 * 3_600_000)
    platform.trade(which=1)
    with platform.database.transaction() as connection:
        connection.execute(update(TokenRow).values(seq=TokenRow.seq + 2))  # movements that are no trades
    platform.trade()
    platform.clock.advance(11 * 3_600_000)
    await platform.meter()
    assert platform.written() == platform.recomputed()
    platform.clock.advance(DAY_MS)
    with platform.database.transaction() as connection:
        connection.execute(update(TokenRow).values(dict.fromkeys(FIGURES, 77)))
    await platform.meter()
    assert platform.written() == platform.recomputed()


async def test_a_commit_that_comes_late_is_counted_and_what_the_bus_loses_does_not_matter(platform: Platform) -> None:
    platform.trade()
    meter = await platform.meter()
    late_ms = platform.clock.now_ms()
    platform.clock.advance(SWEEP_MS)
    late = trade_values(token(0), 2, executed_at_ms=late_ms, account_id=account(3), side="sell", tokens=0)
    with platform.database.transaction() as connection:
        connection.execute(insert(TradeRow), [late])
        connection.execute(
            update(TokenRow).where(TokenRow.address == token(0)).values(seq=2, updated_at_ms=late_ms - SWEEP_MS)
        )
    await meter.refresh()
    assert platform.written()[token(0)] == platform.recomputed()[token(0)]
    assert platform.written()[token(0)]["traders_24h"] == 2


async def test_the_ten_largest_are_ten(platform: Platform) -> None:
    with platform.database.transaction() as connection:
        fund(connection, range(4, 13))
    for who in range(13):
        platform.trade(who=who, amount=ONE_SOL // 10 * (who + 1))
    await platform.meter()
    assert platform.written() == platform.recomputed()
    assert platform.written()[token(0)]["creator_bps"] > 0


async def test_shares_follow_tokens_that_leave_without_a_trade(platform: Platform) -> None:
    platform.trade(who=0)
    meter = await platform.meter()
    assert platform.written()[token(0)]["creator_bps"] == platform.written()[token(0)]["top_ten_bps"] > 0
    with platform.database.transaction() as connection:
        connection.execute(update(BalanceRow).where(BalanceRow.asset == token(0)).values(amount=0))
    platform.clock.advance(SWEEP_MS)
    await meter.refresh()
    assert platform.written()[token(0)]["creator_bps"] == platform.written()[token(0)]["top_ten_bps"] == 0


async def test_figures_reach_the_cache_and_everybody_who_listens(platform: Platform) -> None:
    heard = await platform.bus.subscribe(BOARD)
    platform.trade()
    tokens = TokenCache(platform.database, platform.cache, platform.clock)
    before = await tokens.token(token(0))
    assert before is not None
    assert before["volume_24h_lamports"] == "0"
    await platform.meter()
    statements = platform.database.statements
    after = await tokens.token(token(0))
    assert platform.database.statements == statements
    with platform.database.snapshot() as connection:
        assert after == market.token(connection, token(0))
    assert after["volume_24h_lamports"] != "0"
    kinds = []
    async with asyncio.timeout(10):
        async for message in heard:
            kinds.append(orjson.loads(message.payload)["type"])
            if kinds[-1] == "ranked":
                break
    assert kinds == ["headline", "indicators", "ranked"]


async def test_the_ranking_is_the_workers_and_hidden_tokens_are_not_in_it(platform: Platform) -> None:
    for who in range(3):
        platform.trade(which=1, who=who)
    platform.trade(which=0, amount=ONE_SOL)
    meter = await platform.meter()
    with platform.database.snapshot() as connection:
        found = ranking.trending(connection, 5)
    assert [each["address"] for each in found["5m"]] == [token(1), token(0)]
    platform.clock.advance(WINDOWS_MS["5m"])
    platform.trade(which=2)
    await meter.refresh()
    with platform.database.transaction() as connection:
        connection.execute(update(TokenRow).where(TokenRow.address == token(1)).values(hidden=1))
        found = ranking.trending(connection, 5, "5m", "1h")
    assert {name: [each["address"] for each in ranked] for name, ranked in found.items()} == {
        "5m": [token(2)],
        "1h": [token(0), token(2)],
    }


async def test_many_tokens_cost_no_more_statements_than_one(platform: Platform) -> None:
    meter = await platform.meter()
    counts = []
    for tokens in ([0], [0, 1, 2]):
        for which in tokens:
            platform.trade(which=which)
        before = platform.database.statements
        await meter.refresh()
        counts.append(platform.database.statements - before)
    assert counts[0] == counts[1] <= 9
    before = platform.database.statements
    await meter.refresh()
    assert platform.database.statements - before <= 2, "nothing happened"
