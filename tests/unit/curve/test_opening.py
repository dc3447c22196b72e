"""The opening's rules: how the extra fee falls, when the cap ends, and the platform's bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.curve import NO_OPENING, FeeSchedule, Opening, OpeningRefused, chosen_opening
from engine.curve.opening import MAX_CAP_MS, MAX_FEE_BPS, MAX_FEE_MS

RULES = Opening(fee_bps=2_000, fee_ms=10_000, cap_tokens=5, cap_ms=60_000)


def test_the_extra_fee_falls_straight_to_nothing() -> None:
    found = [RULES.extra_fee_bps(elapsed_ms) for elapsed_ms in (-5, 0, 1, 5_000, 9_999, 10_000, 10**15)]
    assert found == [2_000, 2_000, 2_000, 1_000, 1, 0, 0]


@given(st.integers(1, MAX_FEE_BPS), st.integers(1, MAX_FEE_MS), st.integers(0, MAX_FEE_MS))
def test_it_never_rises_and_a_buy_always_keeps_something(fee_bps: int, fee_ms: int, elapsed_ms: int) -> None:
    rules = chosen_opening(fee_bps, fee_ms, 0, 0, 10**12)
    assert MAX_FEE_BPS >= rules.extra_fee_bps(elapsed_ms) >= rules.extra_fee_bps(elapsed_ms + 1) >= 0
    assert rules.fees(FeeSchedule(), elapsed_ms).split(10**9).total_lamports < 10**9


def test_the_cap_ends() -> None:
    assert [RULES.cap_after(elapsed_ms) for elapsed_ms in (0, 59_999, 60_000)] == [5, 5, None]


def test_no_rules_are_no_rules() -> None:
    usual = FeeSchedule()
    assert NO_OPENING.fees(usual, 0) is usual
    assert NO_OPENING.cap_after(0) is None
    assert chosen_opening(0, 0, 0, 0, 10**12) == NO_OPENING


def test_the_cap_is_a_share_of_the_supply() -> None:
    assert chosen_opening(0, 0, 25, MAX_CAP_MS, 600_000_000_000).cap_tokens == 1_500_000_000


@pytest.mark.parametrize(
    "chosen",
    [
        *[(1, 0, 0, 0), (0, 1, 0, 0), (MAX_FEE_BPS + 1, 1, 0, 0), (1, MAX_FEE_MS + 1, 0, 0), (-1, 1, 0, 0)],
        *[(0, 0, 10, 0), (0, 0, 0, 1), (0, 0, 9, 1), (0, 0, 10_000, 1), (0, 0, 10, MAX_CAP_MS + 1), (0, 0, 10, -1)],
    ],
)
def test_half_a_rule_and_one_out_of_bounds_are_refused(chosen: tuple[int, int, int, int]) -> None:
    with pytest.raises(OpeningRefused):
        chosen_opening(*chosen, 10**12)
