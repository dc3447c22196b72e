"""Crash points: a process dies where the line says, once, and only where settings allow it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.crash_points import Point
from engine.settings import InvalidSettings, load
from tests.crash import drills
from tests.unit.test_settings import PRODUCTION

PASSES_BY = """
import sys
from engine import crash_points
from engine.crash_points import Point
crash_points.arm(sys.argv[1])
for number in range(5):
    crash_points.before(Point.WRITTEN)
    crash_points.after(Point.WRITTEN)
    print(number, flush=True)
"""


def passing_by(line: Path | str) -> tuple[int, str]:
    """The exit code of a process that passes both sides of one point five times, and what it lived to say."""
    ended = subprocess.run(
        [sys.executable, "-c", PASSES_BY, str(line)], stdout=subprocess.PIPE, text=True, timeout=30, check=False
    )
    return ended.returncode, ended.stdout


KILLED, WHOLE = -signal.SIGKILL, "0\n1\n2\n3\n4\n"


def test_a_process_dies_at_the_passage_that_the_line_names_and_takes_the_line_away(tmp_path: Path) -> None:
    line = tmp_path / "trade"
    line.write_text("KILL written after 3 1")
    assert passing_by(line) == (KILLED, "0\n1\n")
    (taken,) = tmp_path.iterdir()
    assert taken.suffix[1:].isdecimal(), "it bears the number of the process"


def test_the_process_that_comes_after_it_lives(tmp_path: Path) -> None:
    line = tmp_path / "trade"
    line.write_text("KILL written before 1 1")
    assert [passing_by(line) for _ in range(2)] == [(KILLED, ""), (0, WHOLE)]


@pytest.mark.parametrize("words", ["KILL written after 6 1", "KILL stored after 1 1"])
def test_who_does_not_come_by_so_often_lives(tmp_path: Path, words: str) -> None:
    line = tmp_path / "trade"
    line.write_text(words)
    assert passing_by(line) == (0, WHOLE)
    assert line.exists()


def test_without_the_setting_nothing_happens() -> None:
    assert passing_by("") == (0, WHOLE)


@pytest.mark.parametrize(
    "environ", [PRODUCTION, {"BLITZ_SOLANA_RPC_URL": "https://rpc.example", "BLITZ_SOLANA_WS_URL": "wss://rpc.example"}]
)
def test_production_and_a_real_chain_refuse_crash_points(environ: dict[str, str]) -> None:
    load(environ)
    with pytest.raises(InvalidSettings, match="BLITZ_CRASH_POINTS"):
        load(environ | {"BLITZ_CRASH_POINTS": "/tmp/line"})


def test_a_plan_of_kills_meets_every_point_on_both_sides() -> None:
    for seed in range(20):
        rounds = drills.plan(seed)
        met = {(strike.name.rstrip("12"), strike.point, strike.side) for strikes in rounds for strike in strikes}
        assert len(met) == sum(map(len, rounds)) == 28
        assert {(point, side) for _, point, side in met} == {(point, side) for point in Point for side in drills.SIDES}
