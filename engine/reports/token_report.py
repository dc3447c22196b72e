"""One token's life from its trades: holders, volume by class of trader, curve progress, concentration, its creator.

Read from the trades themselves, grouped by the database. Everybody who ever held the token is followed through every
step, so a token is drawn in at most about `STEPS` of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from engine.indicators.candles import MINUTE_MS
from engine.indicators.tallies import DAY_MS, HOUR_MS
from engine.persistence import activity
from engine.persistence.database import Connection
from engine.persistence.market import raise_lamports
from engine.units import BPS_PER_ONE

CREATOR, SIMULATED, EARLY, OTHERS = "creator", "simulated", "first minute", "others"
CLASSES: Final = (CREATOR, SIMULATED, EARLY, OTHERS)
"""Everybody is in the first class that is theirs: who launched the token, simulated traders, who bought within the
first minute of trading, and the rest."""

EARLY_MS: Final = MINUTE_MS
LARGEST: Final = (1, 10, 50)
STEPS: Final = 300
_STEPS_MS: Final = (MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS, 7 * DAY_MS)


@dataclass(frozen=True, slots=True)
class TokenReport:
    """Steps are oldest first, from the first movement to the last.

    `concentration` is the part of the tokens in accounts that the largest 1, 10 and 50 holders have, in bps rounded
    down. `volumes` are lamports by step and class. `creator` is what the creator bought and sold, and holds.
    """

    facts: dict[str, Any]
    step_ms: int
    holders: list[tuple[int, int]]
    progress_bps: list[tuple[int, int]]
    volumes: list[dict[str, int]]
    by_class: dict[str, dict[str, int]]
    concentration: dict[int, int]
    creator: dict[str, int]


def token_report(connection: Connection, address: str, now_ms: int) -> TokenReport | None:
    """The report, or None where no such token is; five statements."""
    facts = activity.one_token(connection, address)
    if facts is None:
        return None
    step_ms = _step(now_ms - (facts["tradable_at_ms"] or now_ms))
    flows = activity.token_flows(connection, address, step_ms)
    transfers = activity.token_transfers(connection, address, step_ms)
    closing = activity.closing_trades(connection, address, step_ms)
    holdings = activity.holdings(connection, address)
    held = list(holdings.values())
    early = _early_buyers(flows, facts["tradable_at_ms"] + EARLY_MS)
    classed = [row | {"class": _class_of(row, facts["creator"], early)} for row in flows]
    return TokenReport(
        facts=facts,
        step_ms=step_ms,
        holders=holders_over_time(flows, transfers),
        progress_bps=[
            (row["executed_at_ms"] - row["executed_at_ms"] % step_ms, _progress(facts, row)) for row in closing
        ],
        volumes=_volumes(classed),
        by_class={name: _sums(row for row in classed if row["class"] == name) for name in CLASSES},
        concentration={count: _share(sum(held[:count]), sum(held)) for count in LARGEST},
        creator=_sums(row for row in flows if row["account_id"] == facts["creator"])
        | {"held": holdings.get(facts["creator"], 0)},
    )


def holders_over_time(
    flows: Iterable[Mapping[str, Any]], transfers: Iterable[Mapping[str, Any]]
) -> list[tuple[int, int]]:
    """How many accounts had more than nothing at the end of each step in which any token moved."""
    signed = [
        (row["account_id"], row["begin_ms"], row["tokens"] * (1 if row["side"] == "buy" else -1)) for row in flows
    ]
    signed += [(row["account_id"], row["begin_ms"], row["tokens"]) for row in transfers]
    schema = {"account_id": pl.String, "begin_ms": pl.Int64, "tokens": pl.Int64}
    moved = pl.DataFrame(signed, schema, orient="row").group_by("account_id", "begin_ms").agg(pl.col("tokens").sum())
    holds = (pl.col("tokens").cum_sum().over("account_id") > 0).cast(pl.Int64)
    change = holds - holds.shift(1, fill_value=0).over("account_id")
    steps = moved.sort("begin_ms").with_columns(change=change).group_by("begin_ms").agg(pl.col("change").sum())
    return list(steps.sort("begin_ms").select("begin_ms", pl.col("change").cum_sum()).iter_rows())


def _step(age_ms: int) -> int:
    return next((step_ms for step_ms in _STEPS_MS if age_ms <= step_ms * STEPS), _STEPS_MS[-1])


def _early_buyers(flows: Iterable[Mapping[str, Any]], until_ms: int) -> set[str]:
    return {row["account_id"] for row in flows if row["side"] == "buy" and row["first_at_ms"] < until_ms}


def _class_of(row: Mapping[str, Any], creator: str, early: set[str]) -> str:
    if row["account_id"] == creator:
        return CREATOR
    if row["simulated"]:
        return SIMULATED
    return EARLY if row["account_id"] in early else OTHERS


def _progress(facts: Mapping[str, Any], trade: Mapping[str, Any]) -> int:
    """As in the token table; the whole once the curve was full."""
    if facts["graduated_at_ms"] and trade["executed_at_ms"] >= facts["graduated_at_ms"]:
        return BPS_PER_ONE
    needed = raise_lamports(facts["k"], facts["n"], facts["decimals"], facts["curve_supply"])
    return min(int(trade["reserve_lamports"]) * BPS_PER_ONE // needed, BPS_PER_ONE - 1)


def _volumes(classed: list[dict[str, Any]]) -> list[dict[str, int]]:
    steps: dict[int, dict[str, int]] = {}
    for row in classed:
        step = steps.setdefault(row["begin_ms"], {"begin_ms": row["begin_ms"], **dict.fromkeys(CLASSES, 0)})
        step[row["class"]] += row["lamports"]
    return [steps[begin_ms] for begin_ms in sorted(steps)]


def _sums(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    sums = dict.fromkeys(("trades", "lamports", "bought_lamports", "sold_lamports", "bought", "sold"), 0)
    for row in rows:
        way = "bought" if row["side"] == "buy" else "sold"
        sums["trades"] += row["trades"]
        sums["lamports"] += row["lamports"]
        sums[f"{way}_lamports"] += row["lamports"]
        sums[way] += row["tokens"]
    return sums


def _share(part: int, whole: int) -> int:
    return part * BPS_PER_ONE // whole if whole else 0
