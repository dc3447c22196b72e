"""What a run found, for people as a table and for machines as one JSON line."""

import os
from dataclasses import dataclass

import orjson

from benchmarks.drain import Drained
from benchmarks.floor import Floor
from benchmarks.naive import Naive
from benchmarks.paced import Paced
from benchmarks.stacks import Limit, StackName, Used


@dataclass(frozen=True, slots=True)
class Report:
    """Every leg of one run."""

    stack: StackName
    drained: Drained
    naive: Naive
    floor: Floor
    broker: Limit | None
    paced: Paced
    trading: Used
    """What the paced orders took."""
    settled_after_s: float
    """From the last paced fill until the chain had confirmed every trade."""
    frames: int
    """What the hub sent to one reader meanwhile."""

    def figures(self) -> dict[str, str | float | int]:
        """The keys that tools read, then further ones."""
        drained, naive, floor, paced = self.drained, self.naive, self.floor, self.paced
        trades_per_s, naive_per_s = drained.trades / drained.wall_s, naive.trades / naive.wall_s
        cpu_us, naive_cpu_us = _cpu_us(drained), _cpu_us(naive)
        return {
            "stack": self.stack.value,
            "trades_per_s": round(trades_per_s, 1),
            "naive_trades_per_s": round(naive_per_s, 1),
            "statements_per_trade": round(drained.statements / drained.trades, 4),
            "statements_per_s": round(self.trading.statements / paced.wall_s, 1),
            "p50_ms": round(paced.percentile_ms(50), 2),
            "p99_ms": round(paced.percentile_ms(99), 2),
            "ratio": round(trades_per_s / naive_per_s, 1),
            "cpu_us_per_trade": round(cpu_us, 1),
            "naive_cpu_us_per_trade": round(naive_cpu_us, 1),
            "cpu_ratio": round(naive_cpu_us / cpu_us, 1),
            "floor_trades_per_s": round(floor.trades / floor.wall_s, 1),
            "floor_cpu_us_per_trade": round(_cpu_us(floor), 1),
            "naive_statements_per_trade": round(naive.statements / naive.trades, 2),
            "accepts_per_s": round(drained.orders / drained.accept_s, 1),
            "orders": drained.orders,
            "trades": drained.trades,
            "trades_per_batch": round(drained.trades / drained.batches, 1),
            "paced_fills": len(paced.latencies_ms),
            "paced_cpu_percent": round(self.trading.cpu_s / paced.wall_s * 100, 1),
            "max_ms": round(paced.latencies_ms[-1], 2),
            "settled_after_s": round(self.settled_after_s, 2),
            "frames": self.frames,
            **self._worker_process(trades_per_s),
            "load_average": round(os.getloadavg()[0], 2),
        }

    def _worker_process(self, trades_per_s: float) -> dict[str, float]:
        """Figures that only a broker and a worker of their own have."""
        if self.broker is None:
            return {}
        limit_per_s = self.broker.messages / self.broker.wall_s
        return {
            "broker_limit_per_s": round(limit_per_s, 1),
            "broker_ratio": round(trades_per_s / limit_per_s, 3),
            "worker_memory_mb": round(self.drained.memory_mb, 1),
        }


def _cpu_us(run: Drained | Naive | Floor) -> float:
    return run.cpu_s / run.trades * 1_000_000


_ROWS = (
    ("drain", "trades_per_s", "trades a second", "fills per wall second, the backlog published beforehand"),
    ("", "statements_per_trade", "statements a trade", "database statements, reads, journal and BEGIN included"),
    ("", "cpu_us_per_trade", "CPU µs a trade", "the worker's whole process, publishing included"),
    ("", "trades_per_batch", "trades a commit", ""),
    ("", "accepts_per_s", "accepts a second", "orders journaled before the drain"),
    ("naive", "naive_trades_per_s", "trades a second", "SQLModel, one session and transaction per order"),
    ("", "naive_statements_per_trade", "statements a trade", ""),
    ("", "naive_cpu_us_per_trade", "CPU µs a trade", ""),
    ("", "ratio", "times faster", "drain against naive, by wall clock"),
    ("", "cpu_ratio", "times less CPU", ""),
    ("limit", "floor_trades_per_s", "trades a second", "the bare driver writing the same rows, commits of 200"),
    ("", "floor_cpu_us_per_trade", "CPU µs a trade", ""),
    ("broker", "broker_limit_per_s", "messages a second", "taken and acknowledged, nothing else, same queues"),
    ("", "broker_ratio", "of that limit", "trades a second against it"),
    ("", "worker_memory_mb", "MB", "the most the worker process had resident in the drain"),
    (
        "paced",
        "p50_ms",
        "ms, median",
        "accept to fill event on the bus, settlement, localnet and hub running beside it",
    ),
    ("", "p99_ms", "ms, 99 %", ""),
    ("", "max_ms", "ms, slowest", ""),
    ("", "statements_per_s", "statements a second", ""),
    (
        "",
        "paced_cpu_percent",
        "% of one core",
        "the trade worker's process; embedded: generator, settlement and hub as well",
    ),
    ("", "paced_fills", "fills", ""),
    ("", "settled_after_s", "s until settled", "from the last fill until the chain confirmed every trade"),
    ("", "frames", "frames", "what the hub sent to one reader of board and tokens meanwhile"),
    ("machine", "load_average", "load average", "of the last minute, this run included"),
)


def table(figures: dict[str, str | float | int]) -> str:
    """The figures as lines of text."""
    lines = [
        f"trade path on the {figures['stack']} stack: {figures['trades']} of {figures['orders']} orders filled",
        "",
    ]
    for leg, key, unit, note in _ROWS:
        if key not in figures:
            continue
        value = figures[key]
        shown = f"{value:,}" if not isinstance(value, str) else value
        lines.append(f"{leg:<8}{shown:>12}  {unit:<20}  {note}".rstrip())
    return "\n".join(lines)


def json_line(figures: dict[str, str | float | int]) -> str:
    """The figures on one line."""
    return orjson.dumps(figures).decode()
