"""Cohorts: of the accounts that made their first trade in one span, how many traded again in each later one."""

from dataclasses import dataclass
from typing import Final

from engine.indicators.tallies import MONDAY_MS, SPAN_MS, Span, begin_of
from engine.persistence import activity
from engine.persistence.database import Connection

SHOWN: Final = {Span.WEEK: 12, Span.DAY: 14}
"""How many cohorts are shown, the running span's included."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """The accounts whose first trade was in the span that begins at `begin_ms`.

    `active[n]` of them traded in the n-th span after it; the first is their number. Spans to come are left out.
    """

    begin_ms: int
    active: tuple[int, ...]


def cohorts(connection: Connection, now_ms: int, span: Span) -> list[Cohort]:
    """The newest cohorts, oldest first, those without anybody too; one statement."""
    length_ms = SPAN_MS[span]
    offset_ms = MONDAY_MS if span is Span.WEEK else 0
    last_ms = begin_of(now_ms, span)
    from_ms = last_ms - (SHOWN[span] - 1) * length_ms
    found = {
        (first, at): count for first, at, count in activity.cohorts(connection, span, length_ms, offset_ms, from_ms)
    }
    return [
        Cohort(first, tuple(found.get((first, at), 0) for at in range(first, last_ms + 1, length_ms)))
        for first in range(from_ms, last_ms + 1, length_ms)
    ]
