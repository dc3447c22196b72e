"""The drills in full: `python -m tests.crash points | freezes | servers | storms`; the last line is JSON.

Every round is told with its seed and how long it took until all that was accepted before was settled. The exit code
is 1 where something was lost, doubled or inexact, or a recovery took longer than is promised.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from tests.crash import drills
from tests.crash.drills import Recovered
from tests.crash.market import Market, opened_market
from tests.crash.platform import running_platform

PROMISED_S: Final = 30.0
STORM_S: Final = 15.0
SERVERS: Final = ("rabbitmq", "postgresql", "redis", "localnet", "sign")


async def points(market: Market, options: argparse.Namespace) -> AsyncIterator[Recovered]:
    """Every process killed before and after each of its points, once with each seed."""
    for seed in _seeds(options, 3):
        for strikes in drills.plan(seed):
            yield await drills.kill(market, strikes)


async def freezes(market: Market, options: argparse.Namespace) -> AsyncIterator[Recovered]:
    """Ten times a trade and a settlement worker frozen at random points and woken when others have done their work."""
    for seed in _seeds(options, 10):
        yield await drills.freeze(market, random.Random(f"freeze {seed}"))


async def servers(market: Market, options: argparse.Namespace) -> AsyncIterator[Recovered]:
    """RabbitMQ, PostgreSQL, Redis, the local chain and the signer killed under load, each with every seed."""
    for seed in _seeds(options, 3):
        rng = random.Random(f"servers {seed}")
        for name in rng.sample(SERVERS, len(SERVERS)):
            yield await drills.kill_server(market, name, rng)


async def storms(market: Market, options: argparse.Namespace) -> AsyncIterator[Recovered]:
    """Random faults on the lines to every server, a while with each seed."""
    for seed in _seeds(options, 5):
        yield await drills.bad_weather(market, seed, STORM_S)


DRILLS: Final = {each.__name__: each for each in (points, freezes, servers, storms)}


def _seeds(options: argparse.Namespace, usual: int) -> range:
    return range(options.first_seed, options.first_seed + (options.seeds or usual))


async def run(options: argparse.Namespace, directory: Path) -> int:
    """Run one drill; the exit code."""
    started_s, found = time.monotonic(), []
    with running_platform(directory) as platform:
        async with opened_market(platform, f"{options.drill} {options.first_seed}") as market:
            async with market.trading():
                async for recovered in DRILLS[options.drill](market, options):
                    found.append(recovered)
                    sys.stdout.write(f"{recovered.seconds:5.1f} s  {recovered.what}\n")
                    sys.stdout.flush()
            await market.settled(market.accepted)
            verdict = await market.verdict()
    for problem in verdict.problems:
        sys.stdout.write(f"  {problem}\n")
    slowest_s = max(each.seconds for each in found)
    figures = {
        "rounds": len(found),
        "orders": verdict.accepted,
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "inexact": len(verdict.problems),
        "slowest_recovery_s": round(slowest_s, 1),
        "seconds": round(time.monotonic() - started_s, 1),
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0 if verdict.is_good and slowest_s <= PROMISED_S else 1


def main(arguments: Sequence[str]) -> int:
    """Read the command line and drill."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__.splitlines()[0])
    parser.add_argument("drill", choices=DRILLS)
    parser.add_argument("--seeds", type=int, help="how many; by default what `make` does")
    parser.add_argument("--first-seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--directory", type=Path, help="where the processes' logs stay; by default nowhere")
    options = parser.parse_args(arguments)
    if options.directory is not None:
        options.directory.mkdir(parents=True)
        return asyncio.run(run(options, options.directory))
    with tempfile.TemporaryDirectory(prefix="blitz-crash-") as directory:
        return asyncio.run(run(options, Path(directory)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
