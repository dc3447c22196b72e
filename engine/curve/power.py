"""The power curve itself: price = k x supply^n, integrated exactly, in whole lamports and token base units.

The cost of the first `s` base units is a rational multiple of s^(n+1), so k, the units and the n + 1 of the
integral are folded once into one reduced fraction and everything afterwards is integer arithmetic.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import isqrt
from typing import ClassVar, Final

from engine.errors import Refusal
from engine.units import LAMPORTS_PER_SOL, PRICE_UNITS_PER_SOL, Price

MAX_EXPONENT: Final = 9
MAX_DECIMALS: Final = 18
_MAX_K_BITS: Final = 512  # bounds every intermediate: a hostile k must not be able to slow a trade down
_MAX_K_DIGITS: Final = 155  # a number below 2^512 has no more
_K_TEXT = re.compile(
    r"[0-9]{1,155}(?:\.[0-9]{1,155})?(?:[eE][+-]?[0-9]{1,3})?\Z"
    r"|[0-9]{1,155}/[1-9][0-9]{0,154}\Z"
)


class CurveRefusal(Refusal):
    """A trade or launch that the curve's own rules do not allow."""

    code: ClassVar[str] = "curve_refused"
    status: ClassVar[int] = 422


class LaunchRefused(CurveRefusal):
    """No curve can be launched with these figures: they are out of the range that amounts may have."""

    code = "launch_out_of_range"


class Rounding(StrEnum):
    """Which whole lamport an exact amount becomes."""

    UP = "up"
    DOWN = "down"


def floor_root(value: int, degree: int) -> int:
    """The largest integer r with r^degree <= value, for value >= 0 and degree >= 1.

    Even degrees shrink by exact integer square roots (floors of roots nest); what is left is Newton's
    iteration from above, which falls strictly until it stands on the floor.
    """
    while degree % 2 == 0:
        value = isqrt(value)
        degree >>= 1
    if degree == 1 or value < 2:
        return value
    lower = degree - 1
    guess = 1 << -(-value.bit_length() // degree)
    while True:
        better = (lower * guess + value // guess**lower) // degree
        if better >= guess:
            return guess
        guess = better


def _positive_rational(k: Decimal | Fraction | int | str) -> Fraction:
    """Read k without ever building a number of unbounded size."""
    if isinstance(k, bool) or not isinstance(k, Decimal | Fraction | int | str):
        raise TypeError(f"k is a Decimal, Fraction, int or str, not {type(k).__name__}")
    if isinstance(k, str):
        if not _K_TEXT.match(k):
            raise LaunchRefused("The curve's k must be a positive number such as 0.000000001 or 1/1000.")
        k = Fraction(k) if "/" in k else Decimal(k)
    if isinstance(k, Decimal) and (not k.is_finite() or abs(k.adjusted()) > _MAX_K_DIGITS):
        raise LaunchRefused("The curve's k is out of range.")
    rational = Fraction(k)
    size = max(rational.numerator.bit_length(), rational.denominator.bit_length())
    if rational <= 0 or size > _MAX_K_BITS:
        raise LaunchRefused("The curve's k must be positive and of a reasonable size.")
    return rational


@dataclass(frozen=True, slots=True, init=False)
class PowerCurve:
    """price(supply) = k x supply^n in SOL per whole token, supply in whole tokens sold by the curve.

    Arguments named `supply` or `tokens` are base units, 10^-decimals of a token.

    Raises:
        LaunchRefused: k not positive (or over 512 bits), n outside 0..9, decimals outside 0..18.
        TypeError: k is a float; money never is.
    """

    k: Fraction
    n: int
    decimals: int
    _degree: int = field(repr=False, compare=False)
    _cost_numerator: int = field(repr=False, compare=False)
    _cost_denominator: int = field(repr=False, compare=False)
    _price_numerator: int = field(repr=False, compare=False)
    _price_denominator: int = field(repr=False, compare=False)

    def __init__(self, k: Decimal | Fraction | int | str, n: int, decimals: int = 6) -> None:
        rational = _positive_rational(k)
        if not 0 <= n <= MAX_EXPONENT:
            raise LaunchRefused(f"The curve's exponent n must be a whole number from 0 to {MAX_EXPONENT}.")
        if not 0 <= decimals <= MAX_DECIMALS:
            raise LaunchRefused(f"A token has from 0 to {MAX_DECIMALS} decimals.")
        degree = n + 1
        base_units = 10**decimals
        cost = Fraction(LAMPORTS_PER_SOL * rational.numerator, rational.denominator * degree * base_units**degree)
        price = Fraction(PRICE_UNITS_PER_SOL * rational.numerator, rational.denominator * base_units**n)
        values = (rational, n, decimals, degree, *cost.as_integer_ratio(), *price.as_integer_ratio())
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def spot_price(self, supply: int) -> Fraction:
        """The exact price of the next token, SOL per whole token."""
        return Fraction(self._price_numerator * supply**self.n, self._price_denominator * PRICE_UNITS_PER_SOL)

    def spot_price_units(self, supply: int) -> Price:
        """The price of the next token, floored to 10^-15 SOL per whole token."""
        return Price(self._price_numerator * supply**self.n // self._price_denominator)

    def integral(self, supply: int) -> Fraction:
        """The exact lamports that the first `supply` base units cost: k/(n+1) x supply^(n+1), rescaled."""
        return Fraction(self._cost_numerator * supply**self._degree, self._cost_denominator)

    def cost(self, supply_from: int, supply_to: int, rounding: Rounding) -> int:
        """Lamports to move the supply upwards, rounded as told.

        Raises:
            ValueError: a negative supply, or a move downwards.
        """
        if not 0 <= supply_from <= supply_to:
            raise ValueError("the supply moves upwards from zero or more")
        exact: int = self._cost_numerator * (supply_to**self._degree - supply_from**self._degree)
        if rounding is Rounding.UP:
            return -(-exact // self._cost_denominator)
        return exact // self._cost_denominator

    def tokens_for(self, supply: int, lamports: int) -> int:
        """Base units bought with exactly these lamports: the largest move whose exact cost they cover.

        Raises:
            ValueError: a negative supply or amount.
        """
        if supply < 0 or lamports < 0:
            raise ValueError("supply and lamports are zero or more")
        # numerator/denominator x (s1^d - s0^d) <= lamports, solved for the integer s1^d: its floor is exact.
        gained = lamports * self._cost_denominator // self._cost_numerator
        return floor_root(supply**self._degree + gained, self._degree) - supply

    def proceeds(self, supply: int, tokens: int) -> int:
        """Lamports for selling these base units back to the curve, floored.

        Raises:
            ValueError: a negative amount, or more than the curve has sold.
        """
        if tokens < 0:
            raise ValueError("tokens are zero or more")
        return self.cost(supply - tokens, supply, Rounding.DOWN)
