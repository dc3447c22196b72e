"""Every row of the published test vectors, on the exact integer engine."""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from engine.curve import PowerCurve, Rounding, pool_output

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))
DEFAULT = PowerCurve(k=Decimal("0.000000001"), n=1, decimals=6)
ONE = 10**18


def rows(group: str) -> list[Any]:
    """The rows of a group as parameters, one test each."""
    return [pytest.param(row, id=str(number)) for number, row in enumerate(VECTORS[group]["rows"])]


def power_curve_floor(row: dict[str, Any], digits: int) -> int:
    """The row's outcome in units of 10^-digits, floored by the engine.

    A token has `digits` decimals; the reserve currency is counted in units of 10^-digits instead of 10^-9,
    which only scales k.
    """
    supply, reserve, amount = (int(row[name]) for name in ("supply", "reserve", "amount"))
    unit = 10**digits
    k = Fraction((row["n"] + 1) * reserve * unit, supply ** (row["n"] + 1) * 10**9)
    curve = PowerCurve(k, row["n"], digits)
    if row["kind"] == "buy":
        return curve.tokens_for(supply * unit, amount * unit)
    return curve.proceeds(supply * unit, amount * unit)


@pytest.mark.parametrize("row", rows("power_curve"))
def test_the_curve_gives_the_published_value(row: dict[str, Any]) -> None:
    expected = Decimal(row["expected"])

    # Published is the real value rounded to 12 digits: rounding the engine's 18 digits must give exactly that.
    assert (power_curve_floor(row, 18) + 500_000) // 10**6 == int(expected.scaleb(12))
    for digits in (0, 6, 9):
        assert power_curve_floor(row, digits) == int(expected.scaleb(digits))


@pytest.mark.parametrize("row", rows("linear_curve_defaults"))
def test_the_default_curve_gives_the_published_value(row: dict[str, Any]) -> None:
    if "tokens" in row:
        assert DEFAULT.tokens_for(row["from"], row["lamports"]) == row["tokens"]
    else:
        assert DEFAULT.cost(row["from"], row["to"], Rounding.UP) == row["cost_lamports"]
        assert DEFAULT.cost(row["from"], row["to"], Rounding.DOWN) == row["cost_lamports"]


@pytest.mark.parametrize("row", rows("constant_product_pool"))
def test_the_pool_gives_the_published_value(row: dict[str, Any]) -> None:
    assert pool_output(row["in"] * ONE, row["reserve_in"] * ONE, row["reserve_out"] * ONE) == int(row["out"])
