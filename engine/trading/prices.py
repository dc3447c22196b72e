"""What a token's row buys and sells at: its curve until that is full, then its pool, behind one pair of functions.

The row says it the same way on both sides of the seam. `supply` is what the vault has sold, to the curve's traders and
then to the pool's; `reserve_lamports` is what it holds against that. A pool therefore has the tokens it opened with
less those sold since, and its SOL side is the reserve.
"""

from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from engine.curve import (
    POOL_TRADE_FEE_BPS,
    BuyQuote,
    FeeSchedule,
    Opening,
    PoolState,
    PowerCurve,
    SellQuote,
    Terms,
    quote_buy,
    quote_pool_buy,
    quote_pool_sell,
    quote_sell,
)
from engine.units import Price


class Stage(StrEnum):
    """Where a token stands in its life. Graduating: the pool trades, its memo is not confirmed on the chain yet."""

    LAUNCHING = "launching"
    CURVE = "curve"
    GRADUATING = "graduating"
    GRADUATED = "graduated"
    FAILED = "failed"


ON_POOL: Final = frozenset({Stage.GRADUATING.value, Stage.GRADUATED.value})
TRADABLE: Final = frozenset({Stage.CURVE.value}) | ON_POOL


def terms_of(token: Mapping[str, Any]) -> Terms:
    """The terms in a token's row."""
    return _terms(
        token["k"],
        token["n"],
        token["decimals"],
        token["fee_bps"],
        token["creator_share_percent"],
        token["curve_supply"],
        token["total_supply"],
        token["minimum_buy_lamports"],
    )


@lru_cache(maxsize=4096)
def _terms(
    k: str, n: int, decimals: int, fee_bps: int, share: int, curve_supply: int, total_supply: int, minimum: int
) -> Terms:
    curve = PowerCurve(Fraction(k), n, decimals)
    return Terms(curve, FeeSchedule(fee_bps, share), curve_supply, total_supply, minimum)


def opening_of(token: Mapping[str, Any]) -> Opening:
    """The opening's rules in a token's row."""
    return Opening(
        token["opening_fee_bps"], token["opening_fee_ms"], token["opening_cap_tokens"], token["opening_cap_ms"]
    )


def trading_fees(token: Mapping[str, Any], now_ms: int) -> FeeSchedule:
    """What a buy on the curve pays now."""
    usual = terms_of(token).fees
    if not token["opening_fee_ms"]:
        return usual
    return opening_of(token).fees(usual, now_ms - token["tradable_at_ms"])


def fee_bps_of(token: Mapping[str, Any], buys: bool, now_ms: int) -> int:
    """What of a trade's SOL leg goes to platform and creator now, in basis points."""
    if token["stage"] in ON_POOL:
        return POOL_TRADE_FEE_BPS
    return (trading_fees(token, now_ms) if buys else terms_of(token).fees).fee_bps


def cap_of(token: Mapping[str, Any], now_ms: int) -> int | None:
    """The most base units that a buy may leave an account with now, None for any."""
    return opening_of(token).cap_after(now_ms - token["tradable_at_ms"]) if token["opening_cap_ms"] else None


def pool_tokens(token: Mapping[str, Any]) -> int:
    """The token side of the pool of a token whose curve is full, base units."""
    held: int = token["curve_supply"] + terms_of(token).pool_tokens - token["supply"]
    return held


def pool_of(token: Mapping[str, Any]) -> PoolState:
    """The pool of a token whose curve is full."""
    return PoolState(token["reserve_lamports"], pool_tokens(token), token["decimals"])


def price_of(token: Mapping[str, Any]) -> Price:
    """The price between trades, 10^-15 SOL per whole token."""
    if token["stage"] in ON_POOL:
        return pool_of(token).price
    return terms_of(token).curve.spot_price_units(token["supply"])


def liquidity_lamports(token: Mapping[str, Any]) -> int:
    """The reserve of a curve; both sides of a pool, which are worth the same."""
    reserve_lamports: int = token["reserve_lamports"]
    return 2 * reserve_lamports if token["stage"] in ON_POOL else reserve_lamports


def buy_quote(token: Mapping[str, Any], lamports: int, now_ms: int) -> BuyQuote:
    """What `lamports`, fee included, buy at that moment, which the fee of an opening depends on.

    Raises:
        CurveRefusal: the curve or the pool does not take them.
        ValueError: a negative amount.
    """
    if token["stage"] not in ON_POOL:
        return quote_buy(terms_of(token), token["supply"], lamports, trading_fees(token, now_ms))
    bought = quote_pool_buy(pool_of(token), lamports, token["minimum_buy_lamports"])
    return BuyQuote(
        tokens=bought.tokens,
        cost_lamports=bought.input_lamports,
        fees=bought.fees,
        charged_lamports=bought.charged_lamports,
        refund_lamports=0,
        supply_after=token["supply"] + bought.tokens,
        price_after=bought.price_after,
        graduates=False,
    )


def sell_quote(token: Mapping[str, Any], tokens: int) -> SellQuote:
    """What selling `tokens` base units brings now.

    Raises:
        CurveRefusal: the curve or the pool does not take them.
        ValueError: a negative amount.
    """
    if token["stage"] not in ON_POOL:
        return quote_sell(terms_of(token), token["supply"], tokens)
    sold = quote_pool_sell(pool_of(token), tokens)
    return SellQuote(
        tokens=tokens,
        proceeds_lamports=sold.proceeds_lamports,
        fees=sold.fees,
        received_lamports=sold.received_lamports,
        supply_after=token["supply"] - tokens,
        price_after=sold.price_after,
    )
