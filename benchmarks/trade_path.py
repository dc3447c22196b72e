"""The trade path, measured in one run: drain, naive way, physical limit, and latency at a steady rate.

`python -m benchmarks.trade_path --stack embedded [--orders 20000] [--tokens 50] [--accounts 2000] [--json]`
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import uvloop

from benchmarks.drain import drain
from benchmarks.floor import run_floor
from benchmarks.naive import run_naive
from benchmarks.paced import Paced, pace
from benchmarks.report import Report, json_line, table
from benchmarks.seeding import write_market
from benchmarks.stacks import STACKS, StackName, TradePath
from benchmarks.tape import Market, TapeMaker, invented_market
from engine.trading.orders import Order


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trade_path", description=__doc__.splitlines()[0])
    parser.add_argument("--stack", type=StackName, choices=list(StackName), default=StackName.EMBEDDED)
    parser.add_argument("--orders", type=int, default=20_000, help="orders in the backlog (default: %(default)s)")
    parser.add_argument("--tokens", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--accounts", type=int, default=2_000, help="default: %(default)s")
    parser.add_argument("--naive-orders", type=int, default=1_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--rate", type=float, default=100, metavar="PER_S", help="paced orders a second")
    parser.add_argument("--seconds", type=float, default=10, help="how long the paced leg lasts")
    parser.add_argument("--json", action="store_true", help="end with the figures as one JSON line")
    return parser.parse_args(arguments)


async def measure(options: argparse.Namespace, directory: Path) -> Report:
    """Every leg, each on a fresh database."""
    stack = STACKS[options.stack]
    market = invented_market(options.tokens, options.accounts)
    tape = TapeMaker(market)
    orders = tape.orders(options.orders)
    async with stack.open(directory) as path:
        await seed(path, market)
        drained = await drain(path, market.tokens, orders)
        paced = await _paced(path, market, tape.orders(int(options.rate * options.seconds)), options.rate)
    naive = run_naive(directory, market, orders[: options.naive_orders])
    floor = run_floor(directory, directory / "trade_path.db")
    return Report(options.stack, drained, naive, floor, paced, "nothing")


async def seed(path: TradePath, market: Market) -> None:
    """Make the market's rows and queues."""
    await path.database.write(partial(write_market, market))
    for token in market.tokens:
        await path.broker.declare(token)


async def _paced(path: TradePath, market: Market, orders: Sequence[Order], per_s: float) -> Paced:
    stop = asyncio.Event()
    working = asyncio.create_task(path.worker().run(stop))
    try:
        return await pace(path, market.accounts, orders, per_s)
    finally:
        stop.set()
        await working


def main(arguments: Sequence[str]) -> int:
    """Run every leg and print what was found; 1 when an order of the tape did not fill."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="blitzhub-benchmark-") as directory:
        report = uvloop.run(measure(options, Path(directory)))
    figures = report.figures()
    print(table(figures))
    if options.json:
        print(json_line(figures))
    return 0 if figures["trades"] == figures["orders"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
