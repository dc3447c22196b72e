"""What must hold on every pool after any sequence of trades."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.curve import CurveRefusal, PoolState, pool_output, quote_pool_buy, quote_pool_sell

exactly = settings(max_examples=300, deadline=None)

amounts = st.one_of(st.integers(1, 1_000), st.integers(1, 10**15))
pools = st.builds(PoolState, amounts, amounts, st.integers(0, 9))


@exactly
@given(pools, st.lists(st.tuples(st.booleans(), amounts), max_size=15))
def test_the_product_never_falls_and_no_lamport_is_lost(pool: PoolState, trades: list[tuple[bool, int]]) -> None:
    paid, accrued, held, opened = 0, 0, 0, pool
    for is_buy, amount in trades:
        before = pool
        try:
            if is_buy:
                buy = quote_pool_buy(pool, amount, minimum_buy_lamports=0)
                pool, paid, held = buy.pool_after, paid + buy.charged_lamports, held + buy.tokens
                accrued += buy.fees.total_lamports
            else:
                sell = quote_pool_sell(pool, amount)
                pool, paid, held = sell.pool_after, paid - sell.received_lamports, held - sell.tokens
                accrued += sell.fees.total_lamports
        except CurveRefusal:
            continue
        assert pool.invariant >= before.invariant
        assert pool.tokens + held == opened.tokens
        assert pool.sol_lamports + accrued == opened.sol_lamports + paid


@exactly
@given(pools, amounts)
def test_no_round_trip_through_the_pool_profits(pool: PoolState, lamports: int) -> None:
    try:
        buy = quote_pool_buy(pool, lamports, minimum_buy_lamports=0)
        sell = quote_pool_sell(buy.pool_after, buy.tokens)
    except CurveRefusal:
        return
    assert sell.received_lamports < buy.charged_lamports


@exactly
@given(amounts, amounts, amounts, amounts)
def test_the_output_is_monotone_and_never_empties_the_pool(amount: int, more: int, x: int, y: int) -> None:
    assert 0 <= pool_output(amount, x, y) <= pool_output(amount + more, x, y) < y
