"""Candles read from the database, by page and for a hub, equal those of the whole tape, for any tape and interval."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.indicators.candles import Candle, Interval, fold
from engine.persistence import candles, market
from engine.persistence.database import Connection, Database
from tests.databases import postgresql
from tests.fakes import migrated_database
from tests.market_data import ticks_of, trade_values, write_token, write_trades

SHORT_MS, LONG_MS = st.integers(0, 20_000), st.integers(0, 20 * 3_600_000)
STEPS = st.lists(st.tuples(SHORT_MS | LONG_MS, st.integers(0, 10**18), st.integers(1, 10**15)), max_size=60)
START_MS = 1_700_000_000_000
NUMBERS = count(1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    if request.param == "postgresql":
        with postgresql() as url:
            database = Database(url)
            yield database
            database.close()
    else:
        database = Database(f"sqlite:///{migrated_database(tmp_path_factory.mktemp('candles'))}")
        yield database
        database.close()


def rows_of(token: str, steps: list[tuple[int, int, int]]) -> list[dict[str, Any]]:
    rows, at_ms = [], START_MS
    for seq, (delay_ms, price, lamports) in enumerate(steps, start=1):
        at_ms += delay_ms
        rows.append(trade_values(token, seq, price=price, lamports=lamports, executed_at_ms=at_ms))
    return rows


def whole_history(connection: Connection, token: str, interval: Interval, limit: int) -> list[Candle]:
    """Every page from the newest to the oldest, put together."""
    history: list[Candle] = []
    before_ms: int | None = None
    while True:
        page = candles.page(connection, token, interval, limit, before_ms)
        assert len(page.candles) <= limit
        history = page.candles + history
        if page.before_ms is None:
            return history
        assert page.candles, "a cursor that leads nowhere"
        before_ms = page.before_ms


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(1, 7), st.integers(2, 9))
def test_pages_and_a_hubs_snapshot_tell_what_the_tape_tells(
    database: Database, steps: list[tuple[int, int, int]], limit: int, read: int
) -> None:
    with database.transaction() as connection:
        token = write_token(connection, number=next(NUMBERS))
        rows = rows_of(token, steps)
        if rows:
            write_trades(connection, rows)
    with database.snapshot() as connection:
        found = market.newest(connection, token, read)
        assert found is not None
        newest = candles.newest(connection, token, found[2], len(found[2]) < read, 3)
        for interval in Interval:
            truth = fold(ticks_of(rows), interval.ms)
            assert whole_history(connection, token, interval, limit) == truth
            known = newest[interval]
            assert truth[len(truth) - len(known) :] == known
            assert bool(known) == bool(truth)
            assert len(known) == min(3, len(truth)) or interval in (Interval.S1, Interval.S15)
