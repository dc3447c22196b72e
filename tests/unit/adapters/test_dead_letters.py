"""Waiting for dead letters ends when it is cancelled, whatever the broker's library makes of a cancellation."""

import asyncio
import contextlib
from typing import Any

import pytest

from engine.adapters.rabbitmq import dead_letters
from engine.adapters.rabbitmq.connection import BrokerUnavailable
from engine.adapters.rabbitmq.dead_letters import DeadLetters
from engine.adapters.rabbitmq.topology import Topology
from engine.identifiers import TokenAddress
from engine.ports import Delivery

LETTER = Delivery(TokenAddress("a token"), b"an order", 1, True)


def nothing() -> list[Delivery]:
    return []


def a_letter() -> list[Delivery]:
    return [LETTER]


def gone() -> list[Delivery]:
    raise BrokerUnavailable("it went away meanwhile")


def broken() -> list[Delivery]:
    raise ConnectionResetError("it broke meanwhile")


@pytest.mark.parametrize("answer", [nothing, a_letter, gone, broken])
async def test_a_cancellation_that_the_library_swallows_ends_the_wait(
    monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    asking = asyncio.Event()

    async def ask(*_: object) -> list[Delivery]:
        swallow = () if asking.is_set() else (asyncio.CancelledError,)
        asking.set()
        with contextlib.suppress(*swallow):
            await asyncio.sleep(3_600)
        found: list[Delivery] = answer()
        return found

    monkeypatch.setattr(DeadLetters, "_ask", ask)
    monkeypatch.setattr(dead_letters, "ASK_EVERY_S", 0.0)
    waiting = asyncio.create_task(DeadLetters("amqp://nobody", Topology("unused")).next_batch(10))
    await asyncio.wait_for(asking.wait(), 10)
    waiting.cancel()
    await asyncio.wait((waiting,), timeout=10)
    assert waiting.cancelled()
