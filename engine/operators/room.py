"""The engine room as one backend knows it: who lives, what waits, how fast it goes.

It listens to the vitals of all processes. One that is silent for six seconds is dead, and shown so for an hour; one
that says goodbye is gone. What the database and the broker know is asked when somebody looks, once a second at most.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import orjson

from engine.errors import Unavailable
from engine.identifiers import TokenAddress
from engine.metric_kinds import SECONDS
from engine.operators import status
from engine.operators.actions import Action
from engine.operators.vitals import BUCKETS, CHANNEL
from engine.persistence import engine_room as rows
from engine.persistence import parked
from engine.persistence.database import Connection
from engine.persistence.standing import standing
from engine.ports import Subscription
from engine.services import Services
from engine.trading.orders import UnreadableOrder, decoded

DEAD_AFTER_S: Final = 6.0
FORGOTTEN_AFTER_S: Final = 3_600.0
KEPT_S: Final = 1.0
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
MOST_HELD: Final = 100

STATEMENT_BUDGET_PER_S: Final = {"trade": 400, "settle": 100, "web": 200}
"""Of a thousand statements a second, what each kind of process may send, together; the rest is reserve."""

Vitals = dict[str, Any]


class EngineRoom:
    """One backend's knowledge of every process; `look` is what the page shows."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._heard: dict[str, tuple[float, Vitals]] = {}
        self._looking = asyncio.Lock()
        self._seen: dict[str, Any] = {}
        self._seen_s = float("-inf")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen while the block runs."""
        subscription = await self._services.bus.subscribe(CHANNEL)
        listening = asyncio.create_task(self._listen(subscription), name="engine-room")
        try:
            yield
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
            await subscription.close()

    async def _listen(self, subscription: Subscription) -> None:
        async for message in subscription:
            if message.payload:
                self.hear(orjson.loads(message.payload), time.monotonic())

    def hear(self, vitals: Vitals, now_s: float) -> None:
        """Take in what a process says of itself."""
        if vitals.get("gone"):
            self._heard.pop(vitals["name"], None)
            return
        self._heard[vitals["name"]] = (now_s, vitals)
        self._heard = {name: each for name, each in self._heard.items() if now_s - each[0] < FORGOTTEN_AFTER_S}

    async def look(self) -> dict[str, Any]:
        """Everything, at most a second old."""
        async with self._looking:
            if time.monotonic() >= self._seen_s + KEPT_S:
                self._seen = await self._look()
                self._seen_s = time.monotonic()
            return self._seen

    async def _look(self) -> dict[str, Any]:
        found = await self._services.database.read(_read)
        now_s = time.monotonic()
        living = [vitals for heard_s, vitals in self._heard.values() if now_s - heard_s < DEAD_AFTER_S]
        return {
            "now_ms": self._services.clock.now_ms(),
            "workers": self.workers(now_s),
            "statements": statements(living),
            "latencies": latencies(living),
            "queues": await self._queues(living, found.pop("held")),
            "sockets": _sum(living, "sockets"),
            "cache_hit_rate": _hit_rate(living),
            "in_flight": _sum(living, "in_flight"),
            **found,
        }

    def workers(self, now_s: float) -> list[dict[str, Any]]:
        """Every process heard of in the last hour, the silent ones first."""
        shown = [
            {
                **{name: vitals[name] for name in _SHOWN},
                "silent_s": round(now_s - heard_s, 1),
                "is_dead": now_s - heard_s >= DEAD_AFTER_S,
            }
            for heard_s, vitals in self._heard.values()
        ]
        return sorted(shown, key=lambda each: (not each["is_dead"], each["name"]))

    async def _queues(self, living: Sequence[Vitals], held: dict[str, rows.Held]) -> list[dict[str, Any]]:
        """Orders that wait, by token: at the workers, and, of held tokens and those that wait most, at the broker."""
        at_workers = _at_workers(living, self._services.clock.now_ms())
        wanted = [TokenAddress(token) for token in dict.fromkeys([*list(held)[:MOST_HELD], *at_workers])]
        try:
            kept = await self._services.broker.depths(wanted)
        except Unavailable:
            kept = {}
        symbols = await self._services.database.read(partial(rows.symbols, addresses=list(at_workers)))
        symbols |= {token: each.symbol for token, each in held.items()}
        queues = []
        for token in wanted:
            at_worker, at_broker = at_workers.get(token), kept.get(token)
            oldest = _older(
                at_worker["oldest_at_ms"] if at_worker else None, at_broker.oldest_at_ms if at_broker else None
            )
            orders = (at_worker["orders"] if at_worker else 0) + (at_broker.orders if at_broker else 0)
            queue = {"token": token, "symbol": symbols.get(token), "held": token in held, "orders": orders}
            queue |= {"held_since_ms": held[token].since_ms if token in held else None}
            queues.append(queue | {"oldest_at_ms": oldest, "is_known": at_broker is not None})
        return sorted(queues, key=lambda each: (-each["orders"], each["token"]))


_SHOWN: Final = (
    "name", "runs", "backend", "version", "started_at_ms", "statements_per_s", "owned_tokens", "sockets", "in_flight",
)  # fmt: skip


def _read(connection: Connection) -> dict[str, Any]:
    counted = standing(connection)
    waiting = parked.waiting(connection)[: parked.MAX_SHOWN]
    symbols = rows.symbols(connection, sorted({row["token"] for row in waiting}))
    return {
        "settlements": counted.settlements,
        "oldest_settlement_at_ms": counted.oldest_ms or None,
        "parked": [_parked_json(row) | {"symbol": symbols.get(row["token"])} for row in waiting],
        "parked_count": counted.parked_orders,
        "held": rows.held(connection, Action.HOLD_TOKEN.value),
        "state": status.status(connection),
    }


def _parked_json(row: dict[str, Any]) -> dict[str, Any]:
    """What is parked; `side` and `amount` are None of what is no order."""
    shown = ("parked_id", "token", "account_id", "cause", "wanted", "parked_at_ms")
    found = {name: row[name] for name in shown}
    try:
        order = decoded(bytes(row["body"]))
    except UnreadableOrder:
        return found | {"side": None, "amount": None}
    return found | {"side": order.side, "amount": str(order.amount)}


def statements(living: Iterable[Vitals]) -> list[dict[str, Any]]:
    """Statements a second by kind of process, against the budget; a process that runs several is counted as all."""
    rates: dict[str, float] = {}
    for vitals in living:
        kind = "+".join(vitals["runs"])
        rates[kind] = rates.get(kind, 0.0) + vitals["statements_per_s"]
    return [
        {"kind": kind, "per_s": round(rate, 1), "budget_per_s": STATEMENT_BUDGET_PER_S.get(kind)}
        for kind, rate in sorted(rates.items())
    ]


def latencies(living: Iterable[Vitals]) -> dict[str, Any]:
    """p50, p95 and p99 in milliseconds of the last minute or two and of the last day, from all processes together."""
    found: dict[str, Any] = {}
    for vitals in living:
        for stage, told in vitals["latencies"].items():
            known = found.setdefault(stage, {"live": [0] * BUCKETS, "day": [0] * BUCKETS, "since_ms": told["since_ms"]})
            known["since_ms"] = min(known["since_ms"], told["since_ms"])
            for window in ("live", "day"):
                known[window] = [one + other for one, other in zip(known[window], told[window], strict=True)]
    return {
        stage: {
            "live": quantiles(known["live"]),
            "day": quantiles(known["day"]),
            "since_ms": known["since_ms"],
        }
        for stage, known in found.items()
    }


def quantiles(counts: Sequence[int]) -> dict[str, Any]:
    """How many were observed, and the quantiles, each interpolated within its bucket; None of none."""
    return {"count": sum(counts), **{name: quantile_ms(counts, share) for name, share in QUANTILES.items()}}


def quantile_ms(counts: Sequence[int], share: float) -> int | None:
    """The latency that this share of the observations does not exceed; beyond the last bound that bound itself."""
    total = sum(counts)
    if not total:
        return None
    wanted, seen, lower_s = share * total, 0, 0.0
    for bound_s, count in zip(SECONDS, counts, strict=False):
        if count and seen + count >= wanted:
            return round(1_000 * (lower_s + (bound_s - lower_s) * (wanted - seen) / count))
        seen, lower_s = seen + count, bound_s
    return round(1_000 * SECONDS[-1])


def _at_workers(living: Iterable[Vitals], now_ms: int) -> dict[str, dict[str, Any]]:
    """Orders by token as workers told of them; an order is shown as old as it was then: it may be gone since."""
    found: dict[str, dict[str, Any]] = {}
    for vitals in living:
        told_ago_ms = max(0, now_ms - vitals["at_ms"])
        for queue in vitals["queues"]:
            known = found.setdefault(queue["token"], {"orders": 0, "oldest_at_ms": None})
            known["orders"] += queue["orders"]
            if queue["oldest_at_ms"] is not None:  # of what is no order nobody knows it
                known["oldest_at_ms"] = _older(known["oldest_at_ms"], queue["oldest_at_ms"] + told_ago_ms)
    return found


def _older(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _sum(living: Iterable[Vitals], name: str) -> dict[str, int]:
    """A figure by process, of those that keep it."""
    return {vitals["name"]: vitals[name] for vitals in living if vitals[name] is not None}


def _hit_rate(living: Iterable[Vitals]) -> float | None:
    living = list(living)
    hits, misses = (sum(vitals[name] for vitals in living) for name in ("cache_hits", "cache_misses"))
    return round(hits / (hits + misses), 4) if hits + misses else None
