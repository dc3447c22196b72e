"""Who prefers which queue: rendezvous hashing over the workers that were heard of lately. Pure."""

import hashlib
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

PRESENCE_EVERY_S: Final = 0.5
GONE_AFTER_S: Final = 2.5
HELLO_AT_MOST_EVERY_S: Final = 5.0


class Sign(StrEnum):
    """What a worker says on the presence fanout."""

    HELLO = "hello"
    """It begins to share: everybody shares anew."""
    HERE = "here"
    READY = "ready"
    """It listens to its own share: the others may give it up, and stand by on it once everybody is ready."""
    BYE = "bye"


def preference(token: str, workers: Iterable[str]) -> list[str]:
    """The workers in the order in which they should execute the token; a newcomer moves only its own share."""
    return sorted(
        workers,
        key=lambda worker: hashlib.blake2b(f"{worker}|{token}".encode(), digest_size=8).digest(),
        reverse=True,
    )


def shares(tokens: Iterable[str], workers: Collection[str], own_id: str) -> tuple[list[str], list[str]]:
    """This worker's own tokens, and the others in the order in which it should stand by on them."""
    ranks = {token: preference(token, workers).index(own_id) for token in tokens}
    own = [token for token, rank in ranks.items() if rank == 0]
    return own, sorted((token for token, rank in ranks.items() if rank), key=lambda token: (ranks[token], token))


class Colleagues:
    """The workers that live, as far as their signs tell. Times are seconds of one monotonic clock."""

    def __init__(self, own_id: str) -> None:
        self._own_id = own_id
        self._seen_s: dict[str, float] = {}
        self._ready: set[str] = set()
        self._joining: set[str] = set()
        self._last_hello_s = float("-inf")

    def heard(self, sign: Sign, worker: str, now_s: float) -> bool:
        """Note a sign of life; returns whether it comes from somebody who was not known to live."""
        if worker == self._own_id:
            return False
        if sign is Sign.BYE:
            self._seen_s.pop(worker, None)
            self._joining.discard(worker)
            return False
        is_new = worker not in self.alive(now_s)
        self._seen_s[worker] = now_s
        if sign is Sign.HELLO:
            self._ready.clear()
            self._joining.add(worker)
        elif sign is Sign.READY:
            self._ready.add(worker)
            self._joining.discard(worker)
        return is_new

    def may_say_hello(self, now_s: float) -> bool:
        """Whether the last hello is long enough ago: a slow colleague must not keep everybody from working."""
        return now_s - self._last_hello_s >= HELLO_AT_MOST_EVERY_S

    def said_hello(self, now_s: float) -> None:
        """Everybody shares anew because of this worker."""
        self._last_hello_s = now_s
        self._ready.clear()

    def alive(self, now_s: float) -> set[str]:
        """Everybody heard of lately, and this worker itself; the others are forgotten."""
        self._seen_s = {worker: seen for worker, seen in self._seen_s.items() if now_s - seen < GONE_AFTER_S}
        return {self._own_id, *self._seen_s}

    def all_ready(self, now_s: float) -> bool:
        """Whether every living colleague has its own share since the last hello."""
        return self.alive(now_s) - {self._own_id} <= self._ready

    def somebody_joins(self, now_s: float) -> bool:
        """Whether a living colleague said hello and does not listen to its own share yet."""
        return bool(self._joining & self.alive(now_s))
