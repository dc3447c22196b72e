"""The bonding curve and the pool: pure integer arithmetic, the same functions for quotes and for fills."""

from engine.curve.fees import Fees, FeeSchedule
from engine.curve.pool import (
    PoolBuyQuote,
    PoolOutOfRange,
    PoolSellQuote,
    PoolState,
    opening_pool,
    pool_output,
    quote_pool_buy,
    quote_pool_sell,
)
from engine.curve.power import CurveRefusal, LaunchRefused, PowerCurve, Rounding
from engine.curve.quotes import (
    BelowMinimum,
    BuyQuote,
    CurveComplete,
    CurveState,
    MoreThanSold,
    NothingBought,
    NothingReceived,
    SellQuote,
    price_impact_bps,
    quote_buy,
    quote_sell,
    scaled_minimum,
)
from engine.curve.terms import MINIMUM_BUY_LAMPORTS, Terms

__all__ = [
    "MINIMUM_BUY_LAMPORTS",
    "BelowMinimum",
    "BuyQuote",
    "CurveComplete",
    "CurveRefusal",
    "CurveState",
    "FeeSchedule",
    "Fees",
    "LaunchRefused",
    "MoreThanSold",
    "NothingBought",
    "NothingReceived",
    "PoolBuyQuote",
    "PoolOutOfRange",
    "PoolSellQuote",
    "PoolState",
    "PowerCurve",
    "Rounding",
    "SellQuote",
    "Terms",
    "opening_pool",
    "pool_output",
    "price_impact_bps",
    "quote_buy",
    "quote_pool_buy",
    "quote_pool_sell",
    "quote_sell",
    "scaled_minimum",
]
