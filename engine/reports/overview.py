"""The platform's activity in a period: its totals, those of the period before, and the steps between."""

from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from engine.indicators.tallies import SPAN_MS, Span, begin_of, total
from engine.persistence import activity
from engine.persistence.database import Connection
from engine.reports.period import Period

SUMMED: Final = (
    "trades",
    "buys",
    "lamports",
    "pool_lamports",
    "simulated_lamports",
    "fee_lamports",
    "creator_fee_lamports",
    "pool_fee_lamports",
    "pool_creator_fee_lamports",
)
COUNTED: Final = ("launches", "graduations", "traders", "newcomers")


@dataclass(frozen=True, slots=True)
class Overview:
    """Totals by name (lamports and numbers of things), the same before, and every step of the period.

    `traders` of a total are different accounts; those of the steps do not add up to them.
    """

    period: Period
    totals: dict[str, int]
    before: dict[str, int]
    steps: list[dict[str, Any]]


def overview(connection: Connection, period: Period) -> Overview:
    """Read and shape it; five statements."""
    rows = activity.platform(connection, period.step, period.before_ms, period.until_ms)
    early, late = activity.traders_in(connection, period.span, period.before_ms, period.from_ms, period.until_ms)
    newcomers = activity.newcomers(connection, SPAN_MS[period.step], period.before_ms, period.until_ms)
    launched, graduated = activity.token_moments(connection, period.before_ms, period.until_ms)
    counts = {"launches": _by_step(launched, period.step), "graduations": _by_step(graduated, period.step)}
    counts["newcomers"] = newcomers
    now = [row for row in rows if row["begin_ms"] >= period.from_ms]
    then = [row for row in rows if row["begin_ms"] < period.from_ms]
    return Overview(
        period,
        _totals(now, counts, period.from_ms, period.until_ms) | {"traders": late},
        _totals(then, counts, period.before_ms, period.from_ms) | {"traders": early},
        _steps(period, now, counts),
    )


def _totals(
    rows: list[dict[str, Any]], counts: dict[str, dict[int, int]], from_ms: int, until_ms: int
) -> dict[str, int]:
    totals = {name: total(rows, name) for name in SUMMED}
    for name, by_step in counts.items():
        totals[name] = sum(count for at_ms, count in by_step.items() if from_ms <= at_ms < until_ms)
    return totals


def _steps(period: Period, rows: list[dict[str, Any]], counts: dict[str, dict[int, int]]) -> list[dict[str, Any]]:
    """One row per step, zeros where nothing was."""
    columns = ("begin_ms", *SUMMED, "traders")
    frame = pl.DataFrame({"begin_ms": period.steps}, schema={"begin_ms": pl.Int64})
    known = pl.DataFrame(
        [[row[name] for name in columns] for row in rows], dict.fromkeys(columns, pl.Int64), orient="row"
    )
    frame = frame.join(known, on="begin_ms", how="left")
    for name, by_step in counts.items():
        column = pl.DataFrame(
            {"begin_ms": list(by_step), name: list(by_step.values())}, dict.fromkeys(("begin_ms", name), pl.Int64)
        )
        frame = frame.join(column, on="begin_ms", how="left")
    return frame.fill_null(0).sort("begin_ms").to_dicts()


def _by_step(moments_ms: list[int], step: Span) -> dict[int, int]:
    counts: dict[int, int] = {}
    for at_ms in moments_ms:
        begin_ms = begin_of(at_ms, step)
        counts[begin_ms] = counts.get(begin_ms, 0) + 1
    return counts
