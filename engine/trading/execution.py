"""How one order is decided: a pure function from the order and what it can see to a fill or a recorded rejection.

The same functions quote for the API; here their answer becomes the trade.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from engine.curve import (
    BelowMinimum,
    BuyQuote,
    CurveRefusal,
    NothingBought,
    NothingReceived,
    PoolOutOfRange,
    SellQuote,
)
from engine.trading.orders import Order, Reason, Side
from engine.trading.prices import TRADABLE, buy_quote, cap_of, sell_quote


class Fill(NamedTuple):
    """What a fill does. `lamports` is the trader's SOL leg: paid, fee included (buy), or received after it (sell).

    `curve_lamports` is the leg of the reserve, which is the pool's SOL side once the curve is full.
    """

    tokens: int
    lamports: int
    curve_lamports: int
    fee_lamports: int
    creator_fee_lamports: int
    rent_lamports: int
    supply: int
    reserve_lamports: int
    price: int
    graduates: bool


@dataclass(frozen=True, slots=True)
class Rejection:
    """A recorded no. `detail` says in figures what the order ran into."""

    reason: Reason
    detail: str | None = None


class Purse(NamedTuple):
    """What the trader can use: SOL above the locked minimum, tokens, and whether a token account exists."""

    free_lamports: int
    tokens: int
    has_token_account: bool
    frozen: str | None = None
    """Why the account may not trade."""


def decide(
    order: Order, token: Mapping[str, Any] | None, purse: Purse, now_ms: int, account_rent_lamports: int
) -> Fill | Rejection:
    """Fill the order against the token's row, or say why not. Changes nothing.

    `account_rent_lamports` is what a new token account costs the trader on their first purchase of a token.
    """
    if token is None:
        return Rejection(Reason.UNKNOWN_TOKEN)
    if now_ms > order.deadline_ms:
        return Rejection(Reason.DEADLINE, f"{now_ms - order.deadline_ms} ms late")
    stage = token["stage"]
    if stage not in TRADABLE:
        return Rejection(Reason.NOT_TRADABLE, stage)
    if purse.frozen is not None:
        return Rejection(Reason.FROZEN, purse.frozen)
    if token["held"] and token["failure"]:  # an operator's hold has none: its orders wait, those in hand go on
        return Rejection(Reason.HELD)
    try:
        if order.side is Side.BUY:
            rent = 0 if purse.has_token_account else account_rent_lamports
            return _buy(order, token, purse, rent, now_ms)
        return _sell(order, token, purse.tokens)
    except CurveRefusal as refusal:
        return Rejection(_REASONS[type(refusal)], refusal.detail)


_REASONS: Final[dict[type[CurveRefusal], Reason]] = {
    BelowMinimum: Reason.BELOW_MINIMUM,
    NothingBought: Reason.NOTHING_BOUGHT,
    NothingReceived: Reason.NOTHING_RECEIVED,
    PoolOutOfRange: Reason.POOL_OUT_OF_RANGE,
}


def _buy(order: Order, token: Mapping[str, Any], purse: Purse, rent_lamports: int, now_ms: int) -> Fill | Rejection:
    if token["paused"]:
        return Rejection(Reason.PAUSED)
    quote: BuyQuote = buy_quote(token, order.amount, now_ms)
    needed = quote.charged_lamports + rent_lamports
    if needed > purse.free_lamports:
        return Rejection(Reason.FUNDS, f"needs {needed} lamports, {max(purse.free_lamports, 0)} are free")
    minimum = quote.minimum_scaled(order.bound)
    if quote.tokens < minimum:
        return Rejection(Reason.SLIPPAGE, f"{quote.tokens} base units, at least {minimum} were asked for")
    cap = cap_of(token, now_ms)
    if cap is not None and purse.tokens + quote.tokens > cap:
        return Rejection(Reason.OPENING_CAP, f"{purse.tokens + quote.tokens} base units, at most {cap} may be held yet")
    return Fill(
        tokens=quote.tokens,
        lamports=quote.charged_lamports,
        curve_lamports=quote.cost_lamports,
        fee_lamports=quote.fees.total_lamports,
        creator_fee_lamports=quote.fees.creator_lamports,
        rent_lamports=rent_lamports,
        supply=quote.supply_after,
        reserve_lamports=token["reserve_lamports"] + quote.cost_lamports,
        price=quote.price_after,
        graduates=quote.graduates,
    )


def _sell(order: Order, token: Mapping[str, Any], tokens_held: int) -> Fill | Rejection:
    if order.amount > tokens_held:
        return Rejection(Reason.FUNDS, f"needs {order.amount} base units, {tokens_held} are held")
    quote: SellQuote = sell_quote(token, order.amount)
    if quote.received_lamports < order.bound:
        return Rejection(Reason.SLIPPAGE, f"{quote.received_lamports} lamports, at least {order.bound} were asked for")
    return Fill(
        tokens=quote.tokens,
        lamports=quote.received_lamports,
        curve_lamports=quote.proceeds_lamports,
        fee_lamports=quote.fees.total_lamports,
        creator_fee_lamports=quote.fees.creator_lamports,
        rent_lamports=0,
        supply=quote.supply_after,
        reserve_lamports=token["reserve_lamports"] - quote.proceeds_lamports,
        price=quote.price_after,
        graduates=False,
    )
