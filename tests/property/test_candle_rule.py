"""Candles followed trade by trade equal candles computed from history, for any tape."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.indicators.candles import LONGEST_GAP, MINUTE_MS, Candle, Interval, Tick, fold, merge, with_gaps_filled

STEPS = st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 2**63 - 1), st.integers(1, 2**63 - 1)), max_size=60)


def tape(steps: list[tuple[int, int, int]]) -> list[Tick]:
    """Trades whose clock never goes back, each knowing the price before it."""
    ticks: list[Tick] = []
    at_ms, price_before = 1_700_000_000_000, 0
    for delay_ms, price, lamports in steps:
        at_ms += delay_ms
        ticks.append(Tick(at_ms, price_before, price, lamports))
        price_before = price
    return ticks


@given(STEPS, st.sampled_from(list(Interval)), st.integers(0, 60))
def test_following_from_a_snapshot_equals_the_whole_history(
    steps: list[tuple[int, int, int]], interval: Interval, cut: int
) -> None:
    ticks = tape(steps)
    known = fold(ticks[:cut], interval.ms)
    followed = known[:-1] + fold(ticks[cut:], interval.ms, known[-1] if known else None)
    assert followed == fold(ticks, interval.ms)


@given(STEPS, st.sampled_from(list(Interval)))
def test_a_candle_spans_its_ends_and_opens_where_the_last_one_closed(
    steps: list[tuple[int, int, int]], interval: Interval
) -> None:
    ticks = tape(steps)
    candles = fold(ticks, interval.ms)
    assert sum(candle.trades for candle in candles) == len(ticks)
    assert sum(candle.volume_lamports for candle in candles) == sum(tick.lamports for tick in ticks)
    for candle in candles:
        assert candle.low_price <= min(candle.open_price, candle.close_price)
        assert candle.high_price >= max(candle.open_price, candle.close_price)
    for earlier, later in itertools.pairwise(candles):
        assert later.bucket_ms > earlier.bucket_ms
        if earlier.close_price:
            assert later.open_price == earlier.close_price


@given(STEPS, st.sampled_from(list(Interval)))
def test_a_filled_gap_adds_flat_candles_only_and_leaves_no_short_gap(
    steps: list[tuple[int, int, int]], interval: Interval
) -> None:
    candles = fold(tape(steps), interval.ms)
    filled = with_gaps_filled(candles, interval.ms)
    assert [candle for candle in filled if candle.trades] == candles
    for earlier, later in itertools.pairwise(filled):
        empty = (later.bucket_ms - earlier.bucket_ms) // interval.ms - 1
        assert empty == 0 or empty > LONGEST_GAP
        if not later.trades:
            assert {later.open_price, later.high_price, later.low_price, later.close_price} == {earlier.close_price}
            assert later.volume_lamports == 0


@pytest.mark.parametrize(("empty", "drawn"), [(0, 0), (1, 1), (LONGEST_GAP, LONGEST_GAP), (LONGEST_GAP + 1, 0)])
def test_a_gap_is_filled_whole_or_not_at_all(empty: int, drawn: int) -> None:
    candles = [merge(None, 5, 9, 1, at_ms, 1_000) for at_ms in (0, (empty + 1) * 1_000)]
    assert len(with_gaps_filled(candles, 1_000)) == 2 + drawn


def test_the_first_trade_ever_opens_at_its_own_price() -> None:
    assert merge(None, 0, 44, 9, 61_000, MINUTE_MS) == Candle(60_000, 44, 44, 44, 44, 9, 1)


def test_a_trade_with_an_older_clock_stays_in_the_running_candle() -> None:
    running = merge(None, 10, 20, 1, 120_000, MINUTE_MS)
    assert merge(running, 20, 5, 1, 119_000, MINUTE_MS) == Candle(120_000, 10, 20, 5, 5, 2, 2)
