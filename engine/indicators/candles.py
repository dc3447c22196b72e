"""Candles: the one rule by which a trade becomes part of a candle, shared by history, live feed and the trade worker.

The rule. A candle exists only where a trade was. It opens at the price before its first trade and closes at the price
after its last; high and low span all of these. The first trade ever, which has no price before it (0), opens at its own
price. A trade whose clock lies before the running candle belongs to the running candle: time never goes back.

The gap. Empty buckets between two candles are drawn flat at the earlier one's close, with no volume and no trades,
where they are at most 120; a longer gap is left out whole, and its ends stand side by side. After the last candle
nothing is drawn. The rule looks at two neighbours only, so it gives the same however they came to be known.

Prices are spot prices of the curve or the pool, so no fee is in them: 10^-15 SOL per whole token. Volumes are lamports,
what traders paid or received; times UTC epoch milliseconds.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

MINUTE_MS: Final = 60_000
LONGEST_GAP: Final = 120
"""Empty buckets in a row that are drawn."""


class Interval(StrEnum):
    """The lengths of candle that are served."""

    S1 = "1s"
    S15 = "15s"
    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def ms(self) -> int:
        """The length in milliseconds."""
        return _LENGTH_MS[self]


_LENGTH_MS: Final = {
    Interval.S1: 1_000,
    Interval.S15: 15_000,
    Interval.M1: MINUTE_MS,
    Interval.M5: 5 * MINUTE_MS,
    Interval.M15: 15 * MINUTE_MS,
    Interval.H1: 60 * MINUTE_MS,
    Interval.H4: 240 * MINUTE_MS,
    Interval.D1: 1440 * MINUTE_MS,
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


def with_gaps_filled(candles: Iterable[Candle], interval_ms: int) -> list[Candle]:
    """The candles with flat ones where nobody traded, as charts draw them."""
    filled: list[Candle] = []
    for candle in candles:
        last = filled[-1] if filled else None
        if last is not None and candle.bucket_ms - last.bucket_ms <= (LONGEST_GAP + 1) * interval_ms:
            price = last.close_price
            for bucket_ms in range(last.bucket_ms + interval_ms, candle.bucket_ms, interval_ms):
                filled.append(Candle(bucket_ms, price, price, price, price, 0, 0))
        filled.append(candle)
    return filled
