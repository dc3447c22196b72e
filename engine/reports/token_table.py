"""The table of all tokens with every indicator and their figures of a period: filtered, sorted, paged, exported.

The exports hold exact figures: Parquet as integers of base units, CSV as decimals. A cell of a CSV that a spreadsheet
would execute is made text.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from engine.errors import Refusal
from engine.indicators.tallies import Span
from engine.persistence import activity
from engine.persistence.database import Connection
from engine.persistence.market import raise_lamports
from engine.reports.period import Period
from engine.spreadsheets import as_text
from engine.trading.prices import ON_POOL
from engine.units import BPS_PER_ONE

COLUMNS: Final = (
    "address",
    "name",
    "symbol",
    "creator",
    "stage",
    "paused",
    "held",
    "hidden",
    "simulated",
    "created_at_ms",
    "tradable_at_ms",
    "graduated_at_ms",
    "last_trade_at_ms",
    "price",
    "market_cap_lamports",
    "liquidity_lamports",
    "volume_24h_lamports",
    "holders",
    "progress_bps",
    "reserve_lamports",
    "platform_fees_lamports",
    "creator_fees_lamports",
    "trades",
    "buys",
    "lamports",
    "fee_lamports",
    "ever_trades",
    "ever_lamports",
    "ever_fee_lamports",
)
"""Of the period: `trades`, `buys`, `lamports` (volume), `fee_lamports`. `…_fees_lamports` is what is accrued now."""

WORDS: Final = ("address", "name", "symbol", "creator", "stage")
STAGES: Final = ("launching", "curve", "graduating", "graduated", "failed")
FLAGS: Final = ("paused", "held", "hidden", "simulated")
PAGE: Final = 50
LONGEST_TEXT: Final = 60

_FROM_FACTS: Final = tuple(name for name in COLUMNS if name in activity.TOKEN_FACTS)
_PERIOD: Final = ("trades", "buys", "lamports", "fee_lamports")
_EVER: Final = ("trades", "lamports", "fee_lamports")


class InvalidQuery(Refusal):
    """A sort or filter that the table does not have."""

    code = "invalid_query"
    status = 422


@dataclass(frozen=True, slots=True)
class Query:
    """What of the table is wanted. `text` is part of a name or symbol, or the beginning of an address."""

    sort: str = "lamports"
    descending: bool = True
    text: str = ""
    stage: str = ""
    flag: str = ""
    launched_in: tuple[int, int] | None = None
    graduated_in: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.sort not in COLUMNS:
            raise InvalidQuery("The table has no such column.", sort=self.sort[:LONGEST_TEXT])
        if self.stage not in ("", *STAGES) or self.flag not in ("", *FLAGS) or len(self.text) > LONGEST_TEXT:
            raise InvalidQuery("The table has no such filter.")


def token_table(connection: Connection, period: Period) -> pl.DataFrame:
    """Every token; three statements."""
    facts = activity.token_facts(connection)
    rows = [[row[name] for name in _FROM_FACTS] + [progress_bps(row)] for row in facts]
    schema: dict[str, type[pl.DataType]] = {name: pl.String if name in WORDS else pl.Int64 for name in _FROM_FACTS}
    schema["progress_bps"] = pl.Int64
    frame = pl.DataFrame(rows, schema, orient="row")
    spans = (_tallied(connection, period, _PERIOD, ""), _tallied(connection, None, _EVER, "ever_"))
    for span in spans:
        frame = frame.join(span, on="address", how="left")
    return frame.with_columns(pl.col([*_PERIOD, *(f"ever_{name}" for name in _EVER)]).fill_null(0)).select(COLUMNS)


def _tallied(connection: Connection, period: Period | None, names: tuple[str, ...], prefix: str) -> pl.DataFrame:
    if period is None:
        rows = activity.by_token(connection, Span.EVER, 0, 1)
    else:
        rows = activity.by_token(connection, period.span, period.from_ms, period.until_ms)
    schema = {"address": pl.String} | {f"{prefix}{name}": pl.Int64 for name in names}
    return pl.DataFrame([[row["subject"], *(row[name] for name in names)] for row in rows], schema, orient="row")


def progress_bps(token: Mapping[str, Any]) -> int:
    """SOL raised of the SOL that graduates the token, rounded down; all of it only once the curve is full."""
    if token["stage"] in ON_POOL:
        return BPS_PER_ONE
    needed = raise_lamports(token["k"], token["n"], token["decimals"], token["curve_supply"])
    return min(int(token["reserve_lamports"]) * BPS_PER_ONE // needed, BPS_PER_ONE - 1)


def chosen(table: pl.DataFrame, query: Query) -> pl.DataFrame:
    """The rows that the query wants, in its order; equals by address."""
    if query.text:
        text = query.text.casefold()
        named = [
            text in name.casefold() or text in symbol.casefold()
            for name, symbol in table.select("name", "symbol").iter_rows()
        ]
        table = table.filter(pl.Series(named, dtype=pl.Boolean) | pl.col("address").str.starts_with(query.text))
    if query.stage:
        table = table.filter(pl.col("stage") == query.stage)
    if query.flag:
        table = table.filter(pl.col(query.flag) != 0)
    for column, within in (("tradable_at_ms", query.launched_in), ("graduated_at_ms", query.graduated_in)):
        if within is not None:
            table = table.filter(pl.col(column).is_between(*within, closed="left"))
    return table.sort([query.sort, "address"], descending=[query.descending, False])


def parquet(table: pl.DataFrame) -> bytes:
    """As Parquet: integers and text as they are."""
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def csv(table: pl.DataFrame) -> bytes:
    """As CSV: lamports as SOL with nine decimals, prices as SOL with fifteen, shares in percent, moments in UTC."""
    return table.select(_readable(name) for name in table.columns).write_csv().encode()


def _readable(name: str) -> pl.Expr:
    column = pl.col(name)
    if name in WORDS:
        return column.map_elements(as_text, return_dtype=pl.String)
    if name.endswith("_at_ms"):
        moment = pl.from_epoch(column, time_unit="ms").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        return pl.when(column > 0).then(moment).alias(name.removesuffix("_ms"))
    if name == "lamports":
        return _decimals(column, 9).alias("volume_sol")
    if name.endswith("_lamports"):
        return _decimals(column, 9).alias(
            name.replace("_lamports", "_volume_sol" if name == "ever_lamports" else "_sol")
        )
    if name == "price":
        return _decimals(column, 15).alias("price_sol")
    return _decimals(column, 2).alias("progress_percent") if name == "progress_bps" else column


def _decimals(column: pl.Expr, places: int) -> pl.Expr:
    """An amount of at least nothing as exact decimal text."""
    whole, rest = column // 10**places, column % 10**places
    return pl.concat_str(whole.cast(pl.String), pl.lit("."), rest.cast(pl.String).str.zfill(places))
