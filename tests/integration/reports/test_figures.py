"""Every figure of the operators' dashboard against the raw rows, added up in Python that shares nothing with it."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl
import pytest

from engine.indicators.tallies import Span
from engine.persistence import activity
from engine.persistence.database import Connection, Database
from engine.persistence.paging import InvalidCursor
from engine.persistence.tallies import count_trades, forget_tallies
from engine.reports import cohorts, token_table
from engine.reports.overview import overview
from engine.reports.period import Period, read_period
from engine.reports.token_report import token_report
from tests.activity_data import HIDDEN, NOW_MS, OPENING, SIMULATED, SMALL, UNTRADED, plainly
from tests.integration.reports.conftest import count
from tests.ledger import account, token

Row = dict[str, Any]

PERIODS: Final = {
    "24h": read_period(NOW_MS, "24h"),
    "7d": read_period(NOW_MS, "7d"),
    "7d by hour": read_period(NOW_MS, "7d", step="hour"),
    "30d": read_period(NOW_MS, "30d"),
    "90d": read_period(NOW_MS, "90d"),
    "three days": read_period(NOW_MS, None, "2026-09-10", "2026-09-12"),
    "one day by day": read_period(NOW_MS, None, "2026-09-11", "2026-09-11", "day"),
    "before everything": read_period(NOW_MS, None, "2020-01-01", "2020-01-31"),
}


@pytest.fixture(params=PERIODS)
def period(request: pytest.FixtureRequest) -> Period:
    return PERIODS[request.param]


def read(database: Database, work: Callable[[Connection], Any]) -> Any:
    with database.snapshot() as connection:
        return work(connection)


def of_pools(trades: Iterable[Row], tokens: Iterable[Row]) -> set[str]:
    """The orders filled by a pool: whatever came after the trade that sold the curve's last token."""
    full = {row["address"]: row["curve_supply"] for row in tokens}
    found: set[str] = set()
    filled: set[str] = set()
    for row in sorted(trades, key=lambda row: (row["token"], row["seq"])):
        if row["token"] in filled:
            found.add(row["order_id"])
        if row["supply"] == full[row["token"]]:
            filled.add(row["token"])
    return found


def expected(rows: list[Row], pools: set[str], tokens: list[Row], firsts: dict[str, int], lo: int, hi: int) -> Row:
    """Every figure of the time from `lo` to before `hi`."""
    rows = [row for row in rows if lo <= row["executed_at_ms"] < hi]
    pooled = [row for row in rows if row["order_id"] in pools]
    return {
        "trades": len(rows),
        "buys": len([row for row in rows if row["side"] == "buy"]),
        "lamports": sum(row["lamports"] for row in rows),
        "pool_lamports": sum(row["lamports"] for row in pooled),
        "simulated_lamports": sum(row["lamports"] for row in rows if row["simulated"]),
        "fee_lamports": sum(row["fee_lamports"] for row in rows),
        "creator_fee_lamports": sum(row["creator_fee_lamports"] for row in rows),
        "pool_fee_lamports": sum(row["fee_lamports"] for row in pooled),
        "pool_creator_fee_lamports": sum(row["creator_fee_lamports"] for row in pooled),
        "traders": len({row["account_id"] for row in rows}),
        "newcomers": len([at for at in firsts.values() if lo <= at < hi]),
        "launches": len([row for row in tokens if lo <= row["tradable_at_ms"] < hi]),
        "graduations": len([row for row in tokens if lo <= row["graduated_at_ms"] < hi]),
    }


def first_trades(trades: Iterable[Row]) -> dict[str, int]:
    firsts: dict[str, int] = {}
    for row in trades:
        who, at = row["account_id"], row["executed_at_ms"]
        firsts[who] = min(at, firsts.get(who, at))
    return firsts


def test_the_month_has_what_the_figures_tell_apart(month: Database) -> None:
    trades, tokens = plainly(month, "trades"), plainly(month, "tokens")
    assert len(trades) > 300
    assert {row["address"] for row in tokens if row["graduated_at_ms"]} == {token(number) for number in SMALL}
    assert of_pools(trades, tokens)
    assert [row for row in trades if row["token"] == token(OPENING) and row["fee_lamports"] * 50 > row["lamports"]]
    assert any(row["simulated"] for row in trades)
    assert len([row for row in plainly(month, "transfers") if row["asset"] != "SOL"]) == 4


def test_totals_steps_and_the_period_before_are_the_rows_added_up(month: Database, period: Period) -> None:
    trades, tokens = plainly(month, "trades"), plainly(month, "tokens")
    pools, firsts = of_pools(trades, tokens), first_trades(trades)
    found = read(month, lambda connection: overview(connection, period))
    assert found.totals == expected(trades, pools, tokens, firsts, period.from_ms, period.until_ms)
    length_ms = period.until_ms - period.from_ms
    assert found.before == expected(trades, pools, tokens, firsts, period.from_ms - length_ms, period.from_ms)
    step_ms = 3_600_000 if period.step is Span.HOUR else 86_400_000
    assert [row["begin_ms"] for row in found.steps] == list(range(period.from_ms, period.until_ms, step_ms))
    for row in found.steps:
        at_ms = row.pop("begin_ms")
        assert row == expected(trades, pools, tokens, firsts, at_ms, at_ms + step_ms), at_ms


def test_counting_anew_gives_the_same_tallies(month: Database) -> None:
    def tallies() -> list[tuple[Any, ...]]:
        return sorted(tuple(row.values()) for row in plainly(month, "tallies"))

    before = tallies()
    with month.transaction() as connection:
        forget_tallies(connection)
    assert tallies() == []
    count(month, limit=113)
    assert tallies() == before
    with month.transaction() as connection:
        assert count_trades(connection) == 0


def test_the_token_table_is_the_tokens_and_their_trades(month: Database, period: Period) -> None:
    trades, tokens = plainly(month, "trades"), plainly(month, "tokens")
    found = read(month, lambda connection: token_table.token_table(connection, period))
    rows = {row["address"]: row for row in found.to_dicts()}
    assert set(rows) == {row["address"] for row in tokens}
    for each in tokens:
        row = rows[each["address"]]
        mine = [trade for trade in trades if trade["token"] == each["address"]]
        inside = [trade for trade in mine if period.from_ms <= trade["executed_at_ms"] < period.until_ms]
        for name in set(token_table.COLUMNS) & set(each):
            assert row[name] == each[name], name
        for prefix, those in (("", inside), ("ever_", mine)):
            assert row[f"{prefix}trades"] == len(those)
            assert row[f"{prefix}lamports"] == sum(trade["lamports"] for trade in those)
            assert row[f"{prefix}fee_lamports"] == sum(trade["fee_lamports"] for trade in those)
        assert row["buys"] == len([trade for trade in inside if trade["side"] == "buy"])
        needed = 500_000_000 if each["address"] in {token(n) for n in SMALL} else 80_000_000_000
        share = 10_000 if each["graduated_at_ms"] else each["reserve_lamports"] * 10_000 // needed
        assert row["progress_bps"] == share


def test_the_table_is_sorted_and_filtered(month: Database) -> None:
    table = read(month, lambda connection: token_table.token_table(connection, PERIODS["30d"]))
    for column in token_table.COLUMNS:
        values = token_table.chosen(table, token_table.Query(sort=column))[column].to_list()
        assert values == sorted(values, reverse=True), column
        up = token_table.chosen(table, token_table.Query(sort=column, descending=False))[column].to_list()
        assert up == values[::-1], column

    def wanted(**query: Any) -> set[str]:
        return set(token_table.chosen(table, token_table.Query(**query))["address"])

    assert wanted(stage="graduating") == {token(number) for number in SMALL}
    assert wanted(text="t3") == wanted(text="TOKEN 3") == {token(3)}
    assert token(3) in wanted(text=token(3)[:20])
    assert wanted(text="=.*") == set()
    assert wanted(flag="simulated") == wanted(flag="hidden") == {token(HIDDEN)}
    assert wanted(launched_in=(0, 1)) == set()
    assert wanted(graduated_in=(1, NOW_MS)) == wanted(stage="graduating")
    for wrong in ({"sort": "k"}, {"stage": "sold"}, {"flag": "name"}, {"text": "x" * 61}):
        with pytest.raises(token_table.InvalidQuery):
            token_table.Query(**wrong)


def test_exports_hold_the_exact_rows_and_no_formula(month: Database) -> None:
    table = read(month, lambda connection: token_table.token_table(connection, PERIODS["30d"]))
    assert pl.read_parquet(io.BytesIO(token_table.parquet(table))).equals(table)
    rows = list(csv.DictReader(io.StringIO(token_table.csv(table).decode())))
    for text, row in zip(rows, table.to_dicts(), strict=True):
        assert text["name"] == f"'{row['name']}", "it began with ="
        assert text["address"] == row["address"]
        assert int(text["volume_sol"].replace(".", "")) == row["lamports"]
        assert len(text["market_cap_sol"].partition(".")[2]) == 9
        assert int(text["price_sol"].replace(".", "")) == row["price"]
        assert datetime.fromisoformat(text["tradable_at"]) == datetime.fromtimestamp(0, UTC) + timedelta(
            milliseconds=row["tradable_at_ms"]
        )


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", '"=1', "=cmd|' /C calc'!A0"]
)
def test_no_name_becomes_a_formula(name: str) -> None:
    table = pl.DataFrame({column: [name if column in token_table.WORDS else 1] for column in token_table.COLUMNS})
    [row] = csv.DictReader(io.StringIO(token_table.csv(table).decode(), newline=""))
    assert row["name"] == (f"'{name}" if name[0] != '"' else name)
    assert row["symbol"].lstrip(" ")[0] in "'\""


def test_a_tokens_report_is_its_own_trades_and_transfers(month: Database) -> None:
    trades, transfers = plainly(month, "trades"), plainly(month, "transfers")
    balances = plainly(month, "balances")
    for facts in plainly(month, "tokens"):
        address = facts["address"]
        found = read(month, lambda connection, of=address: token_report(connection, of, NOW_MS))
        mine = sorted((row for row in trades if row["token"] == address), key=lambda row: row["seq"])
        moves = [
            (row["executed_at_ms"], row["account_id"], row["tokens"] * (1 if row["side"] == "buy" else -1))
            for row in mine
        ]
        moves += [
            (row["created_at_ms"], row["account_id"], row["amount"]) for row in transfers if row["asset"] == address
        ]
        held: Counter[str] = Counter()
        ends: dict[int, int] = {}
        for at_ms, who, amount in sorted(moves, key=lambda move: move[0]):
            held[who] += amount
            ends[at_ms - at_ms % found.step_ms] = sum(have > 0 for have in held.values())
        assert found.holders == sorted(ends.items())
        largest = sorted((row["amount"] for row in balances if row["asset"] == address and row["amount"]), reverse=True)
        for number, bps in found.concentration.items():
            assert bps == (sum(largest[:number]) * 10_000 // sum(largest) if largest else 0)
        _classes_add_up(found, mine, facts)
        assert not mine or all(found.by_class[name]["trades"] for name in found.by_class)
        _progress_follows_the_reserve(found, mine, facts)


def _classes_add_up(found: Any, mine: list[Row], facts: Row) -> None:
    early = {
        row["account_id"]
        for row in mine
        if row["side"] == "buy" and row["executed_at_ms"] < facts["tradable_at_ms"] + 60_000
    }
    simulated = {account(number) for number in SIMULATED}
    classes: defaultdict[str, list[Row]] = defaultdict(list)
    for row in mine:
        who = row["account_id"]
        name = "simulated" if who in simulated else "first minute" if who in early else "others"
        classes["creator" if who == facts["creator"] else name].append(row)
    for name, sums in found.by_class.items():
        rows = classes[name]
        bought = [row for row in rows if row["side"] == "buy"]
        sold = [row for row in rows if row["side"] == "sell"]
        assert sums["trades"] == len(rows)
        assert sums["lamports"] == sum(row["lamports"] for row in rows)
        assert (sums["bought_lamports"], sums["bought"]) == (
            sum(row["lamports"] for row in bought),
            sum(row["tokens"] for row in bought),
        )
        assert (sums["sold_lamports"], sums["sold"]) == (
            sum(row["lamports"] for row in sold),
            sum(row["tokens"] for row in sold),
        )
        for step in found.volumes:
            inside = [row for row in rows if row["executed_at_ms"] // found.step_ms * found.step_ms == step["begin_ms"]]
            assert step[name] == sum(row["lamports"] for row in inside)
    assert sum(step[name] for step in found.volumes for name in found.by_class) == sum(row["lamports"] for row in mine)
    assert found.creator["trades"] == len(classes["creator"])


def _progress_follows_the_reserve(found: Any, mine: list[Row], facts: Row) -> None:
    needed = 500_000_000 if facts["address"] in {token(n) for n in SMALL} else 80_000_000_000
    ends: dict[int, int] = {}
    is_full = False
    for row in mine:
        is_full = is_full or row["supply"] == facts["curve_supply"]
        ends[row["executed_at_ms"] // found.step_ms * found.step_ms] = (
            10_000 if is_full else row["reserve_lamports"] * 10_000 // needed
        )
    assert found.progress_bps == sorted(ends.items())


def test_nothing_was_traded_of_a_token_nobody_traded(month: Database) -> None:
    found = read(month, lambda connection: token_report(connection, token(UNTRADED), NOW_MS))
    assert (found.holders, found.volumes, found.progress_bps) == ([], [], [])
    assert read(month, lambda connection: token_report(connection, token(99), NOW_MS)) is None


@pytest.mark.parametrize("span", [Span.DAY, Span.WEEK])
def test_cohorts_are_who_began_then_and_traded_again(month: Database, span: Span) -> None:
    def begin(at_ms: int) -> int:
        day = datetime.fromtimestamp(at_ms // 1000, UTC).date()
        day -= timedelta(days=day.weekday() if span is Span.WEEK else 0)
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000

    trades = plainly(month, "trades")
    spans: defaultdict[str, set[int]] = defaultdict(set)
    for row in trades:
        spans[row["account_id"]].add(begin(row["executed_at_ms"]))
    found = read(month, lambda connection: cohorts.cohorts(connection, NOW_MS, span))
    days = 7 if span is Span.WEEK else 1
    assert found[-1].begin_ms == begin(NOW_MS)
    assert len(found) == (12 if span is Span.WEEK else 14)
    for cohort in found:
        who = [account_id for account_id, at in spans.items() if min(at) == cohort.begin_ms]
        later = range(cohort.begin_ms, begin(NOW_MS) + 1, days * 86_400_000)
        assert cohort.active == tuple(len([each for each in who if at_ms in spans[each]]) for at_ms in later)


def test_the_rows_behind_a_figure_are_all_of_them_once_page_by_page(month: Database) -> None:
    trades = plainly(month, "trades")
    lo, hi = PERIODS["7d"].from_ms, PERIODS["7d"].until_ms
    inside = [row for row in trades if lo <= row["executed_at_ms"] < hi]
    one = inside[0]
    for asked in ({}, {"token": one["token"]}, {"account_id": one["account_id"]}, {"side": "sell"}):
        pages = paged(month, lambda c, cursor, asked=asked: activity.trades_page(c, lo, hi, 7, cursor, **asked))
        wanted = [row for row in inside if all(row[name] == value for name, value in asked.items())]
        assert sorted(row["order_id"] for row in pages) == sorted(row["order_id"] for row in wanted)
        assert [row["executed_at_ms"] for row in pages] == sorted(
            (row["executed_at_ms"] for row in wanted), reverse=True
        )
    for span in (Span.HOUR, Span.DAY):
        pages = paged(month, lambda c, cursor, span=span: activity.traders_page(c, span, lo, hi, 3, cursor))
        sums: Counter[str] = Counter()
        for row in inside:
            sums[row["account_id"]] += row["lamports"]
        assert {row["subject"]: row["lamports"] for row in pages} == sums
        assert [row["lamports"] for row in pages] == sorted(sums.values(), reverse=True)


def paged(database: Database, page_of: Callable[[Connection, str | None], tuple[list[Row], str | None]]) -> list[Row]:
    rows: list[Row] = []
    cursor: str | None = None
    while True:
        page, cursor = read(database, lambda connection, at=cursor: page_of(connection, at))
        rows += page
        if cursor is None:
            return rows


@pytest.mark.parametrize("cursor", ["", "1", "x.y", "1.a'b", f"{2**70}.aa", "-1.aa"])
def test_a_strange_cursor_is_refused(month: Database, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        read(month, lambda connection: activity.trades_page(connection, 0, NOW_MS, 5, cursor))
