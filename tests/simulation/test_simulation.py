"""Crash schedules of the whole trade path: nothing lost, nothing doubled, and the same seed is the same run."""

import os
import subprocess
import sys

import pytest

from tests.simulation.schedule import run

FIRST_SEED, SCHEDULES = 10_000, 40


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SCHEDULES))
def test_a_crash_schedule_ends_exact(seed: int) -> None:
    verdict = run(seed)
    assert verdict.is_good, (verdict.lost, verdict.doubled, verdict.problems)
    assert verdict.orders


def test_faults_of_every_kind_strike() -> None:
    faults = [run(seed).faults for seed in range(12)]
    wanted = {"kill", "freeze", "fail", "delay", "request repeated", "transaction lost", "transaction late"}
    assert {name for each in faults for name in each} == wanted


def test_the_same_seed_is_the_same_run_in_another_process() -> None:
    digest = run(3).digest
    assert digest == run(3).digest != run(4).digest
    command = (sys.executable, "-c", "from tests.simulation.schedule import run; print(run(3).digest)")
    told = subprocess.run(
        command, env=os.environ | {"PYTHONHASHSEED": "7"}, capture_output=True, check=True, timeout=120
    )
    assert told.stdout.decode().strip() == digest
