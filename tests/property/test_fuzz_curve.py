"""The fuzz of `make fuzz-curve`, its short form: nothing is found in the engine, and what is broken is found."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from engine.curve import FeeSchedule, PowerCurve, Rounding
from engine.curve import pool as pool_module
from tests.fuzz.__main__ import fuzz

OPERATIONS = 20_000


def test_random_operations_break_no_invariant() -> None:
    seed = Random().getrandbits(48)
    found = fuzz(OPERATIONS, seed)
    assert found["violations"] == 0, f"python -m tests.fuzz --ops {OPERATIONS} --seed {seed}"
    assert found["graduated"] > found["markets"] / 3, "pools are traded as much as curves"
    assert found["refused"] < OPERATIONS / 2


def cheap(curve: PowerCurve, supply_from: int, supply_to: int, rounding: Rounding) -> int:
    return honest_cost(curve, supply_from, supply_to, Rounding.DOWN)


def generous(curve: PowerCurve, supply: int, lamports: int) -> int:
    return honest_tokens(curve, supply, lamports) + 1


def feeless(amount_in: int, reserve_in: int, reserve_out: int) -> int:
    return -(-amount_in * reserve_out // (reserve_in + amount_in))


def lossy(schedule: FeeSchedule, gross_lamports: int) -> Any:
    fees = honest_split(schedule, gross_lamports)
    return fees._replace(platform_lamports=max(0, fees.platform_lamports - 1))


honest_cost, honest_tokens, honest_split = PowerCurve.cost, PowerCurve.tokens_for, FeeSchedule.split


@pytest.mark.parametrize(
    ("owner", "name", "broken"),
    [
        (PowerCurve, "cost", cheap),
        (PowerCurve, "tokens_for", generous),
        (FeeSchedule, "split", lossy),
        (pool_module, "pool_output", feeless),
    ],
    ids=["a cost rounded down", "a base unit too many", "a lamport of fee lost", "a pool that rounds up"],
)
def test_a_broken_engine_is_found(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, broken: Callable[..., Any]
) -> None:
    monkeypatch.setattr(owner, name, broken)
    assert fuzz(2_000, 1)["violations"] > 0
