"""Every balance rebuilt from trades and transfers alone, and where the table says something else. Pure, in polars."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from engine.identifiers import SOL

TRADE_COLUMNS: Final = {
    "account_id": pl.String,
    "account_seq": pl.Int64,
    "token": pl.String,
    "side": pl.String,
    "lamports": pl.Int64,
    "tokens": pl.Int64,
}
TRANSFER_COLUMNS: Final = {
    "account_id": pl.String,
    "account_seq": pl.Int64,
    "asset": pl.String,
    "amount": pl.Int64,
    "kind": pl.String,
    "created_at_ms": pl.Int64,
}
BALANCE_COLUMNS: Final = {"account_id": pl.String, "asset": pl.String, "amount": pl.Int64, "account_seq": pl.Int64}


@dataclass(frozen=True, slots=True)
class Misfit:
    """Something of an account that the immutable rows do not lead to: an asset's amount, or `account_seq`."""

    account_id: str
    what: str
    table: int
    rebuilt: int


def movements(trades: Sequence[Sequence[Any]], transfers: Sequence[Sequence[Any]]) -> pl.DataFrame:
    """One row per movement of one balance: account, its number, asset, signed amount."""
    fills = pl.DataFrame(list(map(tuple, trades)), schema=TRADE_COLUMNS, orient="row")
    booked = pl.DataFrame(list(map(tuple, transfers)), schema=TRANSFER_COLUMNS, orient="row")
    sign = pl.when(pl.col("side") == "buy").then(1).otherwise(-1)
    number = ("account_id", "account_seq")
    return pl.concat(
        [
            fills.select(*number, asset=pl.lit(str(SOL)), amount=-sign * pl.col("lamports")),
            fills.select(*number, asset="token", amount=sign * pl.col("tokens")),
            booked.select(*number, "asset", "amount"),
        ]
    )


def misfits(
    balances: Iterable[Sequence[Any]], trades: Sequence[Sequence[Any]], transfers: Sequence[Sequence[Any]]
) -> list[Misfit]:
    """Where the balances of some accounts differ from what their movements add up to, and whose numbers have gaps.

    All three are the rows of the same accounts and of one moment, in the order of the columns above.
    """
    table = pl.DataFrame(list(map(tuple, balances)), schema=BALANCE_COLUMNS, orient="row")
    moved = movements(trades, transfers)
    amounts = moved.group_by("account_id", "asset").agg(rebuilt=pl.col("amount").sum())
    both = table.join(amounts, on=["account_id", "asset"], how="full", coalesce=True).fill_null(0)
    wrong = both.filter(pl.col("amount") != pl.col("rebuilt")).sort("account_id", "asset")
    found = [Misfit(row["account_id"], row["asset"], row["amount"], row["rebuilt"]) for row in wrong.to_dicts()]
    return found + _gaps(table, moved)


def _gaps(table: pl.DataFrame, moved: pl.DataFrame) -> list[Misfit]:
    """An account's numbers are 1, 2, 3 … up to the one that its SOL balance carries, so that no row is lost."""
    numbers = moved.unique(["account_id", "account_seq"]).group_by("account_id")
    numbered = numbers.agg(last=pl.col("account_seq").max(), rows=pl.len().cast(pl.Int64))
    carried = table.filter(pl.col("asset") == SOL).select("account_id", "account_seq")
    both = carried.join(numbered, on="account_id", how="left").fill_null(0)
    wrong = both.filter((pl.col("account_seq") != pl.col("last")) | (pl.col("rows") != pl.col("last")))
    return [
        Misfit(row["account_id"], "account_seq", row["account_seq"], row["rows"])
        for row in wrong.sort("account_id").to_dicts()
    ]
