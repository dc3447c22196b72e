"""What a token may be called. Pure: no text is repaired, one that could mislead is refused with its own code."""

import re
import unicodedata
from typing import Final

from engine.errors import Refusal

MAX_NAME: Final = 32
MAX_SYMBOL: Final = 10
MAX_DESCRIPTION: Final = 500

_SYMBOL: Final = re.compile(r"[A-Z0-9]{1,10}\Z")
_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANKS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that draw nothing, although their category says they do."""
_MAX_MARKS: Final = 2


class SymbolRefused(Refusal):
    """Not a ticker symbol."""

    code = "invalid_symbol"
    status = 422


class NameRefused(Refusal):
    """Not a name people can read."""

    code = "invalid_name"
    status = 422


class DescriptionRefused(Refusal):
    """Not a plain short text."""

    code = "invalid_description"
    status = 422


def read_symbol(value: object) -> str:
    """A ticker symbol: 1 to 10 of A-Z and 0-9, nothing that only looks like them.

    Raises:
        SymbolRefused: anything else.
    """
    if not isinstance(value, str) or not _SYMBOL.match(value):
        raise SymbolRefused(f"The symbol is 1 to {MAX_SYMBOL} of the capital letters A to Z and the digits 0 to 9.")
    return value


def read_name(value: object) -> str:
    """A name of 1 to 32 visible characters with single spaces between words.

    Raises:
        NameRefused: empty, too long, control, bidi, zero-width or unassigned characters, stacks of marks.
    """
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_NAME:
        raise NameRefused(f"The name has 1 to {MAX_NAME} characters.")
    if value != value.strip(" ") or "  " in value:
        raise NameRefused("The name has no spaces around it and single ones inside.")
    fault = _fault(value)
    if fault is not None:
        raise NameRefused(f"The name {fault}.")
    return value


def read_description(value: object) -> str | None:
    """A description of up to 500 characters, lines allowed; None for an empty one.

    Raises:
        DescriptionRefused: too long, or characters that a name may not have either.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MAX_DESCRIPTION:
        raise DescriptionRefused(f"The description has at most {MAX_DESCRIPTION} characters.")
    fault = _fault(value.replace("\n", " "))
    if fault is not None:
        raise DescriptionRefused(f"The description {fault}.")
    return value


def _fault(text: str) -> str | None:
    """What is wrong with the characters of a text, None for nothing."""
    marks = _MAX_MARKS  # a mark needs a letter before it
    for character in text:
        category = unicodedata.category(character)
        if category in _HIDDEN_CATEGORIES or character in _BLANKS or (category == "Zs" and character != " "):
            return f"has the invisible character U+{ord(character):04X}"
        if _is_selector(character):
            return f"has the invisible character U+{ord(character):04X}"
        marks = marks + 1 if category.startswith("M") else 0
        if marks > _MAX_MARKS:
            return "has too many marks on one letter"
    return None


def _is_selector(character: str) -> bool:
    """Variation selectors; U+FE0F, which makes an emoji colourful, is let through."""
    point = ord(character)
    return (0xFE00 <= point <= 0xFE0E) or 0xE0100 <= point <= 0xE01EF or 0x180B <= point <= 0x180F
