"""The pool a token trades on after graduation: constant product, 30 bps of every input stay in it."""

from dataclasses import dataclass
from typing import Final

from engine.curve.fees import Fees
from engine.curve.power import CurveRefusal
from engine.curve.quotes import BelowMinimum, NothingBought, NothingReceived
from engine.curve.terms import MINIMUM_BUY_LAMPORTS, Terms
from engine.units import BPS_PER_ONE, LAMPORTS_PER_SOL, MAX_AMOUNT, PRICE_UNITS_PER_SOL, Price

POOL_INPUT_FEE_BPS: Final = 30
"""What of each input stays in the pool."""

_INPUT_BPS: Final = BPS_PER_ONE - POOL_INPUT_FEE_BPS
_PLATFORM_BPS: Final = 20
_CREATOR_BPS: Final = 10
POOL_TRADE_FEE_BPS: Final = _PLATFORM_BPS + _CREATOR_BPS
"""What of the SOL leg goes to platform and creator."""


class PoolOutOfRange(CurveRefusal):
    """The trade would move the pool or its price beyond what an amount can be."""

    code = "pool_out_of_range"


@dataclass(frozen=True, slots=True)
class PoolState:
    """Both sides of the pool: lamports and token base units, both greater than zero.

    Raises:
        ValueError: an empty side.
    """

    sol_lamports: int
    tokens: int
    decimals: int = 6

    def __post_init__(self) -> None:
        if self.sol_lamports <= 0 or self.tokens <= 0:
            raise ValueError("both sides of a pool hold something")

    @property
    def invariant(self) -> int:
        """x·y in lamports x base units; no trade lowers it."""
        return self.sol_lamports * self.tokens

    @property
    def price(self) -> Price:
        """The price between trades, floored to 10^-15 SOL per whole token."""
        scale = 10**self.decimals * (PRICE_UNITS_PER_SOL // LAMPORTS_PER_SOL)
        return Price(self.sol_lamports * scale // self.tokens)


@dataclass(frozen=True, slots=True)
class PoolBuyQuote:
    """A buy's outcome: charged = input + fee, and is all that was offered."""

    tokens: int
    input_lamports: int
    fees: Fees
    charged_lamports: int
    pool_after: PoolState
    price_after: Price


@dataclass(frozen=True, slots=True)
class PoolSellQuote:
    """A sell's outcome: received = proceeds - fee."""

    tokens: int
    proceeds_lamports: int
    fees: Fees
    received_lamports: int
    pool_after: PoolState
    price_after: Price


def opening_pool(terms: Terms) -> PoolState:
    """The pool a full curve opens: exactly the SOL it raised beside the tokens kept for it."""
    return PoolState(terms.raise_lamports, terms.pool_tokens, terms.curve.decimals)


def pool_output(amount_in: int, reserve_in: int, reserve_out: int) -> int:
    """What the pool gives for an input: floor(in·9970·R_out / (R_in·10000 + in·9970)), sides in own units."""
    working = amount_in * _INPUT_BPS
    return working * reserve_out // (reserve_in * BPS_PER_ONE + working)


def quote_pool_buy(pool: PoolState, lamports: int, minimum_buy_lamports: int = MINIMUM_BUY_LAMPORTS) -> PoolBuyQuote:
    """What `lamports`, fee included, buy from the pool.

    Raises:
        BelowMinimum, NothingBought: as on the curve.
        PoolOutOfRange: the pool's SOL or its price would exceed 2^63 - 1.
        ValueError: a negative amount.
    """
    if lamports < 0:
        raise ValueError("lamports are zero or more")
    if lamports < minimum_buy_lamports:
        raise BelowMinimum("The buy is smaller than the minimum.", minimum_lamports=str(minimum_buy_lamports))
    fees = _fees(lamports)
    net = lamports - fees.total_lamports
    tokens = pool_output(net, pool.sol_lamports, pool.tokens)
    if tokens == 0:
        raise NothingBought("This much SOL does not buy the smallest unit of the token at its price.")
    after = _in_range(PoolState(pool.sol_lamports + net, pool.tokens - tokens, pool.decimals))
    return PoolBuyQuote(tokens, net, fees, lamports, after, after.price)


def quote_pool_sell(pool: PoolState, tokens: int) -> PoolSellQuote:
    """What selling `tokens` base units to the pool brings.

    Raises:
        NothingReceived: nothing is left after the fee.
        PoolOutOfRange: the pool's tokens would exceed 2^63 - 1.
        ValueError: a negative amount.
    """
    if tokens < 0:
        raise ValueError("tokens are zero or more")
    proceeds = pool_output(tokens, pool.tokens, pool.sol_lamports)
    fees = _fees(proceeds)
    received = proceeds - fees.total_lamports
    if received <= 0:
        raise NothingReceived("These tokens are worth nothing after the fee.")
    after = _in_range(PoolState(pool.sol_lamports - proceeds, pool.tokens + tokens, pool.decimals))
    return PoolSellQuote(tokens, proceeds, fees, received, after, after.price)


def _fees(sol_leg_lamports: int) -> Fees:
    """20 bps for the platform and 10 for the creator, together rounded up; the creator's part is floored."""
    total = -(-sol_leg_lamports * POOL_TRADE_FEE_BPS // BPS_PER_ONE)
    creator = total * _CREATOR_BPS // POOL_TRADE_FEE_BPS
    return Fees(total, creator, total - creator)


def _in_range(after: PoolState) -> PoolState:
    if max(after.sol_lamports, after.tokens, after.price) > MAX_AMOUNT:
        raise PoolOutOfRange("The trade would move the pool beyond what an amount can be.")
    return after
