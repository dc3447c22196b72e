"""One watched token, or the board: its feed, its subscribers, and the ways their frames come about.

Snapshot and deltas cannot race: the bus channel is received first, then the snapshot is read, and events that arrived
meanwhile are applied after it, where those it already contains change nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from engine.live.connection import Connection
from engine.live.feed import Applied, Feed
from engine.live.protocol import Frame, Kind, Topic, data_frame, error_frame
from engine.live.pump import Pump
from engine.trading.events import BOARD, account_channel, token_channel

log = logging.getLogger(__name__)

GATHER_S: Final = 0.005
"""How long the first event after a silence waits for others of the same commit."""

RETRY_S: Final = 1.0

EARLY: Final = 0.5
"""A frame may come this part of a period early, after one that was late: an event that was late costs no later one."""


def bus_channel(topic: Topic) -> str:
    """The bus channel that a topic's frames are made of."""
    if topic.kind is Kind.BOARD:
        return BOARD
    return account_channel(topic.of) if topic.kind is Kind.ACCOUNT else token_channel(topic.of)


def account_of(channel: str) -> str:
    """The account of a bus channel, "" where it is none's."""
    kind, _, of = channel.partition(":")
    return of if kind == Kind.ACCOUNT else ""


Reload = Callable[[], Awaitable[bool]]


class _Waiting(NamedTuple):
    """A subscriber that has nothing yet."""

    connection: Connection
    topic: Topic
    after_seq: int | None


class Watch:
    """The subscribers of one bus channel. `feed` is None until its first snapshot was read."""

    def __init__(self, channel: str, pump: Pump, period_s: float, reload_s: float) -> None:
        self.channel = channel
        self.feed: Feed | None = None
        self.subscribers: dict[Topic, set[Connection]] = {}
        self.said_seq: int | None = None
        """The `seq` of the last frame; None before there is one."""
        self._pump = pump
        self._period_s = period_s
        self._reload_s = reload_s
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiting] = []
        self._buffered: list[dict[str, Any]] | None = None
        self._snapshots: dict[Topic, Frame] = {}
        self._due_s = self._loaded_s = float("-inf")
        self._flush_timer: asyncio.TimerHandle | None = None
        self._loading: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nobody watches."""
        return not self._waiting and not any(self.subscribers.values())

    def subscribe(self, connection: Connection, topic: Topic, after_seq: int | None = None) -> None:
        """Send a snapshot, or what came after `after_seq`, as soon as it is known, and deltas after it."""
        self.unsubscribe(connection, topic)
        self._waiting.append(_Waiting(connection, topic, after_seq))
        if self.feed is not None and self._flush_timer is None:
            self._greet()

    def unsubscribe(self, connection: Connection, topic: Topic) -> None:
        """Stop sending; harmless for a stranger."""
        self.subscribers.get(topic, set()).discard(connection)
        self._waiting = [each for each in self._waiting if (each.connection, each.topic) != (connection, topic)]

    def apply(self, event: dict[str, Any]) -> Applied:
        """Take in an event, or keep it while a snapshot is being read."""
        if self._buffered is not None:
            self._buffered.append(event)
            return Applied.NOTHING
        if self.feed is None:
            return Applied.NOTHING
        applied = self.feed.apply(event)
        if applied is not Applied.NOTHING:
            self._schedule_flush()
        return applied

    def load(self, reload: Reload) -> None:
        """Read a snapshot soon, unless one is being read; `reload` puts it into `feed` and says whether it could."""
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load(reload))

    def refuse(self, code: str, detail: str) -> list[tuple[Connection, Topic]]:
        """Turn away everybody; returns who and what."""
        turned_away = [(each.connection, each.topic) for each in self._waiting] + [
            (connection, topic) for topic, readers in self.subscribers.items() for connection in readers
        ]
        for connection, topic in turned_away:
            self._pump.put(None, error_frame(code, detail, topic), (connection,))
        self._waiting, self.subscribers = [], {}
        return turned_away

    def announce(self) -> None:
        """After a new snapshot: everybody gets it whole."""
        assert self.feed is not None
        self.said_seq = self.feed.seq
        self._snapshots.clear()
        for topic, readers in self.subscribers.items():
            if readers:
                self._pump.put(topic, self._snapshot(topic), tuple(readers), snapshot=True)

    def close(self) -> None:
        """Stop timers and reading."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        if self._loading is not None:
            self._loading.cancel()

    async def _load(self, reload: Reload) -> None:
        while True:
            await asyncio.sleep(max(0.0, self._loaded_s + self._reload_s - self._loop.time()))
            self._loaded_s = self._loop.time()
            self._buffered = []
            try:
                found = await reload()
                buffered, self._buffered = self._buffered, None
                # A gap inside what was buffered means that the snapshot is already too old.
                again = [event for event in buffered if found and self.apply(event) is Applied.RELOAD]
            except Exception:
                log.exception("no snapshot of %s, trying again", self.channel)
                self._buffered = None
                await asyncio.sleep(RETRY_S)
                continue
            if found:
                self._schedule_flush()
            if not again:
                return

    def _schedule_flush(self) -> None:
        if self._flush_timer is None:
            due_s = max(self._loop.time() + GATHER_S, self._due_s - EARLY * self._period_s)
            self._flush_timer = self._loop.call_at(due_s, self._flush)

    def _flush(self) -> None:
        self._flush_timer = None
        if self._pump.is_behind:  # fewer frames, each with more in it, until the last ones are out
            self._flush_timer = self._loop.call_later(self._period_s, self._flush)
            return
        self._due_s = max(self._due_s, self._loop.time()) + self._period_s
        if self.feed is None:
            return
        update = self.feed.flush()
        if update is not None:
            self._snapshots.clear()
            self.said_seq = update.seq
            for topic, readers in self.subscribers.items():
                data = update.data(topic) if readers else None
                if data is not None:
                    self._pump.put(topic, data_frame(topic, update.from_seq, update.seq, data), tuple(readers))
        self._greet()

    def _greet(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and self.feed is not None:
            self.said_seq = self.feed.seq
        for connection, topic, after_seq in waiting:
            frame = self._missed(topic, after_seq) or self._snapshot(topic)
            self._pump.put(topic, frame, (connection,), snapshot=True)
            self.subscribers.setdefault(topic, set()).add(connection)

    def _missed(self, topic: Topic, after_seq: int | None) -> Frame | None:
        """What somebody who comes back missed; None if only a snapshot will do."""
        assert self.feed is not None
        data = None if after_seq is None else self.feed.missed(topic, after_seq)
        return None if data is None or after_seq is None else data_frame(topic, after_seq + 1, self.feed.seq, data)

    def _snapshot(self, topic: Topic) -> Frame:
        assert self.feed is not None
        frame = self._snapshots.get(topic)
        if frame is None:
            frame = data_frame(topic, 0, self.feed.seq, self.feed.snapshot(topic))
            self._snapshots[topic] = frame
        return frame
