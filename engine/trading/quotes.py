"""Quotes: what an order would do now, computed by the very functions that fill it. Without any effect."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.accounts.accounts import Account
from engine.curve import NothingBought, Rounding, price_impact_bps
from engine.identifiers import TokenAddress
from engine.persistence import accounts as rows
from engine.services import Services
from engine.trading.accept import NotTradable, account_rent_lamports, purse_of, rent_of
from engine.trading.execution import Purse
from engine.trading.inputs import UnknownToken, read_amount, read_slippage_bps, read_token
from engine.trading.orders import Side
from engine.trading.prices import (
    ON_POOL,
    TRADABLE,
    buy_quote,
    cap_of,
    fee_bps_of,
    price_of,
    sell_quote,
    terms_of,
    trading_fees,
)
from engine.units import BPS_PER_ONE


@dataclass(frozen=True, slots=True)
class Quote:
    """An order's outcome at the token's present `seq`.

    `lamports` is what a buy takes (fee included, `refund_lamports` of the offer come back) or a sell brings;
    `fee_bps` is what `fee_lamports` are of the SOL leg; a pool keeps its own part within the price.
    `rent_lamports` come on top of a buy. `minimum` is the slippage bound to send. `max` is the largest amount this
    account can trade, None where nobody is signed in. Prices are 10^-15 SOL per whole token.
    """

    token: TokenAddress
    seq: int
    side: Side
    amount: int
    tokens: int
    lamports: int
    minimum: int
    slippage_bps: int
    fee_lamports: int
    fee_bps: int
    refund_lamports: int
    rent_lamports: int
    price: int
    price_after: int
    price_impact_bps: int | None
    graduates: bool
    max: int | None

    def json(self) -> dict[str, Any]:
        """The quote as the API says it."""
        return {
            "token": self.token,
            "seq": self.seq,
            "side": self.side.value,
            "amount": str(self.amount),
            "tokens": str(self.tokens),
            "lamports": str(self.lamports),
            "minimum": str(self.minimum),
            "slippage_bps": self.slippage_bps,
            "fee_lamports": str(self.fee_lamports),
            "fee_bps": self.fee_bps,
            "refund_lamports": str(self.refund_lamports),
            "rent_lamports": str(self.rent_lamports),
            "price": str(self.price),
            "price_after": str(self.price_after),
            "price_impact_bps": self.price_impact_bps,
            "graduates": self.graduates,
            "max": None if self.max is None else str(self.max),
        }


async def quote(
    services: Services, token: object, side: Side, amount: object, slippage_bps: object, account: Account | None
) -> Quote:
    """What an order of `amount` (lamports to spend, or base units to sell) would do now.

    Raises:
        Refusal: an unreadable value, a token that does not trade, or an amount the curve refuses.
    """
    units = read_amount(amount, "amount")
    bps = read_slippage_bps(slippage_bps)
    address, seen = await _position(services, token, account)
    assert seen.token is not None
    purse = purse_of(seen)
    account_rent = rent_of(purse, await account_rent_lamports(services))
    now_ms = services.clock.now_ms()
    price = price_of(seen.token)
    largest = None if account is None else _largest(seen.token, side, purse, account_rent, now_ms)
    if side is Side.SELL:
        sold = sell_quote(seen.token, units)
        tokens, lamports, out = sold.tokens, sold.received_lamports, sold.received_lamports
        fee, refund, rent, after, graduates = sold.fees.total_lamports, 0, 0, sold.price_after, False
    else:
        bought = buy_quote(seen.token, units, now_ms)
        tokens, lamports, out = bought.tokens, bought.charged_lamports, bought.tokens
        fee, refund, after = bought.fees.total_lamports, bought.refund_lamports, bought.price_after
        rent, graduates = account_rent, bought.graduates
    return Quote(
        token=address,
        seq=seen.token["seq"],
        side=side,
        amount=units,
        tokens=tokens,
        lamports=lamports,
        minimum=max(1, out * (BPS_PER_ONE - bps) // BPS_PER_ONE),
        slippage_bps=bps,
        fee_lamports=fee,
        fee_bps=fee_bps_of(seen.token, side is Side.BUY, now_ms),
        refund_lamports=refund,
        rent_lamports=rent,
        price=price,
        price_after=after,
        price_impact_bps=price_impact_bps(price, after),
        graduates=graduates,
        max=largest,
    )


async def maximum(services: Services, token: object, side: Side, account: Account) -> int:
    """The largest amount the account can trade now: lamports to spend, or every base unit it holds; 0 for none.

    Raises:
        Refusal: an unknown token, or one that does not trade.
    """
    _, seen = await _position(services, token, account)
    assert seen.token is not None
    purse = purse_of(seen)
    account_rent = rent_of(purse, await account_rent_lamports(services))
    return _largest(seen.token, side, purse, account_rent, services.clock.now_ms())


async def _position(services: Services, token: object, account: Account | None) -> tuple[TokenAddress, rows.Position]:
    address = read_token(token)
    account_id = None if account is None else account.account_id
    seen = await services.database.read(partial(rows.position, account_id=account_id, token=address))
    if seen.token is None:
        raise UnknownToken("There is no token at this address.")
    if seen.token["stage"] not in TRADABLE:
        raise NotTradable(f"This token cannot be traded: {seen.token['stage']}.")
    return address, seen


def _largest(token: rows.Row, side: Side, purse: Purse, rent_lamports: int, now_ms: int) -> int:
    """Sell all, or the largest buy that is useful and not refused: never more than the rest of the curve takes."""
    if side is Side.SELL:
        return purse.tokens
    spendable, terms = purse.free_lamports - rent_lamports, terms_of(token)
    least = terms.minimum_buy_lamports
    if token["stage"] not in ON_POOL:
        fees = trading_fees(token, now_ms)
        rest = fees.gross_for(terms.curve.cost(token["supply"], terms.curve_supply, Rounding.UP))
        spendable, least = min(spendable, rest), min(least, rest)
    cap = cap_of(token, now_ms)
    if cap is not None:
        spendable = _within(token, cap - purse.tokens, spendable)
    return spendable if spendable >= least else 0


def _within(token: rows.Row, room: int, lamports: int) -> int:
    """The most of these lamports that cannot buy over `room` base units, not even when the opening's fee has gone."""
    after_ms = token["tradable_at_ms"] + token["opening_fee_ms"]
    low, high = 0, max(lamports, 0)
    while low < high:
        middle = (low + high + 1) // 2
        if _bought(token, middle, after_ms) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _bought(token: rows.Row, lamports: int, at_ms: int) -> int:
    try:
        return buy_quote({**token, "minimum_buy_lamports": 0}, lamports, at_ms).tokens
    except NothingBought:
        return 0
