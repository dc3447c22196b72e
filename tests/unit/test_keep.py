"""The keeper of `make up`: what dies is started again, what is told to end ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import keep
from tests.app import ROOT

LIMIT_S = 20.0
CHILD = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(60)"


def pids(path: Path, count: int) -> list[int]:
    """The processes that were started, once there are so many."""
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count:
            return [int(line) for line in lines]
        time.sleep(0.02)
    raise AssertionError(f"{count} starts were expected")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    starts = tmp_path / "starts"
    command = [sys.executable, "-m", "scripts.keep", sys.executable, "-c", CHILD, str(starts)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as keeper:
        yield keeper, starts
        if keeper.poll() is None:
            keeper.terminate()


def test_a_process_that_is_killed_is_started_again(started: tuple[subprocess.Popen[bytes], Path]) -> None:
    _, starts = started
    (first,) = pids(starts, 1)
    os.kill(first, signal.SIGKILL)
    assert pids(starts, 2)[1] != first


def test_the_end_is_passed_on_and_nothing_starts_again(started: tuple[subprocess.Popen[bytes], Path]) -> None:
    keeper, starts = started
    (child,) = pids(starts, 1)
    keeper.terminate()
    keeper.wait(LIMIT_S)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert pids(starts, 1) == [child]


def test_wrong_settings_are_not_tried_again(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    code = f"open({str(starts)!r}, 'a').write('0\\n'); raise SystemExit({keep.WRONG_SETTINGS})"
    command = [sys.executable, "-m", "scripts.keep", sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=ROOT, timeout=LIMIT_S, check=False)
    assert ended.returncode == keep.WRONG_SETTINGS
    assert pids(starts, 1) == [0]
