"""The bonding curve and the pool: pure integer arithmetic, the same functions for quotes and for fills."""

from engine.curve.fees import Fees, FeeSchedule
from engine.curve.opening import NO_OPENING, Opening, OpeningRefused, chosen_opening
from engine.curve.pool import (
    POOL_INPUT_FEE_BPS,
    POOL_TRADE_FEE_BPS,
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
    "NO_OPENING",
    "POOL_INPUT_FEE_BPS",
    "POOL_TRADE_FEE_BPS",
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
    "Opening",
    "OpeningRefused",
    "PoolBuyQuote",
    "PoolOutOfRange",
    "PoolSellQuote",
    "PoolState",
    "PowerCurve",
    "Rounding",
    "SellQuote",
    "Terms",
    "chosen_opening",
    "opening_pool",
    "pool_output",
    "price_impact_bps",
    "quote_buy",
    "quote_pool_buy",
    "quote_pool_sell",
    "quote_sell",
    "scaled_minimum",
]
