"""The one task that writes to sockets, so that frames keep their order and no socket is written to twice at once."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from engine import metrics
from engine.live.connection import Connection
from engine.live.protocol import Frame, Topic

log = logging.getLogger(__name__)

BEHIND_S: Final = 0.1
"""A frame that has waited this long for its turn says that the process is behind."""

SENDS_PER_TURN: Final = 256
"""Sends in a row before other tasks of the process get their turn."""


class Pump:
    """A queue of frames and their readers, and the readers that have fallen behind."""

    def __init__(self, sweep_ms: int, resend: Callable[[Connection, Topic], None]) -> None:
        self._jobs: deque[tuple[float, Topic | None, Frame, bool, Iterable[Connection]]] = deque()
        self._clock_s = asyncio.get_running_loop().time
        self._sending_since_s: float | None = None
        self._wake = asyncio.Event()
        self._slow: set[Connection] = set()
        self._sweep_s = sweep_ms / 1000
        self._swept_s = 0.0
        self._resend = resend

    def put(self, topic: Topic | None, frame: Frame, readers: Iterable[Connection], *, snapshot: bool = False) -> None:
        """Queue one frame for these connections; `readers` must not change afterwards."""
        self._jobs.append((self._clock_s(), topic, frame, snapshot, readers))
        self._wake.set()

    @property
    def lag_s(self) -> float:
        """For how long the frame that is being sent has waited and been sent so far; 0 when all are out."""
        return 0.0 if self._sending_since_s is None else self._clock_s() - self._sending_since_s

    @property
    def is_behind(self) -> bool:
        """Whether more frames would only wait."""
        return self.lag_s > BEHIND_S

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            try:
                await self._turn()
            except Exception:
                log.exception("a frame could not be delivered")

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(self._sweep_s if self._slow else None):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()
        sends = 0
        while self._jobs:
            self._sending_since_s, topic, frame, snapshot, readers = self._jobs.popleft()
            sent_before = sends
            for connection in readers:
                taken = connection.deliver(topic, frame, snapshot=snapshot)
                if taken is not True and (taken is False or not await taken):
                    self._slow.add(connection)
                sends += 1
                if sends % SENDS_PER_TURN == 0:
                    await asyncio.sleep(0)
            metrics.market_frames.inc(sends - sent_before)
        self._sending_since_s = None
        now_s = self._clock_s()
        if self._slow and now_s - self._swept_s >= self._sweep_s:
            self._swept_s = now_s
            await self._sweep()

    async def _sweep(self) -> None:
        for connection in list(self._slow):
            missed = await connection.catch_up()
            if missed is None and not connection.closed:
                continue
            self._slow.discard(connection)
            for topic in missed or ():
                self._resend(connection, topic)
