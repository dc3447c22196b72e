"""Buys and sells on the default launch, by the lamport and the base unit."""

import pytest

from engine.curve import (
    BelowMinimum,
    CurveComplete,
    CurveRefusal,
    CurveState,
    Fees,
    FeeSchedule,
    MoreThanSold,
    NothingBought,
    NothingReceived,
    PowerCurve,
    Terms,
    price_impact_bps,
    quote_buy,
    quote_sell,
    scaled_minimum,
)

SOL = 1_000_000_000
CURVE = PowerCurve("0.000000001", 1)
LIMIT = 400_000_000_000
TERMS = Terms(CURVE, FeeSchedule(), LIMIT, 600_000_000_000)
FREE = Terms(CURVE, FeeSchedule(fee_bps=0), LIMIT, 600_000_000_000)


def test_one_sol_on_a_new_token_without_fees_buys_44721_tokens() -> None:
    quote = quote_buy(FREE, 0, SOL)

    assert quote.tokens == 44_721_359_549
    assert (quote.cost_lamports, quote.charged_lamports, quote.refund_lamports) == (SOL, SOL, 0)
    assert quote.price_after == 44_721_359_549
    assert not quote.graduates


def test_eighty_sol_graduate_the_curve_exactly() -> None:
    quote = quote_buy(FREE, 0, 80 * SOL)

    assert quote.graduates
    assert quote.supply_after == LIMIT
    assert (quote.charged_lamports, quote.refund_lamports) == (80 * SOL, 0)
    assert not quote_buy(FREE, 0, 80 * SOL - 1).graduates


def test_the_fee_is_on_the_sol_offered_and_the_rest_comes_back() -> None:
    quote = quote_buy(TERMS, LIMIT // 2, 123_456_789)

    assert quote.fees == Fees(1_234_568, 370_370, 864_198)
    net = 123_456_789 - 1_234_568
    assert net - 200 <= quote.cost_lamports <= net
    assert quote.charged_lamports == quote.cost_lamports + 1_234_568
    assert quote.refund_lamports == 123_456_789 - quote.charged_lamports
    assert quote.supply_after == LIMIT // 2 + quote.tokens


def test_the_filling_buy_uses_the_smallest_gross_that_covers_it() -> None:
    quote = quote_buy(TERMS, 0, 100 * SOL)

    assert quote.graduates
    assert quote.tokens == LIMIT
    assert quote.cost_lamports == 80 * SOL
    assert quote.charged_lamports == 80_808_080_809
    assert quote.fees == Fees(808_080_809, 242_424_242, 565_656_567)
    assert quote.refund_lamports == 100 * SOL - 80_808_080_809
    assert quote_buy(TERMS, 0, 80_808_080_809).graduates
    assert not quote_buy(TERMS, 0, 80_808_080_808).graduates


def test_the_filling_buy_scales_the_minimum_by_the_sol_used_rounded_up() -> None:
    filling = quote_buy(FREE, 0, 160 * SOL)
    assert filling.minimum_scaled(799_999_999_999) == 400_000_000_000
    assert filling.minimum_scaled(3) == 2

    partial = quote_buy(FREE, 0, SOL + 7)
    assert partial.minimum_scaled(12_345) == 12_345


@pytest.mark.parametrize(("offered", "used"), [(0, 0), (5, 6), (5, -1)])
def test_scaling_by_more_than_was_offered_is_a_bug(offered: int, used: int) -> None:
    with pytest.raises(ValueError, match="at most"):
        scaled_minimum(1, offered, used)


def test_a_buy_below_the_minimum_is_refused_unless_it_is_the_last_fill() -> None:
    with pytest.raises(BelowMinimum) as refused:
        quote_buy(TERMS, 0, 9_999_999)
    assert refused.value.data == {"minimum_lamports": "10000000"}
    assert quote_buy(TERMS, 0, 10_000_000).tokens > 0

    last = quote_buy(TERMS, LIMIT - 1, 2)
    assert last.graduates
    assert (last.tokens, last.charged_lamports) == (1, 2)
    with pytest.raises(BelowMinimum):
        quote_buy(TERMS, LIMIT - 1_000_000, 2)


@pytest.mark.parametrize("supply", [LIMIT, LIMIT + 1])
def test_a_full_curve_trades_no_more(supply: int) -> None:
    with pytest.raises(CurveComplete):
        quote_buy(TERMS, supply, SOL)
    with pytest.raises(CurveComplete):
        quote_sell(TERMS, supply, 1_000_000)


def test_a_buy_that_pays_for_no_base_unit_is_refused() -> None:
    dear = Terms(PowerCurve(1_000, 0, decimals=0), FeeSchedule(), 10, 20)
    with pytest.raises(NothingBought):
        quote_buy(dear, 0, SOL)


def test_a_sell_takes_the_fee_from_the_proceeds() -> None:
    quote = quote_sell(TERMS, 200_000_000_000, 100_000_000_000)

    assert quote.proceeds_lamports == 15 * SOL
    assert quote.fees == Fees(150_000_000, 45_000_000, 105_000_000)
    assert quote.received_lamports == 14_850_000_000
    assert quote.supply_after == 100_000_000_000
    assert quote.price_after == 100_000_000_000


@pytest.mark.parametrize("tokens", [0, 1, 10_000])
def test_a_sell_must_bring_something(tokens: int) -> None:
    with pytest.raises(NothingReceived):
        quote_sell(TERMS, 20_000_000, tokens)


def test_a_sell_of_more_than_the_supply_is_refused() -> None:
    with pytest.raises(MoreThanSold):
        quote_sell(TERMS, 1_000, 1_001)


def test_negative_amounts_are_bugs_not_answers() -> None:
    with pytest.raises(ValueError, match="zero or more"):
        quote_buy(TERMS, 0, -1)
    with pytest.raises(ValueError, match="zero or more"):
        quote_buy(TERMS, -1, SOL)
    with pytest.raises(ValueError, match="zero or more"):
        quote_sell(TERMS, 1_000, -1)


def test_the_state_follows_the_trades_and_stays_covered() -> None:
    bought = quote_buy(TERMS, 0, SOL)
    state = CurveState().bought(bought)
    assert state == CurveState(bought.tokens, bought.cost_lamports)
    assert state.is_covered(CURVE)
    assert not CurveState(state.supply, state.reserve_lamports - 1).is_covered(CURVE)

    sold = quote_sell(TERMS, state.supply, bought.tokens)
    assert state.sold(sold) == CurveState(0, bought.cost_lamports - sold.proceeds_lamports)


def test_price_impact_is_the_move_of_the_price_rounded_up() -> None:
    assert price_impact_bps(100_000, 110_000) == 1_000
    assert price_impact_bps(100_000, 90_000) == 1_000
    assert price_impact_bps(100_000, 100_001) == 1
    assert price_impact_bps(7, 7) == 0
    assert price_impact_bps(0, 5) is None


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (BelowMinimum, "below_minimum"),
        (CurveComplete, "graduated"),
        (NothingBought, "nothing_bought"),
        (NothingReceived, "nothing_received"),
        (MoreThanSold, "more_than_supply"),
    ],
)
def test_the_codes_of_refusals_are_stable(refusal: type[CurveRefusal], code: str) -> None:
    assert (refusal.code, refusal.status) == (code, 422)


def test_no_fee_is_in_a_price() -> None:
    dear = Terms(CURVE, FeeSchedule(fee_bps=1_000), LIMIT, 600_000_000_000)
    bought = quote_buy(dear, 0, SOL)
    assert bought.price_after == CURVE.spot_price_units(bought.supply_after)
    free, taxed = (quote_sell(terms, bought.tokens, bought.tokens // 2) for terms in (FREE, dear))
    assert taxed.received_lamports < free.received_lamports
    assert taxed.price_after == free.price_after == CURVE.spot_price_units(bought.tokens - bought.tokens // 2)
