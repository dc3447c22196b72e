"""The market's read queries against a migrated SQLite database."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.indicators.candles import Interval
from engine.live import DatabaseSource
from engine.live.protocol import Kind, Topic
from engine.live.source import TAPE_LENGTH
from engine.live.token_feed import TokenFeed
from engine.persistence import candles, market
from engine.persistence.database import Connection, Database
from engine.persistence.market import Column
from engine.persistence.paging import InvalidCursor
from tests.market_data import address, trade_values, write_token, write_trades


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'market.db'}")
    database.migrate()
    yield database
    database.close()


def test_a_token_before_its_first_trade_has_no_price(database: Database) -> None:
    with database.transaction() as connection:
        token = write_token(connection, image="ab" * 32)
    with database.snapshot() as connection:
        found = market.token(connection, token)
    assert found is not None
    assert found["price"] is None
    assert found["last_trade_at_ms"] is None
    assert found["image"] == "/api/images/" + "ab" * 32
    assert found["raise_lamports"] == "80000000000"
    assert found["curve_supply"] == "400000000000"
    assert found["graduation_price"] == "400000000000"
    assert (found["simulated"], found["paused"]) == (False, False)


def test_an_unknown_token_is_none(database: Database) -> None:
    with database.snapshot() as connection:
        assert market.token(connection, "nobody") is None


def test_a_price_of_zero_after_everything_was_sold_is_still_a_price(database: Database) -> None:
    with database.transaction() as connection:
        token = write_token(connection, last_trade_at_ms=5, price=0)
    with database.snapshot() as connection:
        found = market.token(connection, token)
    assert found is not None
    assert found["price"] == "0"


def test_new_tokens_are_paged_newest_first_without_losing_equal_times(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(7):
            write_token(connection, number=number, created_at_ms=5_000 + number // 3)
        write_token(connection, number=8, stage="launching")
        write_token(connection, number=9, stage="failed")
        write_token(connection, number=10, stage="graduated")
    seen: list[str] = []
    cursor: str | None = None
    pages = 0
    with database.snapshot() as connection:
        while pages == 0 or cursor:
            page, cursor = market.tokens(connection, Column.NEW, 2, cursor)
            seen += [token["address"] for token in page]
            pages += 1
    assert seen == [address(number) for number in (6, 5, 4, 3, 2, 1, 0)]
    assert pages == 4


def test_graduating_tokens_are_those_with_half_their_sol_sorted_by_share_whatever_their_curve(
    database: Database,
) -> None:
    half = 282_842_712_475  # supply at which a linear curve has raised half of its SOL
    with database.transaction() as connection:
        write_token(connection, number=1, supply=half, reserve_lamports=40_000_000_000)
        write_token(connection, number=2, supply=half - 10**9, reserve_lamports=39_700_000_000)
        write_token(connection, number=3, supply=380_000_000_000, reserve_lamports=72_200_000_000)
        write_token(connection, number=4, n=0, supply=250_000_000_000, reserve_lamports=250_000)
        write_token(connection, number=5, supply=10**9, reserve_lamports=10**6)
        write_token(connection, number=6, stage="graduated", supply=400_000_000_000, reserve_lamports=80_000_000_000)
    with database.snapshot() as connection:
        whole, end = market.tokens(connection, Column.GRADUATING, 10)
        first, cursor = market.tokens(connection, Column.GRADUATING, 2)
        second, last = market.tokens(connection, Column.GRADUATING, 2, cursor)
    assert [token["address"] for token in whole] == [address(3), address(4), address(1)]
    assert first + second == whole
    assert (end, last) == (None, None)


def test_graduated_tokens_are_listed_by_their_graduation(database: Database) -> None:
    with database.transaction() as connection:
        write_token(connection, number=1, stage="graduated", graduated_at_ms=50)
        write_token(connection, number=2, stage="graduating", graduated_at_ms=70)
        write_token(connection, number=3)
    with database.snapshot() as connection:
        page, _ = market.tokens(connection, Column.GRADUATED, 10)
    assert [token["address"] for token in page] == [address(2), address(1)]


def test_what_is_wanted_is_looked_for_among_all_tokens(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(1, 5):
            raised = {"supply": number * 90_000_000_000, "reserve_lamports": number * number * 4_050_000_000}
            write_token(connection, number=number, holders=number, market_cap_lamports=number * 10, **raised)
        write_token(connection, number=5, holders=9, market_cap_lamports=90, simulated=1)
        write_token(connection, number=6, holders=3, market_cap_lamports=90, stage="graduated")

    def found(column: Column, **wanted: Any) -> list[str]:
        with database.snapshot() as connection:
            return [each["address"] for each in market.tokens(connection, column, 10, None, market.Wanted(**wanted))[0]]

    assert found(Column.NEW, holders=3) == [address(5), address(4), address(3)]
    assert found(Column.NEW, holders=3, people=True) == [address(4), address(3)]
    assert found(Column.NEW, market_cap_lamports=40, people=True) == [address(4)]
    assert found(Column.NEW, raised_percent=20) == [address(4), address(3), address(2)]
    assert found(Column.GRADUATING, raised_percent=80) == [address(4)]
    assert found(Column.GRADUATED, raised_percent=100, holders=3) == [address(6)]
    assert found(Column.GRADUATED, holders=4) == []


@pytest.mark.parametrize("cursor", ["", "x", "1.", "-1." + "1" * 40, "9" * 20 + "." + "1" * 40, "1." + "0" * 40])
@pytest.mark.parametrize("column", list(Column))
def test_a_foreign_cursor_is_refused(database: Database, cursor: str, column: Column) -> None:
    with database.snapshot() as connection, pytest.raises(InvalidCursor):
        market.tokens(connection, column, 10, cursor)


def test_trades_come_newest_first_and_know_the_price_before_them_across_pages(database: Database) -> None:
    with database.transaction() as connection:
        token = write_token(connection)
        # seq 3 is a claim: it moves no price
        write_trades(connection, [trade_values(token, seq) for seq in (1, 2, 4, 5)])
    with database.snapshot() as connection:
        newest = market.trades(connection, token, 2)
        older = market.trades(connection, token, 10, before_seq=4)
    assert [(trade["seq"], trade["price_before"]) for trade in newest] == [(5, "1004"), (4, "1002")]
    assert [(trade["seq"], trade["price_before"]) for trade in older] == [(2, "1001"), (1, "0")]
    assert newest[0] == {
        "type": "trade",
        "token": token,
        "seq": 5,
        "side": "buy",
        "lamports": "500000000",
        "tokens": "2300716596",
        "price": "1005",
        "price_before": "1004",
        "trader": address(30_000),
        "sim": False,
        "first_buy": False,
        "at_ms": 60_500,
    }


def test_candles_of_every_interval_tell_the_same_story(database: Database) -> None:
    hour = 3_600_000
    times = [hour, hour + 500, hour + 1_500, hour + 61_000, hour + 400_000, 2 * hour + 1]
    prices = [10, 30, 20, 5, 40, 35]
    with database.transaction() as connection:
        token = write_token(connection)
        rows = [
            trade_values(token, index + 1, price=price, executed_at_ms=at_ms, lamports=100)
            for index, (price, at_ms) in enumerate(zip(prices, times, strict=True))
        ]
        write_trades(connection, rows)
    with database.snapshot() as connection:
        seconds = said(connection, token, Interval.S1, 100)
        minutes = said(connection, token, Interval.M1, 100)
        hours = said(connection, token, Interval.H1, 100)
        page = said(connection, token, Interval.M1, 2, before_ms=hour + 61_000)
    assert seconds[:2] == [
        {"t": hour, "o": "10", "h": "30", "l": "10", "c": "30", "v": "200", "n": 2},
        {"t": hour + 1_000, "o": "30", "h": "30", "l": "20", "c": "20", "v": "100", "n": 1},
    ]
    assert minutes[1] == {"t": hour + 60_000, "o": "20", "h": "20", "l": "5", "c": "5", "v": "100", "n": 1}
    assert hours == [
        {"t": hour, "o": "10", "h": "40", "l": "5", "c": "40", "v": "500", "n": 5},
        {"t": 2 * hour, "o": "40", "h": "40", "l": "35", "c": "35", "v": "100", "n": 1},
    ]
    assert [candle["t"] for candle in page] == [hour, hour + 60_000]


def said(connection: Connection, token: str, interval: Interval, limit: int, before_ms: int | None = None) -> Any:
    return [candles.candle_json(each) for each in candles.page(connection, token, interval, limit, before_ms).candles]


def test_a_cut_off_history_shows_only_whole_buckets(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candles, "TRADES_FOR_CANDLES", 3)
    monkeypatch.setattr(candles, "TRADES_PER_READ", 3)
    with database.transaction() as connection:
        token = write_token(connection)
        rows = [trade_values(token, seq, executed_at_ms=seq * 500) for seq in range(1, 8)]
        write_trades(connection, rows)
    with database.snapshot() as connection:
        seconds = said(connection, token, Interval.S1, 100)
    assert [(candle["t"], candle["n"]) for candle in seconds] == [(3_000, 2)]


def test_changes_are_found_by_their_time(database: Database) -> None:
    with database.transaction() as connection:
        write_token(connection, number=1, updated_at_ms=99, seq=4)
        write_token(connection, number=2, updated_at_ms=100, seq=7)
    with database.snapshot() as connection:
        assert market.changed_since(connection, 100) == [(address(2), 7)]


async def test_who_comes_back_to_a_hub_that_has_just_read_the_token_is_told_all_that_it_read(
    database: Database,
) -> None:
    with database.transaction() as connection:
        token = write_token(connection, seq=180, last_trade_at_ms=5, price=1_180)
        write_trades(connection, [trade_values(token, seq) for seq in range(1, 181)])
    snapshot = await DatabaseSource(database).token(token)
    assert snapshot is not None
    feed, topic = TokenFeed(snapshot), Topic(Kind.TRADES, token)
    assert len(feed.snapshot(topic)["trades"]) == TAPE_LENGTH
    missed = feed.missed(topic, 30)
    assert missed is not None
    assert [trade["seq"] for trade in missed["trades"]] == list(range(180, 30, -1))
