"""What the trade worker tells its operators: counted a batch at a time, because it is felt at ten thousand a second."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from engine import logs, metrics
from engine.ports import Clock, Delivery
from engine.trading.orders import UnreadableOrder, decoded
from engine.trading.rows import Row


class Counted(Protocol):
    """The counters that the worker keeps for itself."""

    duplicates: int
    retries: int
    contended: int
    parked: int
    workers: int


_waiting: Final[list[Callable[[], Sequence[Delivery]]]] = []
_owned: Final[list[Callable[[], int]]] = []


def watch(counted: Counted, waiting: Callable[[], Sequence[Delivery]], owned: Callable[[], int], clock: Clock) -> None:
    """Answer for a worker from now on; `waiting` are the orders that it has and has not decided, oldest first.

    `owned` is how many tokens' orders come to it.
    """
    _waiting[:], _owned[:] = [waiting], [owned]
    metrics.expose(metrics.TRADING)
    metrics.orders_duplicate.by(lambda: counted.duplicates)
    metrics.orders_parked.by(lambda: counted.parked)
    metrics.trade_retries.by(lambda: {"contention": counted.contended, "database": counted.retries})
    metrics.trade_workers.by(lambda: counted.workers)
    metrics.queue_orders.by(lambda: len(waiting()))
    metrics.queue_deepest.by(lambda: max(Counter(each.token for each in waiting()).values(), default=0))
    metrics.queue_oldest.by(lambda: _age_s(waiting(), clock.now_ms()))


def owned() -> int | None:
    """How many tokens' orders come to this process's worker; None where there is none."""
    return _owned[0]() if _owned else None


def queues(most: int) -> list[tuple[str, int, int | None]]:
    """The longest queues at this process's worker: token, orders, and when the oldest of them was accepted."""
    waiting = _waiting[0]() if _waiting else []
    first: dict[str, Delivery] = {}
    for delivery in waiting:
        first.setdefault(delivery.token, delivery)
    counted = Counter(each.token for each in waiting).most_common(most)
    return [(token, orders, accepted_at_ms(first[token].body)) for token, orders in counted]


def accepted_at_ms(body: bytes) -> int | None:
    """When that order was accepted; None of what is no order."""
    try:
        return decoded(body).accepted_at_ms
    except UnreadableOrder:
        return None


def _age_s(waiting: Sequence[Delivery], now_ms: int) -> float:
    accepted_ms = next(filter(None, (accepted_at_ms(each.body) for each in waiting)), now_ms)
    return max(0, now_ms - accepted_ms) / 1000


def committed(decided: Sequence[Row], now_ms: int) -> None:
    """Count these rows of `orders`, which one transaction has written by now."""
    if not decided:
        return
    metrics.batch_orders.observe(len(decided))
    if logs.is_followed():
        _follow(decided)
    latencies_ms = [max(0, now_ms - row["accepted_at_ms"]) for row in decided if row["reason"] is None]
    metrics.order_fill.observe_ms(latencies_ms)
    metrics.orders_filled.inc(len(latencies_ms))
    if len(latencies_ms) < len(decided):
        for reason, count in Counter(row["reason"] for row in decided if row["reason"] is not None).items():
            metrics.orders_rejected.labels(reason).inc(count)


def _follow(decided: Sequence[Row]) -> None:
    filled = [row["order_id"] for row in decided if row["reason"] is None]
    rejected = {row["order_id"]: row["reason"] for row in decided if row["reason"] is not None}
    logs.step("decided", filled=filled, rejected=rejected)
