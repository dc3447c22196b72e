"""A line in bad weather: bytes late, connections reset, silent for a while, or cut in the middle of a message."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, fields
from typing import Final

from tests.line import Line

LATE_MOST_S: Final = 0.4
SILENT_MOST_S: Final = 12.0
"""Longer than any of the code's own limits; then a kernel would break the connection, and so does the line."""


@dataclass(frozen=True, slots=True)
class Weather:
    """How likely each fault is for one chunk of bytes on its way, from 0 to 1."""

    late: float = 0.05
    reset: float = 0.004
    silent: float = 0.002
    torn: float = 0.004


class WeatherLine(Line):
    """Calm until it is told otherwise. `struck` counts the faults by their names."""

    def __init__(self, host: str, port: int) -> None:
        self.struck: Counter[str] = Counter()
        self._weather: Weather | None = None
        self._rng = random.Random(0)
        super().__init__(host, port)

    def storm(self, weather: Weather, seed: str) -> None:
        """Let faults strike from now on, drawn from that seed."""
        self._rng, self._weather = random.Random(seed), weather

    def calm(self) -> None:
        """No more of them; what is silent stays so until its time is over."""
        self._weather = None

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter) -> bool:
        fault = self._drawn()
        if fault == "late":
            await asyncio.sleep(self._rng.uniform(0.0, LATE_MOST_S))
        elif fault == "silent":
            await asyncio.sleep(self._rng.uniform(0.5, SILENT_MOST_S))
            return False
        elif fault == "reset":
            return False
        elif fault == "torn":
            await super()._pass(data[: self._rng.randrange(len(data))], writer)
            return False
        return await super()._pass(data, writer)

    def _drawn(self) -> str | None:
        if self._weather is None:
            return None
        drawn = self._rng.random()
        for each in fields(self._weather):
            drawn -= getattr(self._weather, each.name)
            if drawn < 0:
                self.struck[each.name] += 1
                return each.name
        return None
