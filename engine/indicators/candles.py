"""Candles: the one rule by which a trade becomes part of a candle, shared by history, live feed and the trade worker.

The rule. A candle exists only where a trade was. It opens at the price before its first trade and closes at the price
after its last; high and low span all of these. The first trade ever, which has no price before it (0), opens at its own
price. A trade whose clock lies before the running candle belongs to the running candle: time never goes back.
Prices are 10^-15 SOL per whole token, volumes lamports, times UTC epoch milliseconds.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import polars as pl

MINUTE_MS: Final = 60_000


class Interval(StrEnum):
    """The lengths of candle that are served."""

    S1 = "1s"
    S15 = "15s"
    M1 = "1m"
    M5 = "5m"
    H1 = "1h"

    @property
    def ms(self) -> int:
        """The length in milliseconds."""
        return _LENGTH_MS[self]


_LENGTH_MS: Final = {
    Interval.S1: 1_000,
    Interval.S15: 15_000,
    Interval.M1: MINUTE_MS,
    Interval.M5: 5 * MINUTE_MS,
    Interval.H1: 60 * MINUTE_MS,
}


class Candle(NamedTuple):
    """The trades of one bucket. `bucket_ms` is where it begins, a multiple of the interval."""

    bucket_ms: int
    open_price: int
    high_price: int
    low_price: int
    close_price: int
    volume_lamports: int
    trades: int


class Tick(NamedTuple):
    """What a candle needs of a trade. `price_before` is 0 for the first trade ever."""

    at_ms: int
    price_before: int
    price: int
    lamports: int


def bucket_of(at_ms: int, interval_ms: int) -> int:
    """Where the bucket that holds this moment begins."""
    return at_ms - at_ms % interval_ms


def merge(candle: Candle | None, price_before: int, price: int, lamports: int, at_ms: int, interval_ms: int) -> Candle:
    """The running candle after one more trade: the same one grown, or a new one when a bucket has begun."""
    bucket_ms = bucket_of(at_ms, interval_ms)
    if candle is None or bucket_ms > candle.bucket_ms:
        opened = price_before or price
        return Candle(bucket_ms, opened, max(opened, price), min(opened, price), price, lamports, 1)
    return Candle(
        candle.bucket_ms,
        candle.open_price,
        max(candle.high_price, price),
        min(candle.low_price, price),
        price,
        candle.volume_lamports + lamports,
        candle.trades + 1,
    )


def fold(ticks: Iterable[Tick], interval_ms: int, running: Candle | None = None) -> list[Candle]:
    """Candles of trades in `seq` order, oldest first. With `running`, its grown form is the first one."""
    candles: list[Candle] = [] if running is None else [running]
    for tick in ticks:
        last = candles[-1] if candles else None
        grown = merge(last, tick.price_before, tick.price, tick.lamports, tick.at_ms, interval_ms)
        if last is not None and grown.bucket_ms == last.bucket_ms:
            candles[-1] = grown
        else:
            candles.append(grown)
    return candles


def resample(candles: Sequence[Candle], interval_ms: int) -> list[Candle]:
    """Longer candles from shorter ones given oldest first; `interval_ms` is a multiple of theirs."""
    if not candles:
        return []
    frame = pl.DataFrame(
        {
            "bucket_ms": [candle.bucket_ms - candle.bucket_ms % interval_ms for candle in candles],
            "open_price": [candle.open_price for candle in candles],
            "high_price": [candle.high_price for candle in candles],
            "low_price": [candle.low_price for candle in candles],
            "close_price": [candle.close_price for candle in candles],
            "volume_lamports": [candle.volume_lamports for candle in candles],
            "trades": [candle.trades for candle in candles],
        },
        schema_overrides={"volume_lamports": pl.Int128},
    )
    longer = frame.group_by("bucket_ms", maintain_order=True).agg(
        pl.col("open_price").first(),
        pl.col("high_price").max(),
        pl.col("low_price").min(),
        pl.col("close_price").last(),
        pl.col("volume_lamports").sum(),
        pl.col("trades").sum(),
    )
    return [Candle(*row) for row in longer.iter_rows()]
