"""What has arrived and waits for the worker, and which of it the worker still has in hand.

A session is one channel's life; a worker has several channels, so several sessions live side by side. A delivery's tag
carries the session's number above the channel's own tag: acknowledging a batch of an ended session does nothing for
it, because the broker has put its messages back already.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from engine.identifiers import TokenAddress
from engine.ports import Delivery

TAG_BITS: Final = 48


class Inbox:
    """Deliveries of all living sessions, in arrival order."""

    def __init__(self) -> None:
        self._last_session = 0
        self._receiving: set[int] = set()
        self._acknowledging: set[int] = set()
        self._waiting: deque[Delivery] = deque()
        self._may_take = asyncio.Event()
        self._in_hand: dict[int, int] = {}
        """Of each session the last tag that the worker took, until that is acknowledged."""
        self._hand_changed = asyncio.Event()

    def begin_session(self) -> int:
        """Hand out what arrives in a new session from now on; returns its number."""
        self._last_session += 1
        self._receiving.add(self._last_session)
        self._acknowledging.add(self._last_session)
        return self._last_session

    def pause(self, session: int) -> None:
        """Hand out nothing more of this session; what waits is delivered again once its channel is closed."""
        self._receiving.discard(session)
        self._waiting = deque(each for each in self._waiting if each.tag >> TAG_BITS != session)

    def end_session(self, session: int) -> None:
        """The channel is gone, and with it all that was not acknowledged: the broker delivers it again."""
        self.pause(session)
        self._acknowledging.discard(session)
        self._in_hand.pop(session, None)
        self._hand_changed.set()

    async def in_hand_done(self, session: int) -> None:
        """Wait until the worker has acknowledged all that it took in this session. One waits at a time."""
        while session in self._in_hand:
            self._hand_changed.clear()
            await self._hand_changed.wait()

    def put(
        self, session: int, tag: int, token: TokenAddress, body: bytes, redelivered: bool, given_back: int = 0
    ) -> None:
        """Add what a channel received; a late message of a paused or ended session is dropped."""
        if session not in self._receiving:
            return
        self._waiting.append(Delivery(token, body, session << TAG_BITS | tag, redelivered, given_back))
        self._may_take.set()

    async def take(self, limit: int) -> list[Delivery]:
        """Wait for something and take at most `limit`."""
        while not self._waiting:
            self._may_take.clear()
            await self._may_take.wait()
        batch = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        self._in_hand |= _last_tags(batch)
        return batch

    def waiting(self) -> list[Delivery]:
        """What nobody has taken yet."""
        return list(self._waiting)

    def acknowledged(self, batch: Sequence[Delivery]) -> dict[int, int]:
        """Note that the batch is done; of each session that still lives the channel's own tag to acknowledge up to."""
        last_tags = _last_tags(batch)
        for session, tag in last_tags.items():
            if self._in_hand.get(session) == tag:
                del self._in_hand[session]
                self._hand_changed.set()
        return {session: tag for session, tag in last_tags.items() if session in self._acknowledging}


def _last_tags(batch: Sequence[Delivery]) -> dict[int, int]:
    """Of each session the channel's own tag of its last delivery in the batch."""
    return {each.tag >> TAG_BITS: each.tag & (1 << TAG_BITS) - 1 for each in batch}
