"""The crew: the settlement workers that live, told by their heartbeats, and which settlements are whose. Pure.

Each pending settlement belongs to one of the living by rendezvous hashing, so nobody signs what somebody else signs;
while two workers disagree about who lives, the compare-and-set on the row decides. A worker that fell silent loses its
share, and what it had signed is followed by another. All by the observer's own clock: no two clocks are compared,
except that a worker met for the first time must have written lately.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.persistence.heartbeats import GONE, Heartbeat

BEAT_S: Final = 1.0
SILENT_MS: Final = 5_000
"""A worker that did not beat for so long is gone."""
STALE_MS: Final = 15_000
"""A worker met for the first time, whose beat is older than this, is gone already."""


@dataclass(slots=True)
class _Seen:
    beats: int
    changed_at_ms: int


class Crew:
    """The living workers as one of them sees it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.living: tuple[str, ...] = (name,)
        self.gone: tuple[str, ...] = ()
        self._seen: dict[str, _Seen] = {}

    def observe(self, heartbeats: Mapping[str, Heartbeat], now_ms: int) -> None:
        """Take in the newest heartbeats of all workers."""
        others = {worker: each for worker, each in heartbeats.items() if worker != self.name}
        for worker, heartbeat in others.items():
            seen = self._seen.get(worker)
            if seen is None:
                fresh = now_ms - heartbeat.at_ms <= STALE_MS
                self._seen[worker] = _Seen(heartbeat.beats, now_ms if fresh else now_ms - SILENT_MS - 1)
            elif seen.beats != heartbeat.beats:
                seen.beats, seen.changed_at_ms = heartbeat.beats, now_ms
        self._seen = {worker: self._seen[worker] for worker in others}
        living = [worker for worker, seen in self._seen.items() if _lives(seen, now_ms)]
        self.living = tuple(sorted([self.name, *living]))
        self.gone = tuple(sorted(others.keys() - self.living))

    @property
    def leads(self) -> bool:
        """Whether this worker does what one of them should do for all."""
        return self.living[0] == self.name

    def is_mine(self, settlement_id: str) -> bool:
        """Whether this worker should sign it."""
        if len(self.living) == 1:
            return True
        return max(self.living, key=lambda worker: _rank(worker, settlement_id)) == self.name


def _lives(seen: _Seen, now_ms: int) -> bool:
    return seen.beats != GONE and now_ms - seen.changed_at_ms <= SILENT_MS


def _rank(worker: str, settlement_id: str) -> bytes:
    return hashlib.blake2b(f"{worker}|{settlement_id}".encode(), digest_size=8).digest()
