"""What must hold on every curve, whatever k, n, decimals and fees, and after any sequence of trades."""

from fractions import Fraction

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from engine.curve import (
    BuyQuote,
    CurveRefusal,
    CurveState,
    FeeSchedule,
    LaunchRefused,
    NothingBought,
    NothingReceived,
    PowerCurve,
    Rounding,
    Terms,
    quote_buy,
    quote_sell,
    scaled_minimum,
)
from engine.curve.power import floor_root

exactly = settings(max_examples=250, deadline=None)

parts = st.one_of(
    st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(9, 10), Fraction(1)]),
    st.integers(0, 10**6).map(lambda millionths: Fraction(millionths, 10**6)),
)
lamports = st.one_of(st.integers(0, 1_000), st.integers(0, 10**12))
ks = st.builds(Fraction, st.integers(1, 10**30), st.integers(1, 10**30))
curves = st.builds(PowerCurve, ks, st.integers(0, 9), st.integers(0, 9))


@st.composite
def launches(draw: st.DrawFn) -> Terms:
    """Terms of every shape that can be launched: k is chosen by the SOL raised, so that most can."""
    n, decimals = draw(st.integers(0, 9)), draw(st.integers(0, 9))
    curve_supply = draw(st.one_of(st.integers(n + 1, 1_000), st.integers(n + 1, 10**13)))
    raised = Fraction(draw(st.one_of(st.integers(1, 10**6), st.integers(10**6, 10**14))), 10**9)
    curve = PowerCurve(raised * (n + 1) / Fraction(curve_supply, 10**decimals) ** (n + 1), n, decimals)
    fees = FeeSchedule(draw(st.sampled_from([0, 1, 100, 333, 9_999])), draw(st.integers(0, 100)))
    try:
        return Terms(curve, fees, curve_supply, 2 * curve_supply, minimum_buy_lamports=0)
    except LaunchRefused:
        reject()


def offer(terms: Terms, supply: int, part: Fraction) -> int:
    """Lamports from nothing to a quarter more than fills the curve."""
    rest = terms.curve.cost(supply, terms.curve_supply, Rounding.UP)
    return int(terms.fees.gross_for(rest) * part * Fraction(5, 4))


def bought(terms: Terms, supply: int, lamports: int) -> tuple[int, int]:
    """Tokens and charge of a buy, nothing for nothing where the offer buys no base unit or none is left."""
    if supply == terms.curve_supply:
        return 0, 0
    try:
        quote = quote_buy(terms, supply, lamports)
    except NothingBought:
        return 0, 0
    return quote.tokens, quote.charged_lamports


def received(terms: Terms, supply: int, tokens: int) -> int:
    """Net lamports of a sell, zero where it is refused for bringing nothing."""
    try:
        return quote_sell(terms, supply, tokens).received_lamports
    except NothingReceived:
        return 0


@exactly
@given(st.one_of(st.integers(0, 10**6), st.integers(0, 2**700)), st.integers(1, 10))
def test_the_root_is_floored_exactly(value: int, degree: int) -> None:
    root = floor_root(value, degree)
    assert root**degree <= value < (root + 1) ** degree


@exactly
@given(st.integers(0, 2**63), st.integers(2, 10), st.integers(-1, 1))
def test_the_root_is_exact_beside_perfect_powers(base: int, degree: int, off: int) -> None:
    value = max(0, base**degree + off)
    root = floor_root(value, degree)
    assert root**degree <= value < (root + 1) ** degree


@exactly
@given(curves, st.integers(0, 10**15), lamports)
def test_tokens_for_is_the_exact_floor(curve: PowerCurve, supply: int, lamports: int) -> None:
    def integral(base_units: int) -> Fraction:
        whole = Fraction(base_units, 10**curve.decimals)
        return curve.k / (curve.n + 1) * whole ** (curve.n + 1) * 10**9

    after = supply + curve.tokens_for(supply, lamports)

    assert after >= supply
    assert integral(after) - integral(supply) <= lamports < integral(after + 1) - integral(supply)
    assert curve.integral(supply) == integral(supply)


@exactly
@given(curves, st.integers(0, 10**15), st.integers(0, 10**15))
def test_costs_and_prices_are_the_exact_values_rounded(curve: PowerCurve, start: int, move: int) -> None:
    exact = curve.integral(start + move) - curve.integral(start)
    up = curve.cost(start, start + move, Rounding.UP)
    down = curve.cost(start, start + move, Rounding.DOWN)

    assert up - 1 < exact <= up
    assert down <= exact < down + 1
    assert curve.proceeds(start + move, move) == down
    assert curve.spot_price(start) == curve.k * Fraction(start, 10**curve.decimals) ** curve.n
    assert curve.spot_price_units(start) == int(curve.spot_price(start) * 10**15)


@exactly
@given(launches(), st.lists(st.tuples(st.booleans(), parts), max_size=12))
def test_the_reserve_stays_covered_and_nobody_profits_after_any_sequence(
    terms: Terms, trades: list[tuple[bool, Fraction]]
) -> None:
    state, paid, accrued = CurveState(), 0, 0
    for is_buy, part in trades:
        try:
            if is_buy:
                buy = quote_buy(terms, state.supply, offer(terms, state.supply, part**2))
                state = state.bought(buy)
                paid += buy.charged_lamports
                accrued += buy.fees.total_lamports
            else:
                sell = quote_sell(terms, state.supply, int(state.supply * part))
                assert sell.received_lamports > 0
                state = state.sold(sell)
                paid -= sell.received_lamports
                accrued += sell.fees.total_lamports
        except CurveRefusal:
            continue
        assert state.is_covered(terms.curve)
        assert 0 <= state.supply <= terms.curve_supply
        assert paid == state.reserve_lamports + accrued
    if state.supply == terms.curve_supply:
        assert state.reserve_lamports >= terms.raise_lamports


@exactly
@given(launches(), parts, parts)
def test_no_round_trip_ever_profits(terms: Terms, start: Fraction, part: Fraction) -> None:
    supply = int((terms.curve_supply - 1) * start)
    tokens, charged = bought(terms, supply, offer(terms, supply, part))
    if supply + tokens < terms.curve_supply:
        assert received(terms, supply + tokens, tokens) <= charged
    if tokens:
        assert terms.curve.proceeds(supply + tokens, tokens) <= charged


@exactly
@given(launches(), parts, parts, parts)
def test_splitting_a_buy_never_beats_the_whole(terms: Terms, start: Fraction, part: Fraction, cut: Fraction) -> None:
    supply = int((terms.curve_supply - 1) * start)
    lamports = offer(terms, supply, part)
    whole_tokens, whole_charged = bought(terms, supply, lamports)
    first_tokens, first_charged = bought(terms, supply, int(lamports * cut))
    # The second part may even offer again what came back from the first.
    second_tokens, second_charged = bought(terms, supply + first_tokens, lamports - first_charged)

    assert first_tokens + second_tokens <= whole_tokens
    if supply + first_tokens + second_tokens == terms.curve_supply:
        assert first_charged + second_charged >= whole_charged


@exactly
@given(launches(), parts, parts, parts)
def test_splitting_a_sell_never_beats_the_whole(terms: Terms, start: Fraction, part: Fraction, cut: Fraction) -> None:
    supply = int((terms.curve_supply - 1) * start)
    tokens = int(supply * part)
    first = int(tokens * cut)

    split = received(terms, supply, first) + received(terms, supply - first, tokens - first)
    assert split <= received(terms, supply, tokens)


@exactly
@given(launches(), parts, parts, st.integers(1, 10**6))
def test_quotes_are_monotone(terms: Terms, start: Fraction, part: Fraction, more: int) -> None:
    supply = int((terms.curve_supply - 1) * start)
    lamports = offer(terms, supply, part)
    tokens, _ = bought(terms, supply, lamports)
    assert bought(terms, supply, lamports + more)[0] >= tokens
    lower = supply - min(more, supply)
    assert terms.curve.tokens_for(lower, lamports) >= terms.curve.tokens_for(supply, lamports)

    selling = int(supply * part)
    assert received(terms, supply, min(supply, selling + more)) >= received(terms, supply, selling)
    assert terms.curve.spot_price_units(lower) <= terms.curve.spot_price_units(supply)


@exactly
@given(launches(), parts, parts)
def test_a_buy_gives_back_every_lamport_it_does_not_use(terms: Terms, start: Fraction, part: Fraction) -> None:
    supply = int((terms.curve_supply - 1) * start)
    lamports = offer(terms, supply, part)
    try:
        quote = quote_buy(terms, supply, lamports)
    except NothingBought:
        return
    fees = quote.fees

    assert quote.charged_lamports == quote.cost_lamports + fees.total_lamports
    assert quote.charged_lamports + quote.refund_lamports == lamports
    assert quote.refund_lamports >= 0
    assert fees.creator_lamports + fees.platform_lamports == fees.total_lamports
    assert quote.cost_lamports == terms.curve.cost(supply, quote.supply_after, Rounding.UP)
    assert quote.graduates == (quote.supply_after == terms.curve_supply)
    if quote.graduates:
        assert_smallest_gross(terms, supply, quote)
    else:
        assert fees == terms.fees.split(lamports)


def assert_smallest_gross(terms: Terms, supply: int, quote: BuyQuote) -> None:
    """One lamport less than the filling buy was charged would not have filled the curve."""
    exact = quote_buy(terms, supply, quote.charged_lamports)
    assert (exact.graduates, exact.refund_lamports, exact.fees) == (True, 0, quote.fees)
    assert supply + bought(terms, supply, quote.charged_lamports - 1)[0] < terms.curve_supply


@exactly
@given(st.integers(1, 2**63), st.integers(1, 2**63), parts)
def test_a_scaled_minimum_never_allows_a_worse_price(minimum: int, offered: int, part: Fraction) -> None:
    used = int(offered * part)
    scaled = scaled_minimum(minimum, offered, used)
    assert scaled - 1 < Fraction(minimum * used, offered) <= scaled <= minimum


@exactly
@given(st.integers(1, 2**63), st.integers(0, 9_999))
def test_the_gross_is_the_smallest_that_leaves_the_net(net: int, fee_bps: int) -> None:
    fees = FeeSchedule(fee_bps)
    gross = fees.gross_for(net)
    assert gross - fees.split(gross).total_lamports == net
    assert gross - 1 - fees.split(gross - 1).total_lamports < net
