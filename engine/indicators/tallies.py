"""Tallies: what trades add up to by hour, day and week, of the platform, each token and each trader. Pure.

Every trade is counted once into each of its tallies, in any order of tokens and in `seq` order within a token; sums,
first and last moments do not depend on when it is counted, so a late one is counted as if it had been in time.
Amounts are lamports, times UTC epoch milliseconds; a week begins on Monday.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

import polars as pl

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
WEEK_MS: Final = 7 * DAY_MS
MONDAY_MS: Final = 4 * DAY_MS
"""The epoch's first Monday: 1 January 1970 was a Thursday."""

PLATFORM: Final = "platform"
TOKEN: Final = "token"
TRADER: Final = "trader"
EVERYTHING: Final = "all"
"""The platform's only subject."""


class Span(StrEnum):
    """The lengths of time that are tallied; EVER begins at 0."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    EVER = "ever"


SPAN_MS: Final[Mapping[Span, int]] = {Span.HOUR: HOUR_MS, Span.DAY: DAY_MS, Span.WEEK: WEEK_MS}
KEYS: Final = ("kind", "span", "begin_ms", "subject")
SUMS: Final = (
    "trades",
    "buys",
    "lamports",
    "buy_lamports",
    "pool_lamports",
    "simulated_lamports",
    "fee_lamports",
    "creator_fee_lamports",
    "pool_fee_lamports",
    "pool_creator_fee_lamports",
    "traders",
)
FIGURES: Final = (*SUMS, "first_at_ms", "last_at_ms")

_SPANS: Final = {
    PLATFORM: (Span.HOUR, Span.DAY, Span.EVER),
    TOKEN: (Span.HOUR, Span.DAY, Span.EVER),
    TRADER: (Span.HOUR, Span.DAY, Span.WEEK, Span.EVER),
}
_SUBJECTS: Final = {PLATFORM: pl.lit(EVERYTHING), TOKEN: pl.col("token"), TRADER: pl.col("account_id")}


class Uncounted(NamedTuple):
    """What is counted of a trade; `on_pool` is what is known of its token from the trades counted before."""

    token: str
    seq: int
    account_id: str
    side: str
    simulated: int
    lamports: int
    fee_lamports: int
    creator_fee_lamports: int
    supply: int
    executed_at_ms: int
    curve_supply: int
    on_pool: int


Row = dict[str, Any]
Key = tuple[str, str, int, str]


def begin_of(at_ms: int, span: Span) -> int:
    """Where the span that holds this moment begins."""
    if span is Span.EVER:
        return 0
    return at_ms - (at_ms - (MONDAY_MS if span is Span.WEEK else 0)) % SPAN_MS[span]


def tally(trades: Sequence[Uncounted]) -> tuple[list[Row], list[Row]]:
    """New tallies of these trades alone, and how far their tokens are counted then; `traders` is left at 0.

    The trades of a token come in `seq` order. The trade that fills a curve is the curve's last one.
    """
    frame = pl.DataFrame(trades, schema=list(Uncounted._fields), orient="row")
    fills = (pl.col("supply") >= pl.col("curve_supply")).cast(pl.Int8)
    before = pl.max_horizontal(pl.col("on_pool"), fills.cum_max().shift(1, fill_value=0).over("token"))
    counted = frame.group_by("token", maintain_order=True).agg(
        pl.col("seq").last(), pl.max_horizontal(pl.col("on_pool"), fills).max().alias("on_pool")
    )
    frame = frame.with_columns(before.alias("on_pool"))
    parts = [_part(frame, kind, span) for kind, spans in _SPANS.items() for span in spans]
    return _added(pl.concat(parts)).to_dicts(), counted.to_dicts()


def _part(frame: pl.DataFrame, kind: str, span: Span) -> pl.DataFrame:
    """Each trade as a tally of its own."""
    at, lamports, fee = pl.col("executed_at_ms"), pl.col("lamports"), pl.col("fee_lamports")
    creator_fee, pool, buy = pl.col("creator_fee_lamports"), pl.col("on_pool"), (pl.col("side") == "buy")
    week = MONDAY_MS if span is Span.WEEK else 0
    return frame.select(
        kind=pl.lit(kind),
        span=pl.lit(span.value),
        begin_ms=pl.lit(0, pl.Int64) if span is Span.EVER else at - (at - week) % SPAN_MS[span],
        subject=_SUBJECTS[kind],
        trades=pl.lit(1, pl.Int64),
        buys=buy.cast(pl.Int64),
        lamports=lamports,
        buy_lamports=lamports * buy,
        pool_lamports=lamports * pool,
        simulated_lamports=lamports * pl.col("simulated"),
        fee_lamports=fee,
        creator_fee_lamports=creator_fee,
        pool_fee_lamports=fee * pool,
        pool_creator_fee_lamports=creator_fee * pool,
        traders=pl.lit(0, pl.Int64),
        first_at_ms=at,
        last_at_ms=at,
    )


def _added(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.group_by(KEYS).agg(pl.col(SUMS).sum(), pl.col("first_at_ms").min(), pl.col("last_at_ms").max())


def merge(known: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """The new tallies with what was known of them added, and with the traders that they bring."""
    before = {key_of(row): row for row in known}
    merged = {key_of(row): _sum(before.get(key_of(row)), row) for row in new}
    for key in merged:
        kind, span, begin_ms, _ = key
        platform = merged.get((PLATFORM, span, begin_ms, EVERYTHING))
        if kind == TRADER and key not in before and platform is not None:
            platform["traders"] += 1
    return list(merged.values())


def key_of(row: Mapping[str, Any]) -> Key:
    """What a tally is found by."""
    return row["kind"], row["span"], row["begin_ms"], row["subject"]


def _sum(known: Row | None, new: Row) -> Row:
    if known is None:
        return dict(new)
    first, last = min(known["first_at_ms"], new["first_at_ms"]), max(known["last_at_ms"], new["last_at_ms"])
    return new | {name: known[name] + new[name] for name in SUMS} | {"first_at_ms": first, "last_at_ms": last}


def total(rows: Iterable[Mapping[str, Any]], name: str) -> int:
    """One figure of many tallies together."""
    return sum(int(row[name]) for row in rows)
