"""How an amount is read from outside, and what never is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.units import MAX_AMOUNT, InvalidAmount, parse_amount

HOSTILE = [
    "0", "00", "01", "-1", "+1", "-0", "1.0", "1.5", ".5", "1.", "1e18", "1E2", "NaN", "nan", "inf", "Infinity", "0x10",
    "0b1", "1_000", "1,000", " 1", "1 ", "1\n", "\n1", "1\x00", "", " ", "１２３", "١٢٣", "²", "½", "true",
    "True", "null", str(2**63), str(2**64), "9" * 20, "1" * 5_000, "0" * 5_000,
    None, True, False, 1, 0, -1, 1.0, 1.5, float("nan"), float("inf"), 2**63, b"1", ["1"], ("1",), {"1": 1},
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: f"{type(value).__name__}-{str(value)[:20]!a}")
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(InvalidAmount):
        parse_amount(value)


@pytest.mark.parametrize("amount", [1, 9, 10, 890_880, 10**18, 2**63 - 1])
def test_every_amount_a_balance_can_hold_is_read(amount: int) -> None:
    assert parse_amount(str(amount)) == amount


@given(st.integers(1, MAX_AMOUNT))
def test_an_amount_survives_being_written_and_read(amount: int) -> None:
    assert parse_amount(str(amount)) == amount


@given(st.text())
def test_any_text_is_either_refused_or_exactly_its_number(text: str) -> None:
    try:
        amount = parse_amount(text)
    except InvalidAmount:
        return
    assert str(amount) == text
    assert 0 < amount <= MAX_AMOUNT
