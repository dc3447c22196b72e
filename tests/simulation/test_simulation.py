"""Crash schedules of the whole trade path: nothing lost, nothing doubled, and the same seed is the same run."""

import asyncio
import os
import random
import subprocess
import sys

import pytest

from engine.identifiers import TokenAddress
from tests.simulation.broker import Exchange, SimulatedConsumer
from tests.simulation.hosts import Chaos, Host, Likelihood, Log
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


async def test_an_order_reaches_the_other_worker_when_the_one_that_held_its_queue_has_acknowledged_the_last() -> None:
    exchange = Exchange(random.Random(0))
    calm = Chaos(random.Random(0), Likelihood(), Log(False))
    exchange.declare(TokenAddress("of the first in the row"))
    exchange.declare(token := TokenAddress("of the second in the row"))
    holder = SimulatedConsumer(exchange, Host("holder", calm))
    exchange.put(token, b"held")
    held = await holder.next_batch(10)
    other = SimulatedConsumer(exchange, Host("other", calm))
    exchange.put(token, b"waits")
    waiting = asyncio.create_task(other.next_batch(10))
    await asyncio.sleep(0.01)
    assert not waiting.done(), "two workers would execute the same token's orders at once"
    await holder.ack(held)
    assert [delivery.body for delivery in await asyncio.wait_for(waiting, 5)] == [b"waits"]
