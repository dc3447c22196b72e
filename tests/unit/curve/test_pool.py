"""The pool after graduation: where it opens, its fees and its refusals."""

import pytest

from engine.curve import (
    BelowMinimum,
    Fees,
    FeeSchedule,
    NothingBought,
    NothingReceived,
    PoolOutOfRange,
    PoolState,
    PowerCurve,
    Terms,
    opening_pool,
    quote_pool_buy,
    quote_pool_sell,
)

SOL = 1_000_000_000
TERMS = Terms(PowerCurve("0.000000001", 1), FeeSchedule(), 400_000_000_000, 600_000_000_000)
POOL = opening_pool(TERMS)


def test_the_pool_opens_at_the_price_the_curve_ended_with() -> None:
    assert PoolState(80 * SOL, 200_000_000_000) == POOL
    assert POOL.price == TERMS.curve.spot_price_units(TERMS.curve_supply)


def test_a_buy_pays_30_bps_to_platform_and_creator_and_30_to_the_pool() -> None:
    quote = quote_pool_buy(POOL, SOL)

    assert quote.fees == Fees(3_000_000, 1_000_000, 2_000_000)
    assert (quote.charged_lamports, quote.input_lamports) == (SOL, 997_000_000)
    assert quote.tokens == 997_000_000 * 9_970 * POOL.tokens // (80 * SOL * 10_000 + 997_000_000 * 9_970)
    assert quote.pool_after == PoolState(80 * SOL + 997_000_000, POOL.tokens - quote.tokens)
    assert quote.price_after == quote.pool_after.price > POOL.price


def test_a_sell_pays_the_fees_from_its_proceeds() -> None:
    quote = quote_pool_sell(POOL, 1_000_000_000)

    assert quote.proceeds_lamports == 9_970 * 80 * SOL // (200 * 10_000 + 9_970)
    assert quote.fees.total_lamports == -(-quote.proceeds_lamports * 30 // 10_000)
    assert quote.received_lamports == quote.proceeds_lamports - quote.fees.total_lamports
    assert quote.pool_after == PoolState(80 * SOL - quote.proceeds_lamports, POOL.tokens + 1_000_000_000)
    assert quote.price_after == quote.pool_after.price < POOL.price


def test_trades_that_move_nothing_are_refused() -> None:
    with pytest.raises(BelowMinimum):
        quote_pool_buy(POOL, 9_999_999)
    with pytest.raises(NothingBought):
        quote_pool_buy(PoolState(10**18, 5), 10_000_000)
    with pytest.raises(NothingReceived):
        quote_pool_sell(POOL, 0)
    with pytest.raises(NothingReceived):
        quote_pool_sell(POOL, 1)


def test_a_trade_that_leaves_the_range_of_amounts_is_refused() -> None:
    with pytest.raises(PoolOutOfRange):
        quote_pool_buy(PoolState(SOL, 2_000), 10_000 * SOL)
    with pytest.raises(PoolOutOfRange):
        quote_pool_sell(PoolState(SOL, 2**62), 2**62)


def test_impossible_pools_and_amounts_are_bugs() -> None:
    for sol_lamports, tokens in [(0, 1), (1, 0), (-1, 1)]:
        with pytest.raises(ValueError, match="both sides"):
            PoolState(sol_lamports, tokens)
    with pytest.raises(ValueError, match="zero or more"):
        quote_pool_buy(POOL, -1)
    with pytest.raises(ValueError, match="zero or more"):
        quote_pool_sell(POOL, -1)
