"""Every figure that operators can watch: its name, unit and meaning, in one place, and nothing about who counts it.

Names and units follow Prometheus' conventions. A process exposes only the groups of the parts that run in it, because a
zero of a part that runs elsewhere would be a lie. No label takes a value that users make: no token, no account.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from engine.metric_kinds import SECONDS, BulkHistogram, Read, forget_reads
from engine.settlement.settlement import Kind
from engine.trading.orders import Reason, Side

disable_created_metrics()  # type: ignore[no-untyped-call]

REFRESH_LIMIT_S: Final = 2.0

REGISTRY: Final = CollectorRegistry(auto_describe=False)
"""What this process exposes."""

Kept = Collector
"""Any of the figures below."""


def expose(*groups: Sequence[Collector]) -> None:
    """Let this process answer for these groups too."""
    for collector in (each for group in groups for each in group):
        if collector not in _exposed:
            _exposed.append(collector)
            REGISTRY.register(collector)


def before_answering(refresh: Callable[[], Awaitable[None]]) -> None:
    """Do this before each answer: what a part keeps for it is read anew. The newest of a part's kind counts."""
    _refreshers[type(getattr(refresh, "__self__", refresh))] = refresh


def forget() -> None:
    """Ask nobody for anything any more: who kept the figures is gone, and another life of the same process begins."""
    _refreshers.clear()
    forget_reads()


async def answer() -> bytes:
    """Everything that is exposed, in Prometheus' text format; what cannot be refreshed in two seconds stays away."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REFRESH_LIMIT_S):
            await asyncio.gather(*(refresh() for refresh in _refreshers.values()))
    return generate_latest(REGISTRY)


def bucket_counts(collector: Collector) -> list[int]:
    """How many observations fell into each bucket; the last one is everything beyond."""
    up_to: dict[float, float] = {}
    for family in collector.collect():
        for sample in family.samples:
            if sample.name.endswith("_bucket"):
                bound = float(sample.labels["le"])
                up_to[bound] = up_to.get(bound, 0) + sample.value
    ordered = [round(up_to[bound]) for bound in sorted(up_to)]
    return [count - before for count, before in zip(ordered, [0, *ordered], strict=False)]


def figure(collector: Collector) -> int | None:
    """A gauge's value; None in a process that does not keep it."""
    values = [sample.value for family in collector.collect() for sample in family.samples]
    return round(sum(values)) if values else None


def labelled(collector: Collector, label: str) -> int:
    """What was counted under that label's value."""
    samples = [sample for family in collector.collect() for sample in family.samples]
    return round(sum(sample.value for sample in samples if label in sample.labels.values()))


_exposed: Final[list[Collector]] = []
_refreshers: Final[dict[type, Callable[[], Awaitable[None]]]] = {}


def _counter(name: str, documentation: str, label: str = "", values: Iterable[str] = ()) -> Counter:
    """With every value that the label can take, from the start: what begins with 1 has no increase."""
    counter = Counter(name, documentation, [label] if label else [], registry=None)
    for value in values:
        counter.labels(value)
    return counter


def _histogram(name: str, documentation: str, bounds: Sequence[float], *labels: str) -> Histogram:
    return Histogram(name, documentation, labels, buckets=bounds, registry=None)


def _read_counter(name: str, documentation: str, label: str = "") -> Read:
    return Read(CounterMetricFamily, name, documentation, label)


def _read_gauge(name: str, documentation: str, label: str = "") -> Read:
    return Read(GaugeMetricFamily, name, documentation, label)


ALERTS: Final = (
    "account_frozen", "broker_away", "broker_error", "clock_skew", "confirmed_vanished", "database_error",
    "deposit_scan_error", "donation", "engine_error", "fee_payer_low", "foreign_transaction", "ledger_differs",
    "no_answer", "order_parked", "redis_away", "release_error", "settlement_error", "settlement_failed",
    "settlement_refused", "signer_error", "signer_refused", "signer_waits", "token_held", "unreadable_message",
    "vault_token", "withdrawals_hourly_limit", "worker_died",
)  # fmt: skip
"""Every name that a line of ours is logged under with `alert=`; a test holds this list against the source."""

build = Info("blitz_build", "What runs: its version, Python's, the service and the backend.", registry=None)
event_loop_lag = _read_gauge(
    "blitz_event_loop_lag_seconds", "The latest that the event loop was for a task in the last 15 seconds."
)
alerts = _counter("blitz_alerts_total", "Lines logged with alert=NAME.", "alert", ALERTS)
PROCESS: Final = (build, event_loop_lag, alerts, ProcessCollector(registry=None))
"""Of every process."""

statements = _read_counter("blitz_database_statements_total", "Statements sent to the database.")
connections = _read_gauge("blitz_database_connections_in_use", "Database connections in use.")
pool_size = _read_gauge("blitz_database_pool_size", "Database connections that may be in use at once.")
waiting_calls = _read_gauge("blitz_database_waiting_calls", "Reads and writes that wait for a database connection.")
DATABASE: Final = (statements, connections, pool_size, waiting_calls)

cache_requests = _counter(
    "blitz_cache_requests_total", "Questions about a token, by whether the cache had the answer.", "result",
    ("hit", "miss"),
)  # fmt: skip
bus_gaps = _counter("blitz_bus_gaps_total", "Channels of which a subscriber here may have missed events.")
bus_dropped = _read_counter("blitz_bus_dropped_total", "Commands to Redis that were lost: it was away or too slow.")
BUS: Final = (cache_requests, bus_gaps, bus_dropped)

orders_accepted = _counter("blitz_orders_accepted_total", "Orders queued, by side.", "side", Side)
orders_refused = _counter(
    "blitz_orders_refused_total", "Orders refused before they were queued, by the answer's code.", "code"
)
requests = _histogram(
    "blitz_http_request_seconds",
    "From a request of the HTTP API to its answer, by route and class of the status.",
    (0.005, 0.02, 0.05, 0.1, 0.35, 1.0, 5.0, 10.0),
    "route",
    "status",
)
WEB: Final = (orders_accepted, orders_refused, requests)

part_up = _read_gauge("blitz_part_up", "1 if that part answered when readiness was last asked.", "part")
READINESS: Final = (part_up,)

orders_filled = _counter("blitz_orders_filled_total", "Orders filled by this trade worker.")
orders_rejected = _counter(
    "blitz_orders_rejected_total", "Orders rejected by this trade worker, by reason.", "reason", Reason
)
orders_duplicate = _read_counter("blitz_orders_duplicate_total", "Deliveries of orders that were final already.")
orders_parked = _read_counter("blitz_orders_parked_total", "Orders parked by this trade worker.")
dead_letters = _counter("blitz_dead_letters_total", "Orders that the broker gave up on, taken from its dead letters.")
order_fill = BulkHistogram("blitz_order_fill_seconds", "From an order's acceptance to its commit in the ledger.")
batch_orders = _histogram(
    "blitz_trade_batch_orders",
    "Orders per transaction of the trade worker.",
    (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)
trade_retries = _read_counter(
    "blitz_trade_retries_total", "Transactions that the trade worker began again, by what was in the way.", "cause"
)
trade_workers = _read_gauge("blitz_trade_workers", "Trade workers that share the queues, as this one sees it.")
queue_orders = _read_gauge("blitz_queue_orders", "Orders that have reached this trade worker and are not decided.")
queue_deepest = _read_gauge("blitz_queue_deepest_orders", "Likewise, of the one token that has most of them.")
queue_oldest = _read_gauge("blitz_queue_oldest_order_seconds", "Age of the oldest of them; 0 with none.")
TRADING: Final = (
    orders_filled, orders_rejected, orders_duplicate, orders_parked, dead_letters, order_fill, batch_orders,
    trade_retries, trade_workers, queue_orders, queue_deepest, queue_oldest,
)  # fmt: skip

settlements_confirmed = _counter(
    "blitz_settlements_confirmed_total", "Settlements confirmed on the chain, by kind.", "kind", Kind
)
settlements_signed = _counter("blitz_settlements_signed_total", "Settlements signed, again ones included.")
settlements_dropped = _counter(
    "blitz_settlements_dropped_total", "Transactions proven never to land, to be signed again."
)
settlement_confirm = _histogram(
    "blitz_settlement_confirm_seconds", "From a settlement's commit in the ledger to its confirmation.", SECONDS
)
settlements_in_flight = _read_gauge("blitz_settlements_in_flight", "Signed settlements that this worker follows.")
fee_payer = _read_gauge("blitz_fee_payer_lamports", "What the fee payer held when it was last asked.")
fee_payer_low = _read_gauge("blitz_fee_payer_low_lamports", "Below this the fee payer is low.")
signer_errors = _counter(
    "blitz_signer_errors_total",
    "Settlements that the signer did not sign, by why.",
    "cause",
    ("refused", "unavailable"),
)
settlement_waits = _counter(
    "blitz_settlement_waits_total",
    "Rounds of the settlement worker that something out of reach ended, by its code.",
    "code",
    ("unavailable", "signer_unavailable"),
)
SETTLING: Final = (
    settlements_confirmed, settlements_signed, settlements_dropped, settlement_confirm, settlements_in_flight,
    fee_payer, fee_payer_low, signer_errors, settlement_waits,
)  # fmt: skip

signatures = _counter("blitz_signer_signed_total", "Transactions signed.")
SIGNING: Final = (signatures,)

reconciled_at = _read_gauge("blitz_reconcile_timestamp_seconds", "When ledger and chain were last compared.")
reconcile_differences = _read_gauge("blitz_reconcile_differences", "Differences that the last comparison found.")
reconcile_seconds = _read_gauge("blitz_reconcile_duration_seconds", "How long the last comparison took.")
settlements = _read_gauge("blitz_settlements", "Settlements that are not over, by state.", "state")
settlement_oldest = _read_gauge("blitz_settlement_oldest_seconds", "Age of the oldest one that is pending or signed.")
parked_orders = _read_gauge("blitz_parked_orders", "Parked orders that wait for an operator.")
frozen_accounts = _read_gauge("blitz_frozen_accounts", "Accounts that may neither trade nor withdraw.")
held_tokens = _read_gauge("blitz_held_tokens", "Tokens whose orders are not executed, by who holds them.", "by")
withdrawals_frozen = _read_gauge("blitz_withdrawals_frozen", "1 while withdrawals are frozen.")
RECONCILING: Final = (
    reconciled_at, reconcile_differences, reconcile_seconds, settlements, settlement_oldest, parked_orders,
    frozen_accounts, held_tokens, withdrawals_frozen,
)  # fmt: skip

market_sockets = _read_gauge("blitz_market_sockets", "Market sockets that are open.")
market_lag = _read_gauge("blitz_market_lag_seconds", "How long frames wait for their turn now.")
market_frames = _counter("blitz_market_frames_total", "Frames handed to market sockets.")
market_gaps = _counter("blitz_market_gaps_total", "Times that a token or the board was read anew: events were missed.")
MARKET: Final = (market_sockets, market_lag, market_frames, market_gaps)

GROUPS: Final = (
    PROCESS, DATABASE, BUS, WEB, READINESS, TRADING, SETTLING, SIGNING, RECONCILING, MARKET,
)  # fmt: skip
