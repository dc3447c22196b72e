"""Tokens launched in one moment: each goes to its own worker, whoever is a little faster."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Any

from engine.adapters.rabbitmq import session as module
from engine.adapters.rabbitmq.inbox import Inbox
from engine.adapters.rabbitmq.lane import LANES
from engine.adapters.rabbitmq.session import Session
from engine.adapters.rabbitmq.sharing import Sign, shares
from engine.adapters.rabbitmq.tokens import Tokens, no_tokens
from engine.adapters.rabbitmq.topology import Topology
from tests.ledger import token

TOKENS = [token(number) for number in range(12)]


class Listening:
    """A lane that notes when it was told to listen to whom."""

    channel = None

    def __init__(self, taken: dict[str, float]) -> None:
        self._taken = taken

    def listens_to(self, token: str) -> bool:
        return token in self._taken

    async def take(self, tokens: Iterable[str], declare_first: bool, go_on: Callable[[], bool]) -> None:
        self._taken.update((each, time.monotonic()) for each in tokens)


async def test_the_own_ones_of_many_launched_at_once_are_taken_before_the_others() -> None:
    connection: Any = None
    session = Session(connection, Topology("test"), Inbox(), "own", Tokens(no_tokens, no_tokens), False)
    taken: dict[str, float] = {}
    lanes: Any = [Listening(taken) for _ in range(LANES)]
    session._lanes = lanes
    session.colleagues.heard(Sign.HERE, "other", time.monotonic())
    own, others = shares(TOKENS, {"own", "other"}, "own")
    assert len(own) > 2
    assert len(others) > 2
    listening = asyncio.create_task(session._take_launches())
    for each in TOKENS:
        await session._announced(each)
    async with asyncio.timeout(10):
        while len(taken) < len(TOKENS):  # noqa: ASYNC110  nothing rings
            await asyncio.sleep(0.01)
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    last_own_s, first_other_s = max(taken[each] for each in own), min(taken[each] for each in others)
    assert first_other_s - last_own_s > module.OWNER_FIRST_S / 2
