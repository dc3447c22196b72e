"""Whether the parts behind a backend answer: what a load balancer asks before it sends visitors there."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from engine import metrics
from engine.errors import Unavailable
from engine.persistence.database import DatabaseError
from engine.services import Services

log = logging.getLogger(__name__)

ANSWER_LIMIT_S: Final = 1.5
KEPT_S: Final = 0.4
"""Whoever asks again so soon gets the same answer: asking is a statement each time."""

Question = Callable[[], Awaitable[object]]


class Readiness:
    """Asks every part, each at most once at a time: a part that hangs is not asked again before it has answered."""

    def __init__(self, services: Services) -> None:
        self._questions: dict[str, Question] = {
            "database": services.database.check,
            "broker": services.broker.check,
            "bus": services.bus.check,
            "chain": services.chain.slot,
        }
        self._asked: dict[str, asyncio.Task[str | None]] = {}
        self._asking = asyncio.Lock()
        self._missing: list[str] = []
        self._good_until_s = 0.0
        metrics.expose(metrics.READINESS)
        metrics.part_up.by(self._up)

    def _up(self) -> dict[str, float] | None:
        """Which parts answered; None before anybody asked."""
        if not self._good_until_s:
            return None
        return {name: float(name not in self._missing) for name in self._questions}

    async def missing(self) -> list[str]:
        """The names of the parts that do not answer within 1.5 s; a change is logged with its reason."""
        async with self._asking:
            if time.monotonic() >= self._good_until_s:
                await self._ask()
                self._good_until_s = time.monotonic() + KEPT_S
        return self._missing

    async def _ask(self) -> None:
        for name, question in self._questions.items():
            if name not in self._asked:
                self._asked[name] = asyncio.create_task(_answer(question), name=f"ready-{name}")
        await asyncio.wait(self._asked.values(), timeout=ANSWER_LIMIT_S)
        reasons: dict[str, str] = {}
        for name in self._questions:
            reason = self._asked.pop(name).result() if self._asked[name].done() else "no answer in time"
            if reason is not None:
                reasons[name] = reason
        if list(reasons) != self._missing:
            log.warning("out of reach: %s", reasons or "nothing any more")
        self._missing = list(reasons)


async def _answer(question: Question) -> str | None:
    try:
        await question()
    except (Unavailable, DatabaseError, OSError) as error:
        return " ".join(str(error).split())[:200] or type(error).__name__
    return None
