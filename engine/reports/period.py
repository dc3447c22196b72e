"""The time a report is about: whole hours or whole days of UTC, and the steps it is drawn in."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from engine.errors import Refusal
from engine.indicators.tallies import DAY_MS, HOUR_MS, SPAN_MS, Span

RANGES: Final = {"24h": 24 * HOUR_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS, "90d": 90 * DAY_MS}
"""The ranges that end now: the running hour (24h) or day is their last."""

LONGEST_DAYS: Final = 400
LONGEST_IN_HOURS_MS: Final = 14 * DAY_MS
HOURS_UNTIL_MS: Final = 3 * DAY_MS


class InvalidPeriod(Refusal):
    """A range that no report is made of."""

    code = "invalid_period"
    status = 422


@dataclass(frozen=True, slots=True)
class Period:
    """From `from_ms` to before `until_ms`, in steps of an hour or a day; both ends are whole steps."""

    from_ms: int
    until_ms: int
    step: Span

    @property
    def length_ms(self) -> int:
        """How long it is."""
        return self.until_ms - self.from_ms

    @property
    def before_ms(self) -> int:
        """Where the time of the same length before it begins."""
        return self.from_ms - self.length_ms

    @property
    def span(self) -> Span:
        """The longest tallies that make it up."""
        return Span.DAY if self.from_ms % DAY_MS == self.until_ms % DAY_MS == 0 else Span.HOUR

    @property
    def steps(self) -> list[int]:
        """Where each step begins."""
        return list(range(self.from_ms, self.until_ms, SPAN_MS[self.step]))


def read_period(
    now_ms: int, name: str | None = None, first: str | None = None, last: str | None = None, step: str | None = None
) -> Period:
    """A named range that ends now, or the days from `first` to `last` (YYYY-MM-DD, UTC, both included).

    Without a step it is hours up to three days, else days.

    Raises:
        InvalidPeriod: no such range, no such days, too many of them, or too many hours to draw.
    """
    if first is None and last is None:
        from_ms, until_ms = _until_now(now_ms, name or "24h")
    else:
        days = [_day(text) for text in (first, last)]
        from_ms, until_ms = _ms(days[0]), _ms(days[1] + timedelta(days=1))
    if not 0 < until_ms - from_ms <= LONGEST_DAYS * DAY_MS:
        raise InvalidPeriod(f"A range is from 1 to {LONGEST_DAYS} days, its last day not before its first.")
    period = Period(from_ms, until_ms, Span.DAY)
    if step is None:
        step = Span.HOUR if period.length_ms <= HOURS_UNTIL_MS or period.span is Span.HOUR else Span.DAY
    if step not in (Span.HOUR, Span.DAY):
        raise InvalidPeriod("A report goes by hour or by day.")
    if step == Span.HOUR and period.length_ms > LONGEST_IN_HOURS_MS:
        raise InvalidPeriod(f"By hour a range is at most {LONGEST_IN_HOURS_MS // DAY_MS} days long.")
    if step == Span.DAY and period.span is Span.HOUR:
        raise InvalidPeriod("The last 24 hours go by hour only.")
    return Period(from_ms, until_ms, Span(step))


def _until_now(now_ms: int, name: str) -> tuple[int, int]:
    if name not in RANGES:
        raise InvalidPeriod(f"A range is one of {', '.join(RANGES)}, or two days.")
    whole = HOUR_MS if name == "24h" else DAY_MS
    until_ms = now_ms - now_ms % whole + whole
    return until_ms - RANGES[name], until_ms


def _day(text: str | None) -> date:
    try:
        if text is None or len(text) != len("2026-01-01"):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidPeriod("A day is written 2026-11-22, and a range has two.") from None
    if not 1970 < day.year < 9999:
        raise InvalidPeriod("That day is out of reach.")
    return day


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000
