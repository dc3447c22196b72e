"""Rolling figures against plain sums over the whole tape, however late, doubled or forgotten its trades are."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.indicators.rolling import DAY_MS, WINDOWS_MS, Rolled, Tape, trend
from tests.market_data import address, trade_values

START_MS = 1_700_000_000_000
STEP_MS = st.integers(0, 5_000) | st.sampled_from(sorted(WINDOWS_MS.values())) | st.integers(0, DAY_MS)
STEPS = st.lists(
    st.tuples(st.integers(0, 2), STEP_MS, st.integers(0, 10**15), st.integers(1, 10**12), st.integers(0, 3)),
    max_size=40,
)


def rows_of(steps: list[tuple[int, int, int, int, int]]) -> list[dict[str, Any]]:
    """Trades of a few tokens, each token's times in the order of its numbers; some numbers are no trade's."""
    rows, at_ms = [], START_MS
    for seq, (number, delay_ms, price, lamports, who) in enumerate(steps, start=1):
        at_ms += delay_ms
        moment = {"price": price, "lamports": lamports, "executed_at_ms": at_ms, "account_id": address(who)}
        rows.append(trade_values(address(number), seq, **moment))
    return rows


def plain(rows: list[dict[str, Any]], token: str, now_ms: int) -> Rolled:
    mine = [row for row in rows if row["token"] == token]

    def ago(length_ms: int) -> int:
        before = [row["price"] for row in mine if row["executed_at_ms"] <= now_ms - length_ms]
        return before[-1] if before else 0

    day = [row for row in mine if row["executed_at_ms"] > now_ms - DAY_MS]
    volume, traders = sum(row["lamports"] for row in day), len({row["account_id"] for row in day})
    return Rolled(volume, traders, *(ago(length_ms) for length_ms in WINDOWS_MS.values()))


def plain_trending(rows: list[dict[str, Any]], window: str, now_ms: int) -> list[str]:
    scores = {}
    for token in {row["token"] for row in rows}:
        since_ms = now_ms - WINDOWS_MS[window]
        inside = [row for row in rows if row["token"] == token and row["executed_at_ms"] > since_ms]
        scores[token] = trend(len({row["account_id"] for row in inside}), sum(row["lamports"] for row in inside))
    return sorted((token for token in scores if scores[token]), key=lambda token: (-scores[token], token))


@settings(deadline=None, max_examples=150)
@given(STEPS, st.randoms(use_true_random=False), st.lists(STEP_MS, max_size=3))
def test_figures_do_not_depend_on_how_the_trades_came_to_be_known(
    steps: list[tuple[int, int, int, int, int]], chance: Any, later: list[int]
) -> None:
    rows = rows_of(steps)
    arriving = rows + chance.sample(rows, len(rows) // 2)
    chance.shuffle(arriving)
    tape = Tape()
    now_ms = rows[-1]["executed_at_ms"] if rows else START_MS
    for place in range(0, len(arriving), 7):
        tape.add(arriving[place : place + 7])
    for wait_ms in [0, *later]:
        now_ms += wait_ms
        if chance.random() < 0.7:
            tape.forget(now_ms)
        measured = tape.measure(now_ms, ranked=2)
        assert measured.figures == {token: plain(rows, token, now_ms) for token in {row["token"] for row in rows}}
        assert measured.trending == {window: plain_trending(rows, window, now_ms)[:2] for window in WINDOWS_MS}
    tape.forget(now_ms + DAY_MS)
    assert tape.trades == len({row["token"] for row in rows}), "one each, for its price"


def test_many_traders_outweigh_one_with_the_same_volume() -> None:
    assert trend(10, 10**10) > trend(1, 10**11)
    assert (trend(0, 5), trend(3, 0), trend(3, 16)) == (0, 0, 12)
