"""What has arrived and waits for the worker, and which of it the worker still has in hand.

A session is one channel's life. A delivery's tag carries the session's number above the channel's own tag:
acknowledging a batch of an earlier session does nothing, because the broker has put it back already.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from engine.identifiers import TokenAddress
from engine.ports import Delivery

TAG_BITS: Final = 48


class Inbox:
    """Deliveries of the current session, in arrival order."""

    def __init__(self) -> None:
        self._session = 0
        self._waiting: deque[Delivery] = deque()
        self._open = False
        self._may_take = asyncio.Event()
        self._last_taken = 0
        self._in_hand_done = asyncio.Event()
        self._in_hand_done.set()

    def begin_session(self) -> int:
        """Forget everything of the last session and hand out what arrives in the new one; returns its number."""
        self.end_session()
        self._open = True
        return self._session

    def end_session(self) -> None:
        """The channel is gone, and with it all that was not acknowledged: the broker delivers it again."""
        self._session += 1
        self._waiting.clear()
        self._in_hand_done.set()
        self.pause()

    def pause(self) -> None:
        """Hand out nothing more in this session."""
        self._open = False
        self._may_take.clear()

    async def in_hand_done(self) -> None:
        """Wait until the worker has acknowledged all that it took in this session."""
        await self._in_hand_done.wait()

    def put(
        self, session: int, tag: int, token: TokenAddress, body: bytes, redelivered: bool, given_back: int = 0
    ) -> None:
        """Add what a channel received; a late message of an earlier session is dropped."""
        if session != self._session:
            return
        self._waiting.append(Delivery(token, body, session << TAG_BITS | tag, redelivered, given_back))
        if self._open:
            self._may_take.set()

    async def take(self, limit: int) -> list[Delivery]:
        """Wait for something and take at most `limit`, all of one session."""
        while True:
            await self._may_take.wait()
            if self._waiting:
                break
            self._may_take.clear()
        batch = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        self._last_taken = batch[-1].tag
        self._in_hand_done.clear()
        return batch

    def acknowledged(self, batch: Sequence[Delivery]) -> int | None:
        """Note that the batch is done; the channel's own tag to acknowledge up to, None if its session is over."""
        last = batch[-1].tag
        session, tag = divmod(last, 1 << TAG_BITS)
        if session != self._session:
            return None
        if last == self._last_taken:
            self._in_hand_done.set()
        return tag
