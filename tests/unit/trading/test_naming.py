"""What a token may be called."""

import pytest

from engine.errors import Refusal
from engine.trading.naming import read_description, read_name, read_symbol

BIDI, ZERO_WIDTH, CONTROL = "\u202e", "\u200b", "\x07"


@pytest.mark.parametrize("symbol", ["A", "WHALE", "X2", "0123456789", "ABCDEFGHIJ"])
def test_a_symbol_of_capitals_and_digits_is_taken_as_it_is(symbol: str) -> None:
    assert read_symbol(symbol) == symbol


@pytest.mark.parametrize(
    "symbol",
    [
        "", "abc", "ABCDEFGHIJK", "A B", "A-B", "A\n", " A", "ＡＢＣ", "А", "１２３", "A" + BIDI, "A" + ZERO_WIDTH,
        "A" + CONTROL, "A\x00", "É", "😀", "$A", None, 5, True, ["A"],
    ],
)  # fmt: skip
def test_any_other_symbol_is_refused(symbol: object) -> None:
    with pytest.raises(Refusal) as refused:
        read_symbol(symbol)
    assert (refused.value.code, refused.value.status) == ("invalid_symbol", 422)


@pytest.mark.parametrize(
    "name", ["A", "Blue Whale", "Café", "日本 コイン", "Ⅷ & Co. #1", "😀", "Cafe\u0301", "x" * 32, "กำ"]
)
def test_a_readable_name_is_taken_as_it_is(name: str) -> None:
    assert read_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", " ", " A", "A ", "A  B", "x" * 33, "A" + BIDI + "B", "A" + ZERO_WIDTH, "A" + CONTROL, "A\x00", "A\nB",
        "A\tB", "A\u00a0B", "A\u3000B", "\u0301A", "A" + "\u0301" * 3, "A\ufeff", "A\u00ad", "A\u2066B", "\u3164",
        "A\u034f", "A\ufe01", "A\U000e0101", "A\U000e0041", "A\u2028B", "\ud800", "\ue000", "\U0001fffe", "A\u200d",
        None, 5, True, ["A"],
    ],
)  # fmt: skip
def test_a_name_that_could_mislead_is_refused(name: object) -> None:
    with pytest.raises(Refusal) as refused:
        read_name(name)
    assert (refused.value.code, refused.value.status) == ("invalid_name", 422)


@pytest.mark.parametrize("text", ["One line.", "Two\nlines.", "x" * 500, "Two\n\nparagraphs."])
def test_a_plain_description_is_taken_as_it_is(text: str) -> None:
    assert read_description(text) == text


@pytest.mark.parametrize("text", [None, ""])
def test_no_description_is_none(text: object) -> None:
    assert read_description(text) is None


@pytest.mark.parametrize(
    "text", ["x" * 501, "A" + BIDI, "A" + ZERO_WIDTH, "A\rB", "A\x1b[0m", "Z" + "\u0308" * 9, 5, []]
)
def test_a_description_that_could_mislead_is_refused(text: object) -> None:
    with pytest.raises(Refusal) as refused:
        read_description(text)
    assert (refused.value.code, refused.value.status) == ("invalid_description", 422)
