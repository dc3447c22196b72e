"""Simulated processes: what they may do until a fault strikes them, at every call to the outside, before and after.

A killed process is one whose calls never return; nothing of it runs on, no `finally`, no goodbye. A frozen one stops at
its next call and goes on where it stood when it is woken, long after others have taken its place.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Final, TypeVar

Result = TypeVar("Result")

DETECTION_S: Final = 1.0
"""After how long of silence others take a process for dead."""


class Fault(StrEnum):
    """What may strike a call."""

    KILL = "kill"
    FREEZE = "freeze"
    FAIL = "fail"
    DELAY = "delay"


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely each fault is at one call's beginning or end, from 0 to 1."""

    kill: float = 0.0
    freeze: float = 0.0
    fail: float = 0.0
    delay: float = 0.0


class Log:
    """Everything that happened, as a running hash; the lines are kept where somebody wants to read them."""

    def __init__(self, keep: bool) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.lines: list[str] | None = [] if keep else None

    def add(self, line: str) -> None:
        """One more line."""
        self._hash.update(line.encode() + b"\n")
        if self.lines is not None:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """The hash of all lines so far."""
        return self._hash.hexdigest()


@dataclass(slots=True)
class Chaos:
    """Draws the faults of a schedule. While it is `calm` nothing fails."""

    rng: random.Random
    likelihood: Likelihood
    log: Log
    calm: bool = True
    counts: dict[str, int] = field(default_factory=dict)

    def draw(self, host: str, point: str) -> Fault | None:
        """What strikes this call of that host now."""
        if self.calm:
            return None
        drawn = self.rng.random()
        for each in fields(self.likelihood):
            drawn -= getattr(self.likelihood, each.name)
            if drawn < 0:
                self.count(each.name)
                self.log.add(f"{now():.3f} {host} {point} {each.name}")
                return Fault(each.name)
        return None

    def chance(self, likelihood: float, name: str) -> bool:
        """Whether something else that is told by its likelihood happens now."""
        if self.calm or self.rng.random() >= likelihood:
            return False
        self.count(name)
        return True

    def count(self, name: str) -> None:
        """A fault of this name happened."""
        self.counts[name] = self.counts.get(name, 0) + 1


class Host:
    """One process."""

    def __init__(self, name: str, chaos: Chaos) -> None:
        self.name = name
        self.dead = False
        self._chaos = chaos
        self._thaw_s = 0.0
        self._never = asyncio.Event()
        self._watchers: list[Callable[[], None]] = []
        self._on_kill: list[Callable[[], None]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def on_silence(self, call: Callable[[], None]) -> None:
        """Have this called once, when others notice that the process is dead or frozen."""
        self._watchers.append(call)

    def on_kill(self, call: Callable[[], None]) -> None:
        """Have this called when the process is killed."""
        self._on_kill.append(call)

    def kill(self) -> None:
        """From now on nothing it calls returns."""
        if not self.dead:
            self.dead = True
            self._fall_silent()
            for call in self._on_kill:
                call()

    def freeze(self, seconds: float) -> None:
        """Whatever it calls returns only after so long."""
        self._thaw_s = now() + seconds
        if seconds > DETECTION_S:
            asyncio.get_running_loop().call_later(DETECTION_S, self._fall_silent)

    def _fall_silent(self) -> None:
        watchers, self._watchers = self._watchers, []
        for call in watchers:
            call()

    async def call(
        self,
        point: str,
        effect: Callable[[], Result],
        lost: Callable[[str], Exception],
        before: Callable[[str], Exception] | None = None,
    ) -> Result:
        """Do something to the outside: `effect` happens at one moment, faults may strike before it and after it.

        `lost` makes the error of an answer that does not come, `before` that of a request that was not sent.
        """
        await self._pass(f"{point}:before", before or lost)
        result = effect()
        self._chaos.log.add(f"{now():.3f} {self.name} {point}")
        await self._pass(f"{point}:after", lost)
        return result

    async def _pass(self, point: str, error: Callable[[str], Exception]) -> None:
        await self._stand()
        fault = self._chaos.draw(self.name, point)
        if fault is Fault.KILL:
            self.kill()
        elif fault is Fault.FREEZE:
            self.freeze(self._chaos.rng.uniform(0.1, 10.0))
        elif fault is Fault.DELAY:
            await asyncio.sleep(self._chaos.rng.uniform(0.001, 0.5))
        await self._stand()
        if fault is Fault.FAIL:
            raise error(f"{point} failed, as the schedule wants")

    async def _stand(self) -> None:
        """Nothing of the dead goes on, nothing of the frozen before it is woken."""
        frozen_s = self._thaw_s - now()
        if frozen_s > 0 and not self.dead:
            await asyncio.sleep(max(frozen_s, 0.001))
        if self.dead:
            await self._never.wait()


def now() -> float:
    """Virtual seconds since the schedule began."""
    return asyncio.get_running_loop().time()
