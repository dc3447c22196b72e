"""Figures that time alone changes, for every token at once, from nothing but trades. Pure.

Everything is a function of the set of trades and of the moment: the order in which trades come to be known, and how
often, changes nothing. A trade counts for a window while it is younger than the window, to the millisecond.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from math import isqrt
from typing import Any, Final, NamedTuple

import polars as pl


class Window(StrEnum):
    """How far back the figures reach."""

    M5 = "5m"
    H1 = "1h"
    H6 = "6h"
    H24 = "24h"


WINDOWS_MS: Final[dict[str, int]] = {
    Window.M5.value: 300_000,
    Window.H1.value: 3_600_000,
    Window.H6.value: 21_600_000,
    Window.H24.value: 86_400_000,
}
DAY_MS: Final = WINDOWS_MS[Window.H24.value]

_SCHEMA: Final = {
    "token": pl.Int32,
    "seq": pl.Int64,
    "at_ms": pl.Int64,
    "price": pl.Int64,
    "lamports": pl.Int64,
    "trader": pl.UInt64,
}


class Rolled(NamedTuple):
    """One token's figures at a moment. A price of the past is 0 where there was none yet; 10^-15 SOL per token."""

    volume_24h_lamports: int
    traders_24h: int
    price_5m_ago: int
    price_1h_ago: int
    price_6h_ago: int
    price_24h_ago: int


class Measured(NamedTuple):
    """Every token's figures, and by window the trending tokens, the first one leading."""

    figures: dict[str, Rolled]
    trending: dict[str, list[str]]


class Tape:
    """The trades of the last 24 hours, and of each token the last one before them, which says what the price was."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._last_seq: dict[str, int] = {}
        self._frame = pl.DataFrame(schema=_SCHEMA)

    @property
    def trades(self) -> int:
        """How many are held."""
        return self._frame.height

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take in rows of `trades`, in any order; those known already change nothing."""
        new = list(rows)
        if not new:
            return
        in_order = True
        for row in new:
            known = self._last_seq.get(row["token"], 0)
            in_order &= row["seq"] > known
            self._last_seq[row["token"]] = max(known, row["seq"])
        columns = {
            "token": [self._numbers.setdefault(row["token"], len(self._numbers)) for row in new],
            "seq": [row["seq"] for row in new],
            "at_ms": [row["executed_at_ms"] for row in new],
            "price": [row["price"] for row in new],
            "lamports": [row["lamports"] for row in new],
            # a number of 64 bits in place of an address: a day's millions of trades stay in memory
            "trader": pl.Series([row["account_id"] for row in new]).hash(),
        }
        self._frame = pl.concat([self._frame, pl.DataFrame(columns, schema=_SCHEMA)])
        if not in_order:
            self._frame = self._frame.unique(subset=["token", "seq"]).sort("token", "seq")

    def forget(self, now_ms: int) -> None:
        """Let go of the trades that no window reaches any more, but each token's last one before them."""
        past = pl.col("at_ms") <= now_ms - DAY_MS
        last = pl.col("seq") == pl.col("seq").filter(past).max().over("token")
        self._frame = self._frame.filter(~past | last)

    def measure(self, now_ms: int, ranked: int) -> Measured:
        """The figures at that moment, and the first so many of each window's ranking."""
        if not self._numbers:
            return Measured({}, {window: [] for window in WINDOWS_MS})
        found = self._frame.group_by("token", maintain_order=True).agg(
            *(each for window, length_ms in WINDOWS_MS.items() for each in _of_window(window, now_ms - length_ms))
        )
        addresses = list(self._numbers)
        tokens = [(addresses[row["token"]], row) for row in found.iter_rows(named=True)]
        figures = {
            address: Rolled(
                row["volume_24h"],
                row["traders_24h"],
                *(row[f"price_{window}_ago"] or 0 for window in WINDOWS_MS),
            )
            for address, row in tokens
        }
        trending = {window: _ranked(tokens, window, ranked) for window in WINDOWS_MS}
        return Measured(figures, trending)


def _of_window(window: str, since_ms: int) -> list[pl.Expr]:
    inside = pl.col("at_ms") > since_ms
    return [
        pl.col("lamports").filter(inside).sum().alias(f"volume_{window}"),
        pl.col("trader").filter(inside).n_unique().alias(f"traders_{window}"),
        pl.col("price").filter(~inside).last().alias(f"price_{window}_ago"),
    ]


def trend(traders: int, volume_lamports: int) -> int:
    """How much a token trends: its traders times the square root of its volume.

    Ten accounts that trade one SOL each outweigh one account that trades ten: 10 x sqrt(10) against 1 x sqrt(10).
    """
    return traders * isqrt(volume_lamports)


def _ranked(tokens: list[tuple[str, dict[str, Any]]], window: str, ranked: int) -> list[str]:
    scores = {address: trend(row[f"traders_{window}"], row[f"volume_{window}"]) for address, row in tokens}
    moving = sorted((address for address in scores if scores[address]), key=lambda each: (-scores[each], each))
    return moving[:ranked]
