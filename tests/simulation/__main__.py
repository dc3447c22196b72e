"""`python -m tests.simulation --schedules 1000 [--first-seed 0]` runs schedules; `--seed N --log` shows one of them."""

import argparse
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.simulation.schedule import Verdict, run


@dataclass(slots=True)
class Total:
    """What many schedules came to."""

    schedules: int = 0
    orders: int = 0
    fills: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    bad: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """One more schedule."""
        self.schedules += 1
        self.orders += verdict.orders
        self.fills += verdict.fills
        self.faults.update(verdict.faults)
        self.lost += len(verdict.lost)
        self.doubled += len(verdict.doubled)
        if not verdict.is_good:
            self.bad.append(verdict)


def main(arguments: Sequence[str]) -> int:
    """Run them; 0 when every one was exact."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=1_000, help="default: %(default)s")
    parser.add_argument("--first-seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="default: one per core")
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--log", action="store_true", help="with --seed: print everything that happened")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return _one(options.seed, options.log)
    seeds = range(options.first_seed, options.first_seed + options.schedules)
    sys.stdout.write(f"seeds {seeds[0]} to {seeds[-1]}; python -m tests.simulation --seed N --log shows one of them\n")
    started_s = time.monotonic()
    total = Total()
    with ProcessPoolExecutor(options.processes, initializer=_quiet) as pool:
        for verdict in pool.map(run, seeds, chunksize=5):
            total.add(verdict)
            if not verdict.is_good:
                sys.stdout.write(_told(verdict))
    faults = ", ".join(f"{count} x {name}" for name, count in sorted(total.faults.items()))
    sys.stdout.write(f"{total.orders} orders, {total.fills} fills; {faults}\n")
    figures = {
        "schedules": total.schedules,
        "lost": total.lost,
        "doubled": total.doubled,
        "inexact": len(total.bad),
        "seconds": round(time.monotonic() - started_s, 1),
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    return 1 if total.bad else 0


def _one(seed: int, with_log: bool) -> int:
    _quiet()
    verdict = run(seed, with_log)
    sys.stdout.write("".join(f"{line}\n" for line in verdict.log or ()))
    sys.stdout.write(_told(verdict))
    return 0 if verdict.is_good else 1


def _told(verdict: Verdict) -> str:
    faults = " ".join(f"{name}={count}" for name, count in sorted(verdict.faults.items()))
    return (
        f"seed {verdict.seed}: {'exact' if verdict.is_good else 'NOT EXACT'}, log {verdict.digest}, "
        f"{verdict.orders} orders, {verdict.virtual_s:.0f} virtual s, {faults}\n"
        + "".join(f"  lost {each}\n" for each in verdict.lost)
        + "".join(f"  doubled {each}\n" for each in verdict.doubled)
        + "".join(f"  {each}\n" for each in verdict.problems)
    )


def _quiet() -> None:
    """The faults are wanted; what the code says about them would fill the screen."""
    logging.disable(logging.CRITICAL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
