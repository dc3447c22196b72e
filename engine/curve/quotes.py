"""Buying from and selling to the curve: the one pair of functions that both quotes and fills use.

Rounding always favours the reserve, so after any sequence of trades it holds at least the exact integral.
"""

from dataclasses import dataclass
from typing import NamedTuple

from engine.curve.fees import Fees, FeeSchedule
from engine.curve.power import CurveRefusal, PowerCurve, Rounding
from engine.curve.terms import Terms
from engine.units import BPS_PER_ONE, Price


class BelowMinimum(CurveRefusal):
    """The buy offers less than the minimum and does not fill the curve."""

    code = "below_minimum"


class CurveComplete(CurveRefusal):
    """All tokens of the curve are sold; it trades no more."""

    code = "graduated"


class NothingBought(CurveRefusal):
    """The SOL offered does not pay for one base unit."""

    code = "nothing_bought"


class NothingReceived(CurveRefusal):
    """The tokens are worth less than the fee and one lamport."""

    code = "nothing_received"


class MoreThanSold(CurveRefusal):
    """More tokens than the curve has ever sold cannot come back to it."""

    code = "more_than_supply"


class BuyQuote(NamedTuple):
    """A buy's outcome. charged = cost + fee; charged + refund = offered. Tokens and supply are base units."""

    tokens: int
    cost_lamports: int
    fees: Fees
    charged_lamports: int
    refund_lamports: int
    supply_after: int
    price_after: Price
    graduates: bool

    def minimum_scaled(self, min_tokens_out: int) -> int:
        """The slippage bound this outcome must meet: the buyer's own, scaled only where the curve ran out."""
        if not self.graduates:
            return min_tokens_out
        return scaled_minimum(min_tokens_out, self.charged_lamports + self.refund_lamports, self.charged_lamports)


class SellQuote(NamedTuple):
    """A sell's outcome. received = proceeds - fee. Tokens and supply are base units."""

    tokens: int
    proceeds_lamports: int
    fees: Fees
    received_lamports: int
    supply_after: int
    price_after: Price


@dataclass(frozen=True, slots=True)
class CurveState:
    """What the trades leave behind: base units sold and the lamports held for them, fees apart."""

    supply: int = 0
    reserve_lamports: int = 0

    def bought(self, quote: BuyQuote) -> "CurveState":
        """The state after this buy."""
        return CurveState(quote.supply_after, self.reserve_lamports + quote.cost_lamports)

    def sold(self, quote: SellQuote) -> "CurveState":
        """The state after this sell."""
        return CurveState(quote.supply_after, self.reserve_lamports - quote.proceeds_lamports)

    def is_covered(self, curve: PowerCurve) -> bool:
        """The invariant: the reserve is at least the exact integral of the price from zero to the supply."""
        return self.reserve_lamports >= curve.integral(self.supply)


def quote_buy(terms: Terms, supply: int, lamports: int, fees: FeeSchedule | None = None) -> BuyQuote:
    """What `lamports`, fee included, buy at this supply; `fees` stand for the terms' own while an opening lasts.

    The fee is on the SOL offered and the rounding rest of the net goes back. The buy that reaches graduation
    is filled up to the limit for the smallest gross lamports that cover it and gets all others back.

    Raises:
        CurveComplete: nothing is left to sell.
        BelowMinimum: under the minimum buy, unless it is the last fill.
        NothingBought: the net does not pay for one base unit.
        ValueError: a negative supply or amount.
    """
    remaining = terms.curve_supply - supply
    if remaining <= 0:
        raise _complete()
    if lamports < 0:
        raise ValueError("lamports are zero or more")
    curve = terms.curve
    schedule = fees or terms.fees
    taken = schedule.split(lamports)
    tokens = curve.tokens_for(supply, lamports - taken.total_lamports)
    graduates = tokens >= remaining
    if not graduates and lamports < terms.minimum_buy_lamports:
        raise BelowMinimum("The buy is smaller than the minimum.", minimum_lamports=str(terms.minimum_buy_lamports))
    if tokens <= 0:
        raise NothingBought("This much SOL does not buy the smallest unit of the token at its price.")
    supply_after = terms.curve_supply if graduates else supply + tokens
    cost = curve.cost(supply, supply_after, Rounding.UP)
    if graduates:
        taken = schedule.split(schedule.gross_for(cost))
    charged = cost + taken.total_lamports
    return BuyQuote(
        supply_after - supply,
        cost,
        taken,
        charged,
        lamports - charged,
        supply_after,
        curve.spot_price_units(supply_after),
        graduates,
    )


def quote_sell(terms: Terms, supply: int, tokens: int) -> SellQuote:
    """What selling `tokens` base units at this supply brings.

    Raises:
        CurveComplete: the curve has graduated and trades no more.
        MoreThanSold: more than the supply.
        NothingReceived: nothing is left after the fee.
        ValueError: a negative amount.
    """
    if supply >= terms.curve_supply:
        raise _complete()
    if tokens > supply:
        raise MoreThanSold("The curve has not sold that many tokens.", supply=str(supply))
    proceeds = terms.curve.proceeds(supply, tokens)
    fees = terms.fees.split(proceeds)
    received = proceeds - fees.total_lamports
    if received <= 0:
        raise NothingReceived("These tokens are worth nothing after the fee.")
    supply_after = supply - tokens
    return SellQuote(tokens, proceeds, fees, received, supply_after, terms.curve.spot_price_units(supply_after))


def _complete() -> CurveComplete:
    return CurveComplete("All tokens of the curve are sold: it has graduated.")


def scaled_minimum(min_tokens_out: int, lamports_offered: int, lamports_used: int) -> int:
    """The slippage bound of a buy that used only part of the offer: ceil(minimum x used / offered).

    Raises:
        ValueError: unless 0 <= used <= offered and offered > 0.
    """
    if not 0 <= lamports_used <= lamports_offered or lamports_offered == 0:
        raise ValueError("a buy uses at most the lamports it offered")
    return -(-min_tokens_out * lamports_used // lamports_offered)


def price_impact_bps(price_before: int, price_after: int) -> int | None:
    """How far a trade moves the price: ceil(10^4 x |after - before| / before), in basis points.

    None where the price before was zero: the first buy of a rising curve has nothing to compare with.
    """
    if price_before == 0:
        return None
    return -(-abs(price_after - price_before) * BPS_PER_ONE // price_before)
