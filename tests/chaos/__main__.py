"""`python -m tests.chaos`: ten minutes of faults, then every client must agree with the database."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks.fan_out_readers import CannotMeasure, allow_files
from tests.chaos.run import Options, run


def main(arguments: Sequence[str]) -> int:
    """Run; the last line is JSON, the exit code 1 if a client disagrees or a trade was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="of trades (default: %(default)s)")
    parser.add_argument("--sockets", type=int, default=4_000, help="default: %(default)s")
    parser.add_argument("--tokens", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--trades-per-s", type=float, default=100, help="default: %(default)s")
    parser.add_argument("--lost-percent", type=float, default=1, help="of the frames (default: %(default)s)")
    parser.add_argument("--cut-s", type=float, default=5, help="each of the bus (default: %(default)s)")
    parser.add_argument("--drain-s", type=float, default=30, help="of the restarted process (default: %(default)s)")
    parser.add_argument("--agree-limit-s", type=float, default=60, help="after the last trade (default: %(default)s)")
    options = Options(**vars(parser.parse_args(arguments)))
    try:
        allow_files(2 * options.sockets)
    except CannotMeasure as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="blitzhub-chaos-") as directory:
        figures = uvloop.run(run(options, Path(directory)))
    lines = [f"{key:<20} {value}" for key, value in figures.items()]
    sys.stdout.write("\n".join([*lines, json.dumps(figures), ""]))
    return int(bool(figures["wrong"] or figures["trades_missed"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
