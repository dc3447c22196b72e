"""`python -m tests.mutants`: each planted bug in a copy of the tree, and the test that finds it; ends with JSON.

The tests must pass on the copy before anything is planted: one that fails anyway would find everything. The exit code
is 1 where a bug is not found. Needs the servers that the tests need.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.mutants.planted import LEDGER_MUTANTS, MUTANTS, Mutant

ROOT: Final = Path(__file__).parents[2]
LIMIT_S: Final = 300
LEDGER_RUNS: Final = "60"
"""Of the plain model: few, because a bug that is there shows soon."""
FOUND, MISSED = 0, 1


class Rotten(RuntimeError):
    """A bug can no longer be planted, or its tests cannot tell: the list must be mended."""


def copy_tree(target: Path) -> None:
    """Every file that git knows or would know, and a link to the packages."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        source = ROOT / name
        if source.is_file() and not source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    (target / ".venv").symlink_to((ROOT / ".venv").resolve())


def plant(tree: Path, mutant: Mutant) -> str:
    """Change the file; its text before.

    Raises:
        Rotten: what is to be changed is not there exactly once.
    """
    path = tree / mutant.path
    text = path.read_text()
    if text.count(mutant.before) != 1:
        raise Rotten(
            f"{mutant.name}: {mutant.path} has what is to be changed {text.count(mutant.before)} times, not once"
        )
    path.write_text(text.replace(mutant.before, mutant.after))
    return text


def run_tests(tree: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Pytest's exit code and what it said."""
    command = [str(ROOT / ".venv" / "bin" / "python"), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environ = os.environ | {
        "BLITZ_NO_SKIP": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "BLITZ_LEDGER_RUNS": LEDGER_RUNS,
        "BLITZ_LEDGER_SHRINK": "0",
    }
    process = subprocess.Popen(
        command,
        cwd=tree,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Rotten(f"the tests did not end within {LIMIT_S} s: {' '.join(tests)}") from None
    return process.returncode, said


def failed_test(code: int, said: str) -> str | None:
    """The test that failed, None if all passed.

    Raises:
        Rotten: the tests could not be run at all.
    """
    if code == 0:
        return None
    found = re.search(r"^FAILED (\S+)", said, re.MULTILINE)
    if code != 1 or found is None:
        raise Rotten(f"the tests could not be run (exit code {code}):\n{said[-3_000:]}")
    return found[1]


def main(arguments: Sequence[str]) -> int:
    """Plant the bugs whose names contain the given words, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="*", help="parts of names; without any, all are planted")
    parser.add_argument("--ledger", action="store_true", help="those that the plain model of the ledger must find")
    options = parser.parse_args(arguments)
    only, planted = options.only, LEDGER_MUTANTS if options.ledger else MUTANTS
    chosen = [each for each in planted if not only or any(part in each.name for part in only)]
    with tempfile.TemporaryDirectory(prefix="blitz-mutants-") as directory:
        tree = Path(directory) / "tree"
        copy_tree(tree)
        sound = sorted({test for each in chosen for test in each.tests})
        code, said = run_tests(tree, sound)
        if failed_test(code, said) is not None:
            raise Rotten(f"without any bug planted, a test fails:\n{said[-3_000:]}")
        caught = sum(is_caught(tree, each) for each in chosen)
    sys.stdout.write(json.dumps({"planted": len(chosen), "caught": caught}) + "\n")
    return FOUND if caught == len(chosen) else MISSED


def is_caught(tree: Path, mutant: Mutant) -> bool:
    """Plant it, run its tests, take it out again, say what came of it."""
    started_s = time.monotonic()
    before = plant(tree, mutant)
    try:
        failed = failed_test(*run_tests(tree, mutant.tests))
    finally:
        (tree / mutant.path).write_text(before)
    outcome = f"caught by {failed}" if failed else "NOT CAUGHT"
    sys.stdout.write(f"{mutant.name:32} {time.monotonic() - started_s:5.1f} s  {outcome}\n")
    sys.stdout.flush()
    return failed is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
