"""`python -m tests.fuzz [--ops N] [--seed S]`: prints the seed and the rate, ends with a line of JSON.

The exit code is 1 if any invariant was violated; the same seed makes the same operations.
"""

import argparse
import json
import secrets
import sys
import time
from collections import Counter
from random import Random
from typing import Final

from tests.fuzz.market import FuzzedMarket, Violated

OPERATIONS_PER_MARKET: Final = 200
REPORT_EVERY: Final = 100_000
SHOWN_VIOLATIONS: Final = 10


def main() -> int:
    """Fuzz the curve and the pool; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--ops", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = secrets.randbits(48) if arguments.seed is None else arguments.seed
    say(f"seed {seed}, {arguments.ops:,} operations")
    found = fuzz(arguments.ops, seed)
    say(json.dumps({"operations": found["operations"], "violations": found["violations"]}))
    return 1 if found["violations"] else 0


def fuzz(operations: int, seed: int) -> Counter[str]:
    """Make so many operations on one random market after the other; what was counted."""
    found: Counter[str] = Counter()
    started_s = time.perf_counter()
    while found["operations"] < operations:
        # A market of its own dice: a violation is repeated by its market's number alone.
        market = FuzzedMarket(Random(f"{seed}.{found['markets']}"))
        _trade(market, min(OPERATIONS_PER_MARKET, operations - found["operations"]), found, started_s)
        found["markets"] += 1
        found["refused"] += market.refused
        found["graduated"] += market.row["stage"] == "graduating"
    rate = found["operations"] / (time.perf_counter() - started_s)
    say(
        f"{found['markets']:,} markets, {found['graduated']:,} graduated, {found['refused']:,} operations refused, "
        f"{rate:,.0f} operations/s"
    )
    return found


def _trade(market: FuzzedMarket, operations: int, found: Counter[str], started_s: float) -> None:
    for _ in range(operations):
        try:
            market.step()
        except Exception as error:  # whatever else is raised is a violation too: quotes only ever refuse
            found["violations"] += 1
            if found["violations"] <= SHOWN_VIOLATIONS:
                words = str(error) if isinstance(error, Violated) else repr(error)
                say(f"violated in market {found['markets']}: {words}; {market.row}")
        found["operations"] += 1
        if found["operations"] % REPORT_EVERY == 0:
            rate = found["operations"] / (time.perf_counter() - started_s)
            say(f"{found['operations']:,} operations, {rate:,.0f}/s")


def say(line: str) -> None:
    """To standard output at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
