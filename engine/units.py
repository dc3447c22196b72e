"""Money as integers: the base units, their limits and the one strict way to read an amount from outside.

No float touches money anywhere in this project, so every conversion for people happens at the rim.
"""

import re
from typing import Final, NewType

Lamports = NewType("Lamports", int)
"""An amount of SOL in lamports, 10^-9 SOL."""

BaseUnits = NewType("BaseUnits", int)
"""An amount of a token in its base units; 10^-6 of a token for the default six decimals."""

Price = NewType("Price", int)
"""A price in 10^-15 SOL per whole token."""

LAMPORTS_PER_SOL: Final = 1_000_000_000
PRICE_UNITS_PER_SOL: Final = 10**15
BPS_PER_ONE: Final = 10_000
PRICE_UNITS_PER_LAMPORT: Final = PRICE_UNITS_PER_SOL // LAMPORTS_PER_SOL
LOCKED_LAMPORTS: Final = 890_880
"""The rent-exempt minimum of a system account: what stays in every trading wallet, and each vault's endowment."""

MAX_AMOUNT: Final = 2**63 - 1
"""The largest amount that may exist: what a BIGINT column holds."""


def token_value_lamports(amount: int, price: int, decimals: int) -> int:
    """What base units of a token are worth at a price of 10^-15 SOL per whole token, rounded down."""
    return int(amount * price // (10**decimals * PRICE_UNITS_PER_LAMPORT))


_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")


class InvalidAmount(ValueError):
    """The text is not a whole, positive amount of base units in range."""


def parse_amount(text: object) -> int:
    """Read a positive amount of base units from its decimal string.

    Only ASCII digits without sign, leading zeros, spaces, exponent or other scripts' digits are an amount.

    Raises:
        InvalidAmount: for anything else, zero and values over 2^63 - 1 included.
    """
    if not isinstance(text, str) or not _AMOUNT.match(text):
        raise InvalidAmount("an amount is a whole number of base units, written as a string of digits")
    amount = int(text)
    if amount == 0:
        raise InvalidAmount("the amount must be greater than zero")
    if amount > MAX_AMOUNT:
        raise InvalidAmount("the amount is larger than any balance can be")
    return amount
