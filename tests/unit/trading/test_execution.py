"""One order decided: every reason, and every bound exactly on its edge."""

from dataclasses import dataclass
from typing import Any, Final

import pytest

from engine.curve import opening_pool, quote_buy, quote_pool_buy, quote_pool_sell, quote_sell
from engine.trading.execution import Fill, Purse, Rejection, decide
from engine.trading.orders import Order, Reason, Side
from engine.trading.prices import terms_of
from tests.fakes import START_MS
from tests.ledger import ONE_SOL, RENT, SMALL_CURVE, make_order
from tests.market_data import token_values

SUPPLY: Final = 100_000_000_000
RESERVE: Final = 5_000_000_000
LIMIT: Final = 400_000_000_000
RICH: Final = Purse(1_000 * ONE_SOL, SUPPLY, has_token_account=True)


def on_curve(**changes: Any) -> dict[str, Any]:
    """A default token of which a quarter is sold."""
    return token_values(supply=SUPPLY, reserve_lamports=RESERVE, seq=1, price=SUPPLY, **changes)


def on_pool(**changes: Any) -> dict[str, Any]:
    """A default token at the moment its pool has opened."""
    full = {"supply": LIMIT, "reserve_lamports": 80 * ONE_SOL, "seq": 9, "price": LIMIT, "stage": "graduated"}
    return token_values(**full | changes)


BUY: Final = make_order(Side.BUY, ONE_SOL)
SELL: Final = make_order(Side.SELL, 10**9)
POOL_BOUGHT: Final = quote_pool_buy(opening_pool(terms_of(on_pool())), ONE_SOL)
POOL_SOLD: Final = quote_pool_sell(opening_pool(terms_of(on_pool())), 10**9)
BOUGHT: Final = quote_buy(terms_of(on_curve()), SUPPLY, ONE_SOL)
SOLD: Final = quote_sell(terms_of(on_curve()), SUPPLY, 10**9)


@dataclass(frozen=True)
class Case:
    """An order, what it meets, and the reason it is refused for, None for a fill."""

    name: str
    order: Order
    reason: Reason | None
    token: dict[str, Any] | None = None
    purse: Purse = RICH
    now_ms: int = START_MS
    unknown_token: bool = False


def poor(lamports: int, *, known: bool = True) -> Purse:
    return Purse(lamports, 0, has_token_account=known)


OPENED_MS: Final = START_MS
HOLDS_NOTHING: Final = Purse(10 * ONE_SOL, 0, True)
HOLDS_ONE: Final = Purse(10 * ONE_SOL, 1, True)


def opening(fee_bps: int = 0, cap_tokens: int = 0) -> dict[str, Any]:
    """The token just opened, under such rules for ten seconds."""
    rules = {"opening_fee_bps": fee_bps, "opening_fee_ms": 10_000 if fee_bps else 0}
    rules |= {"opening_cap_tokens": cap_tokens, "opening_cap_ms": 10_000 if cap_tokens else 0}
    return on_curve(tradable_at_ms=OPENED_MS, **rules)


FILLING: Final = make_order(Side.BUY, 100 * ONE_SOL)
FILL_QUOTE: Final = quote_buy(terms_of(on_curve()), SUPPLY, 100 * ONE_SOL)
WIDEST_BOUND: Final = FILL_QUOTE.tokens * 100 * ONE_SOL // FILL_QUOTE.charged_lamports
LAST_FILL: Final = on_curve() | {"supply": LIMIT - 1_000, "reserve_lamports": 80 * ONE_SOL}

CASES: Final = [
    Case("a buy", BUY, None),
    Case("a sell", SELL, None),
    Case("nobody knows the token", BUY, Reason.UNKNOWN_TOKEN, unknown_token=True),
    Case("the last millisecond of the deadline", BUY, None, now_ms=BUY.deadline_ms),
    Case("a millisecond late", BUY, Reason.DEADLINE, now_ms=BUY.deadline_ms + 1),
    Case("a late sell", SELL, Reason.DEADLINE, now_ms=SELL.deadline_ms + 1),
    Case("a late order on a closed token", BUY, Reason.DEADLINE, on_curve(stage="failed"), now_ms=BUY.deadline_ms + 1),
    Case("not confirmed yet", BUY, Reason.NOT_TRADABLE, on_curve(stage="launching")),
    Case("the launch failed", SELL, Reason.NOT_TRADABLE, on_curve(stage="failed")),
    Case("a buy from the pool", BUY, None, on_pool()),
    Case("a sell to the pool", SELL, None, on_pool()),
    Case("a buy from the pool before its memo is confirmed", BUY, None, on_pool(stage="graduating")),
    Case("a paused buy from the pool", BUY, Reason.PAUSED, on_pool(paused=1)),
    Case("the pool's bound exactly met", BUY._replace(bound=POOL_BOUGHT.tokens), None, on_pool()),
    Case("a base unit under the pool's bound", BUY._replace(bound=POOL_BOUGHT.tokens + 1), Reason.SLIPPAGE, on_pool()),
    Case("a lamport below the pool's minimum", make_order(Side.BUY, 9_999_999), Reason.BELOW_MINIMUM, on_pool()),
    Case("a buy up to the cap", BUY, None, opening(cap_tokens=BOUGHT.tokens), HOLDS_NOTHING),
    Case("a base unit over it", BUY, Reason.OPENING_CAP, opening(cap_tokens=BOUGHT.tokens - 1), HOLDS_NOTHING),
    Case("what is held counts too", BUY, Reason.OPENING_CAP, opening(cap_tokens=BOUGHT.tokens), HOLDS_ONE),
    Case("the cap's last moment", BUY, Reason.OPENING_CAP, opening(cap_tokens=1), now_ms=OPENED_MS + 9_999),
    Case("the cap is over", BUY, None, opening(cap_tokens=1), now_ms=OPENED_MS + 10_000),
    Case("a sell under a cap", SELL, None, opening(cap_tokens=1)),
    Case(
        "more than a pool can take",
        make_order(Side.BUY, 2**63 - 1),
        Reason.POOL_OUT_OF_RANGE,
        on_pool(),
        Purse(2**64, 0, True),
    ),
    Case("a paused buy", BUY, Reason.PAUSED, on_curve(paused=1)),
    Case("bought of a vault that cannot pay", BUY, Reason.HELD, on_curve(held=1, failure="cannot pay")),
    Case("sold to a vault that cannot pay", SELL, Reason.HELD, on_curve(held=1, failure="cannot pay")),
    Case("in hand when an operator holds it", BUY, None, on_curve(held=1)),
    Case("a frozen account's buy", BUY, Reason.FROZEN, purse=RICH._replace(frozen="refused")),
    Case("a frozen account's sell", SELL, Reason.FROZEN, purse=RICH._replace(frozen="refused")),
    Case("a paused sell", SELL, None, on_curve(paused=1)),
    Case("exactly enough SOL", BUY, None, purse=poor(BOUGHT.charged_lamports)),
    Case("a lamport short", BUY, Reason.FUNDS, purse=poor(BOUGHT.charged_lamports - 1)),
    Case("exactly enough with rent", BUY, None, purse=poor(BOUGHT.charged_lamports + RENT, known=False)),
    Case("a lamport short with rent", BUY, Reason.FUNDS, purse=poor(BOUGHT.charged_lamports + RENT - 1, known=False)),
    Case("below the locked minimum", BUY, Reason.FUNDS, purse=poor(-890_880)),
    Case("all tokens held", SELL, None, purse=Purse(0, 10**9, True)),
    Case("a base unit short", SELL, Reason.FUNDS, purse=Purse(0, 10**9 - 1, True)),
    Case("a sell without an account", SELL, Reason.FUNDS, purse=Purse(ONE_SOL, 0, False)),
    Case("the bound exactly met", BUY._replace(bound=BOUGHT.tokens), None),
    Case("a base unit under the bound", BUY._replace(bound=BOUGHT.tokens + 1), Reason.SLIPPAGE),
    Case("the sell's bound exactly met", SELL._replace(bound=SOLD.received_lamports), None),
    Case("a lamport under the bound", SELL._replace(bound=SOLD.received_lamports + 1), Reason.SLIPPAGE),
    Case("the filling buy", FILLING, None),
    Case("the filling buy at its widest bound", FILLING._replace(bound=WIDEST_BOUND), None),
    Case("and one beyond", FILLING._replace(bound=WIDEST_BOUND + 1), Reason.SLIPPAGE),
    Case("the filling buy pays only what it uses", FILLING, None, purse=poor(FILL_QUOTE.charged_lamports)),
    Case("and a lamport less", FILLING, Reason.FUNDS, purse=poor(FILL_QUOTE.charged_lamports - 1)),
    Case("the smallest buy", make_order(Side.BUY, 10_000_000), None),
    Case("a lamport below it", make_order(Side.BUY, 9_999_999), Reason.BELOW_MINIMUM),
    Case("the last fill may be smaller", make_order(Side.BUY, 9_999_999), None, LAST_FILL),
    Case("not one base unit", make_order(Side.BUY, 1), Reason.NOTHING_BOUGHT, on_curve(minimum_buy_lamports=0)),
    Case("not one lamport", make_order(Side.SELL, 1), Reason.NOTHING_RECEIVED),
    Case("nothing for nothing", make_order(Side.SELL, 0), Reason.NOTHING_RECEIVED),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_order_is_decided(case: Case) -> None:
    token = None if case.unknown_token else case.token or on_curve()
    before = None if token is None else dict(token)
    decision = decide(case.order, token, case.purse, case.now_ms, RENT)
    assert (decision.reason if isinstance(decision, Rejection) else None) == case.reason
    assert token == before, "deciding changes nothing"


def test_the_table_reaches_every_reason_that_a_decision_gives() -> None:
    assert {case.reason for case in CASES} == {None, *Reason} - {Reason.ENGINE_ERROR}


def test_a_buy_moves_exactly_what_its_quote_said() -> None:
    fill = decide(BUY, on_curve(), RICH, START_MS, RENT)
    assert fill == Fill(
        tokens=BOUGHT.tokens,
        lamports=BOUGHT.charged_lamports,
        curve_lamports=BOUGHT.cost_lamports,
        fee_lamports=10_000_000,
        creator_fee_lamports=3_000_000,
        rent_lamports=0,
        supply=SUPPLY + BOUGHT.tokens,
        reserve_lamports=RESERVE + BOUGHT.cost_lamports,
        price=SUPPLY + BOUGHT.tokens,
        graduates=False,
    )


def test_a_sell_moves_exactly_what_its_quote_said() -> None:
    fill = decide(SELL, on_curve(), Purse(0, 10**9, True), START_MS, RENT)
    proceeds = (SUPPLY**2 - (SUPPLY - 10**9) ** 2) // (2 * 10**12)
    fee = -(-proceeds // 100)
    assert fill == Fill(
        tokens=10**9,
        lamports=proceeds - fee,
        curve_lamports=proceeds,
        fee_lamports=fee,
        creator_fee_lamports=fee * 30 // 100,
        rent_lamports=0,
        supply=SUPPLY - 10**9,
        reserve_lamports=RESERVE - proceeds,
        price=SUPPLY - 10**9,
        graduates=False,
    )


def test_the_pool_moves_exactly_what_its_quote_said() -> None:
    bought = decide(BUY, on_pool(), RICH, START_MS, RENT)
    sold = decide(SELL, on_pool(), Purse(0, 10**9, True), START_MS, RENT)
    assert bought == Fill(
        tokens=POOL_BOUGHT.tokens,
        lamports=ONE_SOL,
        curve_lamports=997_000_000,
        fee_lamports=3_000_000,
        creator_fee_lamports=1_000_000,
        rent_lamports=0,
        supply=LIMIT + POOL_BOUGHT.tokens,
        reserve_lamports=80 * ONE_SOL + 997_000_000,
        price=POOL_BOUGHT.price_after,
        graduates=False,
    )
    fees = POOL_SOLD.fees
    assert sold == Fill(
        tokens=10**9,
        lamports=POOL_SOLD.received_lamports,
        curve_lamports=POOL_SOLD.proceeds_lamports,
        fee_lamports=fees.total_lamports,
        creator_fee_lamports=fees.creator_lamports,
        rent_lamports=0,
        supply=LIMIT - 10**9,
        reserve_lamports=80 * ONE_SOL - POOL_SOLD.proceeds_lamports,
        price=POOL_SOLD.price_after,
        graduates=False,
    )


def test_an_opening_makes_a_buy_dearer_less_and_less_and_a_sell_never() -> None:
    token = opening(fee_bps=2_000)
    for elapsed_ms, bps in ((0, 2_100), (1, 2_100), (5_000, 1_100), (9_999, 101), (10_000, 100)):
        fill = decide(BUY, token, RICH, OPENED_MS + elapsed_ms, RENT)
        assert isinstance(fill, Fill)
        assert fill.fee_lamports == ONE_SOL * bps // 10_000, elapsed_ms
        assert fill.creator_fee_lamports == fill.fee_lamports * 30 // 100
        sold = decide(SELL, token, RICH, OPENED_MS + elapsed_ms, RENT)
        assert isinstance(sold, Fill)
        assert sold.lamports == SOLD.received_lamports


def test_the_first_purchase_alone_pays_the_rent() -> None:
    first = decide(BUY, on_curve(), Purse(10 * ONE_SOL, 0, False), START_MS, RENT)
    emptied = decide(BUY, on_curve(), Purse(10 * ONE_SOL, 0, True), START_MS, RENT)
    assert isinstance(first, Fill)
    assert isinstance(emptied, Fill)
    assert (first.rent_lamports, emptied.rent_lamports) == (RENT, 0)
    assert first.lamports == emptied.lamports, "the rent is beside the price, not in it"


def test_the_filling_buy_gets_its_rest_back_and_fills_the_curve_to_the_last_unit() -> None:
    fill = decide(FILLING, on_curve(), RICH, START_MS, RENT)
    assert isinstance(fill, Fill)
    assert fill.graduates
    assert fill.supply == LIMIT
    assert fill.curve_lamports == 75 * ONE_SOL
    assert fill.lamports == 75 * ONE_SOL + fill.fee_lamports == -(-75 * ONE_SOL * 100 // 99)
    assert fill.reserve_lamports == 80 * ONE_SOL


def test_a_rejection_says_its_figures() -> None:
    short = decide(BUY, on_curve(), poor(7), START_MS, RENT)
    late = decide(BUY, on_curve(), RICH, BUY.deadline_ms + 12, RENT)
    slipped = decide(SELL._replace(bound=10**12), on_curve(), RICH, START_MS, RENT)
    assert short == Rejection(Reason.FUNDS, f"needs {BOUGHT.charged_lamports} lamports, 7 are free")
    assert late == Rejection(Reason.DEADLINE, "12 ms late")
    assert slipped == Rejection(
        Reason.SLIPPAGE, f"{SOLD.received_lamports} lamports, at least 1000000000000 were asked for"
    )


@pytest.mark.parametrize("order", [make_order(Side.BUY, -1), make_order(Side.SELL, -1)])
def test_a_negative_amount_is_a_bug_and_never_a_trade(order: Order) -> None:
    with pytest.raises(ValueError, match="zero or more"):
        decide(order, on_curve(), RICH, START_MS, RENT)


def test_more_tokens_than_the_curve_sold_is_a_bug_and_never_a_trade() -> None:
    with pytest.raises(KeyError):
        decide(make_order(Side.SELL, 2 * SUPPLY), on_curve(), Purse(0, 2 * SUPPLY, True), START_MS, RENT)


def test_terms_come_from_the_tokens_own_row() -> None:
    small = terms_of(on_curve() | SMALL_CURVE)
    assert small.raise_lamports == ONE_SOL // 2
    assert terms_of(on_curve(fee_bps=0)).fees.fee_bps == 0
