"""How much memory a trade worker holds after very many orders: `python -m benchmarks.soak [--orders 1000000]`.

One worker process on the production stack, fed so that few orders wait at any time; one JSON line at the end.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson
import uvloop

from benchmarks.drain import publish_all
from benchmarks.processes import running
from benchmarks.production import ProductionStack, Progress, environment
from benchmarks.tape import TapeMaker, invented_market
from benchmarks.trade_path import seed
from engine.trading import events
from engine.units import LAMPORTS_PER_SOL

WAITING_MOST: Final = 4_000
PART: Final = 1_000
TELL_EVERY: Final = 100_000
SPENT_LAMPORTS: Final = (LAMPORTS_PER_SOL // 100, LAMPORTS_PER_SOL // 50)
"""Small buys, so that no curve fills."""


async def soak(orders: int, tokens: int, accounts: int, directory: Path) -> dict[str, float | int]:
    """Feed that many orders and look at the worker's memory."""
    stack, market = ProductionStack(), invented_market(tokens, accounts, seed=time.time_ns())
    tape = TapeMaker(market, lowest_lamports=SPENT_LAMPORTS[0], highest_lamports=SPENT_LAMPORTS[1])
    async with stack.bare(directory) as services:
        await seed(services, market)
        progress = Progress(services, await services.bus.subscribe(events.BOARD))
        progress.watch(market.tokens)
        started_s, memory_mb = time.perf_counter(), []
        async with running("trade", environment(services), directory) as worker:
            for done in range(0, orders, PART):
                await publish_all(services, tape.orders(min(PART, orders - done)))
                await progress.reach(done + PART - WAITING_MOST, worker)
                if done % TELL_EVERY == 0:
                    memory_mb.append(round(worker.memory_now_mb, 1))
                    print(f"{done} orders, {memory_mb[-1]} MB", flush=True)
            await progress.reach(orders, worker)
            figures = {
                "orders": orders,
                "trades": progress.trades,
                "worker_memory_mb": round(worker.memory_now_mb, 1),
                "worker_memory_most_mb": round(worker.memory_mb, 1),
                "trades_per_s": round(orders / (time.perf_counter() - started_s), 1),
            }
        await progress.close()
        return figures


def main(arguments: Sequence[str]) -> int:
    """Run it and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--tokens", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--accounts", type=int, default=10_000, help="default: %(default)s")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="blitzhub-soak-") as directory:
        figures = uvloop.run(soak(options.orders, options.tokens, options.accounts, Path(directory)))
    print(orjson.dumps(figures).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
