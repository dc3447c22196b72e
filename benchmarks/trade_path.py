"""The trade path, measured in one run: drain, naive way, physical limit, and latency at a steady rate.

`python -m benchmarks.trade_path --stack embedded|production [--orders 20000] [--tokens 50] [--accounts 2000] [--json]`
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.floor import run_floor
from benchmarks.naive import run_naive
from benchmarks.opening import open_market, settled_s, watch
from benchmarks.paced import pace
from benchmarks.production import ProductionStack
from benchmarks.report import Report, json_line, table
from benchmarks.seeding import write_market
from benchmarks.stacks import EmbeddedStack, Stack, StackName
from benchmarks.tape import Market, TapeMaker, invented_market
from engine.services import Services

STACKS: Final[dict[StackName, Stack]] = {
    StackName.EMBEDDED: EmbeddedStack(),
    StackName.PRODUCTION: ProductionStack(),
}


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trade_path", description=__doc__.splitlines()[0])
    parser.add_argument("--stack", type=StackName, choices=list(StackName), default=StackName.EMBEDDED)
    parser.add_argument("--orders", type=int, default=20_000, help="orders in the backlog (default: %(default)s)")
    parser.add_argument("--tokens", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--accounts", type=int, default=2_000, help="default: %(default)s")
    parser.add_argument("--naive-orders", type=int, default=1_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--rate", type=float, default=100, metavar="PER_S", help="paced orders a second")
    parser.add_argument("--seconds", type=float, default=10, help="how long the paced leg lasts")
    parser.add_argument("--paced-tokens", type=int, default=10, metavar="N", help="launched on the chain")
    parser.add_argument("--paced-accounts", type=int, default=50, metavar="N", help="funded on the chain")
    parser.add_argument("--json", action="store_true", help="end with the figures as one JSON line")
    return parser.parse_args(arguments)


async def measure(options: argparse.Namespace, directory: Path) -> Report:
    """Every leg, each on a fresh database and none while another runs."""
    stack = STACKS[options.stack]
    market = invented_market(options.tokens, options.accounts, seed=time.time_ns())
    orders = TapeMaker(market).orders(options.orders)
    async with stack.bare(directory / "drain") as services:
        await seed(services, market)
        drained = await stack.drain(services, market.tokens, orders)
        broker = await stack.broker_limit(services, orders)
        with stack.database(directory) as another:
            floor = run_floor(another, services.database)
    with stack.database(directory) as another:
        naive = run_naive(another, market, orders[: options.naive_orders])
    async with stack.whole(directory / "paced") as (services, hub):
        market = await open_market(services, invented_market(options.paced_tokens, options.paced_accounts))
        reader = watch(hub, market.tokens)
        async with stack.trading(services) as used:
            tape = TapeMaker(market).orders(int(options.rate * options.seconds))
            paced = await pace(services, market.accounts, tape, options.rate)
        settled_after_s = await settled_s(services)
        return Report(options.stack, drained, naive, floor, broker, paced, used, settled_after_s, reader.frames)


async def seed(services: Services, market: Market) -> None:
    """Make the market's rows and queues."""
    await services.database.write(partial(write_market, market))
    for token in market.tokens:
        await services.broker.declare(token)


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
