"""Kinds of figure that the library lacks: one that somebody keeps anyway, and a histogram that takes a batch."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Bounds of latencies; 350 ms is what the ledger and the screen are to meet."""

Reading = float | Mapping[str, float]
"""One figure, or one for each value of a label."""


class Read(Collector):
    """A figure that somebody keeps anyway, asked for when it is looked at; absent while nobody does."""

    def __init__(
        self, family: type[CounterMetricFamily | GaugeMetricFamily], name: str, documentation: str, label: str
    ):
        self._family, self._name, self._documentation, self._label = family, name, documentation, label
        self._read: Callable[[], Reading | None] | None = None
        _all.append(self)

    def by(self, read: Callable[[], Reading | None]) -> None:
        """Ask this from now on; it is called on the event loop and answers None when it does not know."""
        self._read = read

    def forget(self) -> None:
        """Ask nobody any more."""
        self._read = None

    def describe(self) -> Iterable[Metric]:
        """The name, for the registry."""
        return [self._empty()]

    def collect(self) -> Iterator[Metric]:
        """The figure now."""
        found = None if self._read is None else self._read()
        if found is None:
            return
        family = self._empty()
        for value, figure in found.items() if isinstance(found, Mapping) else [("", found)]:
            family.add_metric([value] if self._label else [], figure)
        yield family

    def _empty(self) -> CounterMetricFamily | GaugeMetricFamily:
        return self._family(self._name, self._documentation, labels=[self._label] if self._label else [])


class BulkHistogram(Collector):
    """A histogram of seconds that takes a batch of observations at once, for what is counted per order.

    The library's own takes a lock for each observation, which the trade worker would feel.
    """

    def __init__(self, name: str, documentation: str) -> None:
        self._name, self._documentation = name, documentation
        self._bounds_ms = [round(bound * 1000) for bound in SECONDS]
        self._counts = [0] * (len(SECONDS) + 1)
        self._sum_ms = 0

    def observe_ms(self, values_ms: Sequence[int]) -> None:
        """Take in these; called on the event loop only."""
        for value_ms in values_ms:
            self._counts[bisect_left(self._bounds_ms, value_ms)] += 1
        self._sum_ms += sum(values_ms)

    def describe(self) -> Iterable[Metric]:
        """The name, for the registry."""
        return [HistogramMetricFamily(self._name, self._documentation)]

    def collect(self) -> Iterator[Metric]:
        """How many were at most each bound."""
        family = HistogramMetricFamily(self._name, self._documentation)
        up_to, buckets = 0, []
        for bound, count in zip([*map(str, SECONDS), "+Inf"], self._counts, strict=True):
            up_to += count
            buckets.append((bound, float(up_to)))
        family.add_metric([], buckets, self._sum_ms / 1000)
        yield family


def forget_reads() -> None:
    """Ask nobody for anything any more."""
    for read in _all:
        read.forget()


_all: Final[list[Read]] = []
