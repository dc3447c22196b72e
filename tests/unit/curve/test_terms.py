"""Which launches are possible, and what their fees and figures come to."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.curve import Fees, FeeSchedule, LaunchRefused, PowerCurve, Terms
from engine.units import MAX_AMOUNT

DEFAULT = PowerCurve("0.000000001", 1)


def test_the_default_launch_raises_80_sol_and_keeps_200000_tokens() -> None:
    terms = Terms(DEFAULT, FeeSchedule(), 400_000_000_000, 600_000_000_000)

    assert terms.raise_lamports == 80_000_000_000
    assert terms.pool_tokens == 200_000_000_000
    assert terms.minimum_buy_lamports == 10_000_000


def test_the_pool_tokens_are_floored() -> None:
    assert Terms(PowerCurve(1, 2, 0), FeeSchedule(), 11, 100).pool_tokens == 3


@pytest.mark.parametrize(
    ("curve", "curve_supply", "total_supply"),
    [
        (DEFAULT, 0, 600),
        (DEFAULT, -5, 600),
        (DEFAULT, 1, 600),  # no token is left for the pool
        (DEFAULT, 400, 599),
        (DEFAULT, 400, 0),
        (DEFAULT, 400_000_000_000, MAX_AMOUNT + 1),
        (PowerCurve(10, 1, 0), 100_000, 150_000),  # raises 5 x 10^19 lamports
        (PowerCurve(10_000, 0, 0), 1, 2),  # 10^19 price units
        (DEFAULT, 9 * 10**12, MAX_AMOUNT),  # market cap 8.3 x 10^19 lamports
    ],
)
def test_a_launch_out_of_range_is_refused(curve: PowerCurve, curve_supply: int, total_supply: int) -> None:
    with pytest.raises(LaunchRefused) as refused:
        Terms(curve, FeeSchedule(), curve_supply, total_supply)
    assert (refused.value.code, refused.value.status) == ("launch_out_of_range", 422)


def test_the_gross_of_the_last_fill_must_fit_too() -> None:
    curve = PowerCurve("0.9", 0, 0)
    assert Terms(curve, FeeSchedule(fee_bps=9_999), 1_000_000, 2_000_000).raise_lamports == 9 * 10**14
    with pytest.raises(LaunchRefused):
        Terms(curve, FeeSchedule(fee_bps=9_999), 1_100_000, 2_200_000)


def test_impossible_settings_are_bugs() -> None:
    with pytest.raises(ValueError, match="minimum"):
        Terms(DEFAULT, FeeSchedule(), 400, 600, minimum_buy_lamports=-1)
    for bps, share in [(-1, 30), (10_000, 30), (100, -1), (100, 101)]:
        with pytest.raises(ValueError, match="to"):
            FeeSchedule(bps, share)


@pytest.mark.parametrize(
    ("gross", "fees"),
    [(0, Fees(0, 0, 0)), (1, Fees(1, 0, 1)), (10_000, Fees(100, 30, 70)), (10_001, Fees(101, 30, 71))],
)
def test_the_fee_is_rounded_up_and_the_creators_part_down(gross: int, fees: Fees) -> None:
    assert FeeSchedule().split(gross) == fees


@given(gross=st.integers(0, MAX_AMOUNT), fee_bps=st.integers(0, 9_999))
def test_the_fee_of_any_amount_is_exact(gross: int, fee_bps: int) -> None:
    assert FeeSchedule(fee_bps).split(gross).total_lamports == ceil(Fraction(gross * fee_bps, 10_000))
