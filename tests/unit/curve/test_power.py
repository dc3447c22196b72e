"""The power curve's own figures and the k, n and decimals it accepts."""

import pickle
from decimal import Decimal
from fractions import Fraction

import pytest

from engine.curve import LaunchRefused, PowerCurve, Rounding

DEFAULT = PowerCurve(k=Decimal("0.000000001"), n=1)


def test_the_price_is_k_times_the_supply_to_the_n() -> None:
    assert DEFAULT.spot_price(400_000_000_000) == Fraction(4, 10_000)
    assert DEFAULT.spot_price_units(400_000_000_000) == 400_000_000_000
    assert PowerCurve("0.5", 0).spot_price(123) == Fraction(1, 2)
    assert PowerCurve("1/3", 2, decimals=0).spot_price(6) == 12


def test_the_price_in_units_is_floored() -> None:
    assert PowerCurve("1/3", 0).spot_price_units(0) == 333_333_333_333_333


def test_a_cost_is_rounded_as_told() -> None:
    assert DEFAULT.cost(0, 1, Rounding.UP) == 1
    assert DEFAULT.cost(0, 1, Rounding.DOWN) == 0
    assert DEFAULT.cost(5, 5, Rounding.UP) == 0


def test_one_sol_buys_the_root_of_two_quadrillion_base_units() -> None:
    assert DEFAULT.tokens_for(0, 1_000_000_000) == 44_721_359_549


def test_what_was_bought_sells_for_at_most_its_cost() -> None:
    tokens = DEFAULT.tokens_for(0, 1_000_000_000)
    assert DEFAULT.proceeds(tokens, tokens) == 999_999_999


@pytest.mark.parametrize("k", [Decimal("1e-9"), Fraction(1, 10**9), "0.000000001", "1e-9", "1/1000000000"])
def test_every_way_of_writing_k_is_the_same_curve(k: Decimal | Fraction | str) -> None:
    curve = PowerCurve(k, 1)
    assert curve == DEFAULT
    assert hash(curve) == hash(DEFAULT)


def test_a_curve_is_a_value() -> None:
    assert PowerCurve(str(DEFAULT.k), DEFAULT.n, DEFAULT.decimals) == DEFAULT
    assert pickle.loads(pickle.dumps(DEFAULT)) == DEFAULT
    assert pickle.loads(pickle.dumps(DEFAULT)).tokens_for(0, 10**9) == 44_721_359_549
    assert PowerCurve("1e-9", 1, decimals=9) != DEFAULT
    with pytest.raises(AttributeError):
        DEFAULT.n = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    "k",
    [
        "0",
        "-1",
        "",
        " 1",
        "1_0",
        "NaN",
        "inf",
        "1/0",
        "0/1",
        "0x10",
        "１",
        "1e999",
        "1.2/3",
        "9" * 5000,
        "1\n",
    ],
)
def test_a_text_that_is_no_positive_number_is_refused(k: str) -> None:
    with pytest.raises(LaunchRefused):
        PowerCurve(k, 1)


@pytest.mark.parametrize(
    "k", [0, -1, 2**512, Fraction(1, 2**512), Decimal("NaN"), Decimal("Infinity"), Decimal("1e-999999999")]
)
def test_a_number_out_of_range_is_refused(k: int | Fraction | Decimal) -> None:
    with pytest.raises(LaunchRefused):
        PowerCurve(k, 1)


@pytest.mark.parametrize("k", [0.5, True, None])
def test_a_float_never_becomes_k(k: object) -> None:
    with pytest.raises(TypeError):
        PowerCurve(k, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(("n", "decimals"), [(-1, 6), (10, 6), (1, -1), (1, 19)])
def test_an_exponent_or_decimals_out_of_range_are_refused(n: int, decimals: int) -> None:
    with pytest.raises(LaunchRefused):
        PowerCurve(1, n, decimals)


def test_impossible_moves_are_bugs_not_answers() -> None:
    with pytest.raises(ValueError, match="upwards"):
        DEFAULT.cost(2, 1, Rounding.UP)
    with pytest.raises(ValueError, match="upwards"):
        DEFAULT.cost(-1, 1, Rounding.UP)
    with pytest.raises(ValueError, match="upwards"):
        DEFAULT.proceeds(5, 6)
    with pytest.raises(ValueError, match="zero or more"):
        DEFAULT.proceeds(5, -1)
    with pytest.raises(ValueError, match="zero or more"):
        DEFAULT.tokens_for(0, -1)
    with pytest.raises(ValueError, match="zero or more"):
        DEFAULT.tokens_for(-1, 1)
