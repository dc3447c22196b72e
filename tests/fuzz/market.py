"""One random token traded through the engine's own prices, and what must hold after every trade of it.

The market keeps its own books of what came in and went out; nothing here is computed by the code under test, but the
quotes themselves and the exact integral.
"""

from random import Random
from typing import Any, Final

from engine.curve import BuyQuote, CurveRefusal, FeeSchedule, LaunchRefused, Opening, Rounding, SellQuote, Terms
from engine.curve.opening import MAX_FEE_BPS, MAX_FEE_MS
from engine.trading.prices import (
    ON_POOL,
    Stage,
    buy_quote,
    pool_of,
    pool_tokens,
    price_of,
    sell_quote,
    terms_of,
    trading_fees,
)
from engine.units import BPS_PER_ONE, MAX_AMOUNT

Row = dict[str, Any]
MAX_DECIMALS: Final = 9


class Violated(AssertionError):
    """An invariant does not hold."""


def require(holds: bool, what: str) -> None:
    """Raise with the words unless it holds."""
    if not holds:
        raise Violated(what)


def random_row(dice: Random) -> Row:
    """A token that can be launched: any k, n, decimals, fees, supplies and opening."""
    while True:
        decimals = dice.randint(0, MAX_DECIMALS)
        curve_supply = int(10 ** dice.uniform(1, 13)) + dice.randint(0, 9)
        opening = Opening()
        if dice.random() < 0.3:
            opening = Opening(dice.randint(1, MAX_FEE_BPS), dice.randint(1, MAX_FEE_MS))
        row = {
            "k": f"{dice.randint(1, 10**6)}/{int(10 ** dice.uniform(0, 30))}",
            "n": dice.randint(0, 9),
            "decimals": decimals,
            "fee_bps": dice.choice((0, 1, 30, 100, dice.randint(0, 4_999))),
            "creator_share_percent": dice.randint(0, 100),
            "curve_supply": curve_supply,
            "total_supply": 2 * curve_supply + dice.randint(0, curve_supply),
            "minimum_buy_lamports": dice.choice((0, 0, 1, 10_000)),
            "opening_fee_bps": opening.fee_bps,
            "opening_fee_ms": opening.fee_ms,
            "opening_cap_tokens": 0,
            "opening_cap_ms": 0,
            "tradable_at_ms": 0,
            "stage": Stage.CURVE.value,
            "supply": 0,
            "reserve_lamports": 0,
        }
        try:
            terms = terms_of(row)
        except (LaunchRefused, ZeroDivisionError):
            continue
        if terms.raise_lamports > 10:
            return row


class FuzzedMarket:
    """A token under random trades. `step` makes one of them and checks everything."""

    def __init__(self, dice: Random) -> None:
        self.row = random_row(dice)
        self.terms: Terms = terms_of(self.row)
        self.refused = 0
        self._dice = dice
        self._now_ms = 0
        self._in_lamports = self._accrued_lamports = 0
        self._pool_supply = 0

    def step(self) -> None:
        """One operation: a buy, a sell, or a round trip that must not pay.

        Raises:
            Violated: an invariant does not hold.
        """
        self._now_ms += self._dice.choice((0, 1, 700, 30_000))
        kind = self._dice.random()
        try:
            if kind < 0.55 or self.row["supply"] == 0:
                self._buy(self._lamports())
            elif kind < 0.9:
                self._sell(self._tokens())
            else:
                self._round_trip(self._lamports())
        except CurveRefusal:
            self.refused += 1

    def _lamports(self) -> int:
        """From a lamport to more than the rest of the curve, most of them in between."""
        scale = max(self.terms.raise_lamports, 2)
        if self._dice.random() < 0.05:
            return self._dice.choice((0, 1, 2, scale, 3 * scale))
        return int(scale ** self._dice.uniform(0, 0.98)) + self._dice.randint(0, 3)

    def _tokens(self) -> int:
        supply: int = self.row["supply"]
        if self._dice.random() < 0.05:
            return self._dice.choice((0, 1, supply))
        return min(supply, int(supply ** self._dice.uniform(0, 1)) + self._dice.randint(0, 1))

    def _buy(self, lamports: int) -> None:
        before, price = dict(self.row), price_of(self.row)
        quote = buy_quote(self.row, lamports, self._now_ms)
        _buy_adds_up(quote, lamports)
        require(quote.supply_after == before["supply"] + quote.tokens, "a buy moves the supply by its tokens")
        if before["stage"] not in ON_POOL:
            _curve_buy_is_exact(self.terms, before, quote, trading_fees(before, self._now_ms))
        self._in_lamports += quote.charged_lamports
        self._accrued_lamports += quote.fees.total_lamports
        self.row["reserve_lamports"] += quote.cost_lamports
        self._moved(before, quote.supply_after)
        require(quote.price_after >= price, "a buy never lowers the price")
        if quote.graduates:
            self._graduate(quote)
        else:
            require(quote.price_after == price_of(self.row), "the quoted price is the price after it")

    def _sell(self, tokens: int) -> None:
        before, price = dict(self.row), price_of(self.row)
        quote = sell_quote(self.row, tokens)
        _sell_adds_up(quote, tokens)
        self._in_lamports -= quote.received_lamports
        self._accrued_lamports += quote.fees.total_lamports
        self.row["reserve_lamports"] -= quote.proceeds_lamports
        self._moved(before, quote.supply_after)
        require(quote.supply_after == before["supply"] - tokens, "a sell moves the supply by its tokens")
        require(quote.price_after <= price, "a sell never raises the price")
        require(quote.price_after == price_of(self.row), "the quoted price is the price after it")

    def _round_trip(self, lamports: int) -> None:
        """Buy, then sell the very same tokens at once: without effect on the market, and never for a profit."""
        bought = buy_quote(self.row, lamports, self._now_ms)
        if bought.graduates:
            return
        after = self.row | {
            "supply": bought.supply_after,
            "reserve_lamports": self.row["reserve_lamports"] + bought.cost_lamports,
        }
        sold = sell_quote(after, bought.tokens)
        require(sold.received_lamports <= bought.charged_lamports, "no round trip pays")

    def _graduate(self, quote: BuyQuote) -> None:
        """Open the pool as the engine does: the integral stays, what rounding left is the platform's."""
        surplus = self.row["reserve_lamports"] - self.terms.raise_lamports
        require(surplus >= 0, "a full curve holds its integral")
        require(quote.supply_after == self.terms.curve_supply, "the last buy fills the curve to the base unit")
        self.row |= {"stage": Stage.GRADUATING.value, "reserve_lamports": self.terms.raise_lamports}
        self._accrued_lamports += surplus
        self._pool_supply = pool_tokens(self.row)
        require(self._pool_supply == self.terms.pool_tokens, "the pool opens with the tokens kept for it")
        require(self._pool_supply + quote.supply_after <= self.terms.total_supply, "there are so many tokens")
        # The pool's price is ceil(integral) / floor(S / (n + 1)), the curve's integral / (S / (n + 1)).
        exact = self.terms.curve.integral(self.terms.curve_supply)
        shares = self.terms.curve.n + 1
        opened, last = self.row["reserve_lamports"] * self.terms.curve_supply, exact * shares * self._pool_supply
        require(opened >= last, "the pool does not open below the curve's last price")
        slack = self.terms.curve_supply + (exact + 1) * shares
        require(opened <= last + slack, "nor above it but for the rounding of one lamport and one base unit")
        self._holds()

    def _moved(self, before: Row, supply: int) -> None:
        self.row["supply"] = supply
        if before["stage"] in ON_POOL:
            require(pool_of(self.row).invariant >= pool_of(before).invariant, "no trade lowers x·y")
        self._holds()

    def _holds(self) -> None:
        """Conservation and cover, after whatever happened."""
        reserve, supply = self.row["reserve_lamports"], self.row["supply"]
        require(self._in_lamports == reserve + self._accrued_lamports, "not a lamport is lost or made")
        require(supply >= 0 and 0 <= reserve <= MAX_AMOUNT, "amounts stay amounts")
        if self.row["stage"] in ON_POOL:
            pool = pool_of(self.row)
            require(pool.tokens + supply == self.terms.curve_supply + self.terms.pool_tokens, "no base unit is lost")
        else:
            require(supply <= self.terms.curve_supply, "the curve sells no more than it has")
            require(reserve >= self.terms.curve.integral(supply), "the reserve covers the exact integral")


def _buy_adds_up(quote: BuyQuote, lamports: int) -> None:
    require(quote.tokens > 0, "a buy brings something")
    require(quote.charged_lamports + quote.refund_lamports == lamports, "charged and refund are the offer")
    require(quote.cost_lamports + quote.fees.total_lamports == quote.charged_lamports, "cost and fee are the charge")
    require(quote.refund_lamports >= 0, "a refund is no debt")
    _fees_add_up(quote.fees.creator_lamports, quote.fees.platform_lamports, quote.fees.total_lamports)


def _sell_adds_up(quote: SellQuote, tokens: int) -> None:
    require(quote.tokens == tokens, "a sell takes what was offered")
    require(quote.received_lamports > 0, "a sell brings something")
    require(quote.received_lamports + quote.fees.total_lamports == quote.proceeds_lamports, "proceeds less the fee")
    _fees_add_up(quote.fees.creator_lamports, quote.fees.platform_lamports, quote.fees.total_lamports)


def _fees_add_up(creator: int, platform: int, total: int) -> None:
    require(creator >= 0 and platform >= 0 and creator + platform == total, "both parts are the fee")


def _curve_buy_is_exact(terms: Terms, before: Row, quote: BuyQuote, fees: FeeSchedule) -> None:
    """The most tokens the offer pays for, at the least it costs."""
    curve, supply = terms.curve, before["supply"]
    require(quote.cost_lamports == curve.cost(supply, quote.supply_after, Rounding.UP), "the cost, rounded up")
    if quote.graduates:
        fewer = quote.charged_lamports - 1
        require(fewer - fees.split(fewer).total_lamports < quote.cost_lamports, "the least that fills the curve")
        return
    offered = quote.charged_lamports + quote.refund_lamports
    net = offered - -(-offered * fees.fee_bps // BPS_PER_ONE)
    one_more = curve.integral(quote.supply_after + 1) - curve.integral(supply)
    require(quote.cost_lamports <= net < one_more, "the most tokens that the net pays for")
