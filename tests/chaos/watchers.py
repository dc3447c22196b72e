"""Thousands of clients of the market socket in one process, each as careful as the page's own, `blitzhub/feed/feed.js`.

`python -m tests.chaos.watchers PORT SOCKETS TOKENS_FILE`. Each follows one token's figures, its candles of one interval
and its trades. A gap, a lost answer and a lost last frame are repaired by the protocol's means alone. A line with a
file's name asks whether everybody knows what stands in it, and is answered by a line of JSON.
"""

import asyncio
import contextlib
import itertools
import json
import random
import resource
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from engine.indicators.candles import Interval

PING_S: Final = 4.0
SILENCE_S: Final = 10.0
ASK_AGAIN_S: Final = 5.0
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 8.0
CONNECTING_AT_ONCE: Final = 50
CANDLES_COMPARED: Final = 3
EXAMPLES: Final = 5


class Topic:
    """One subscription and what is known of it; `seq` is None while an answer is on its way."""

    def __init__(self, kind: str, token: str, interval: str | None = None) -> None:
        self.kind = kind
        self.subscription = {"type": kind, "token": token} | ({"interval": interval} if interval else {})
        self.seq: int | None = None
        self.after_seq: int | None = None
        self.known_seq: int | None = None
        self.asked_s = 0.0
        self.figures: dict[str, Any] = {}
        self.candles: dict[int, dict[str, Any]] = {}
        self.last_trade = 0

    @property
    def channel(self) -> str:
        """As frames name it."""
        return ":".join(self.subscription.values())

    def take(self, snapshot: bool, data: dict[str, Any]) -> int:
        """Take a frame's data in; how many trades were missed for good."""
        if self.kind == "token":
            news = data["token"] if snapshot else data
            self.figures |= {key: news[key] for key in ("price", "holders") if key in news}
        elif self.kind == "candles":
            self.candles |= {candle["t"]: candle for candle in data["candles"]}
        else:
            return self._trades([trade["seq"] for trade in reversed(data["trades"])])
        return 0

    def _trades(self, seqs: list[int]) -> int:
        fresh = [seq for seq in seqs if seq > self.last_trade]
        missed = fresh[0] - self.last_trade - 1 if fresh and self.last_trade else 0
        if fresh:
            missed += fresh[-1] - fresh[0] + 1 - len(fresh)
            self.last_trade = fresh[-1]
        return missed


class Watcher:
    """One client: a socket, or the way to the next one."""

    def __init__(self, number: int, url: str, token: str, counts: Counter[str], gate: asyncio.Semaphore) -> None:
        self.token = token
        intervals = [each.value for each in Interval]
        self.interval = intervals[number % len(intervals)]
        topics = Topic("token", token), Topic("candles", token, self.interval), Topic("trades", token)
        self.topics = {topic.channel: topic for topic in topics}
        self._url = url
        self._counts = counts
        self._gate = gate
        self._loop = asyncio.get_running_loop()
        self._line: _Line | None = None
        self._retries = 0
        self._pinged_s = self.heard_s = 0.0
        self._connecting: asyncio.Task[None] | None = None

    def connect(self, after_s: float = 0.0) -> None:
        """Open a socket soon; one that is open stays until the new one is."""
        if self._connecting is None or self._connecting.done():
            self._connecting = self._loop.create_task(self._connect(after_s))

    async def _connect(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        while True:
            try:
                async with self._gate:
                    _, line = await ws_connect(lambda: _Line(self), self._url)
            except Exception:
                self._counts["refused"] += 1
                self._retries += 1
                wait_s = min(LAST_RETRY_S, FIRST_RETRY_S * 2**self._retries)
                await asyncio.sleep(wait_s * (0.5 + random.random()))
                continue
            old, self._line = self._line, line
            if old is not None:
                old.leave()
            self.heard_s = self._loop.time()
            self._ping()
            for topic in self.topics.values():
                self._ask(topic, topic.known_seq)
            return

    def lost(self, line: "_Line") -> None:
        """The socket is gone."""
        if line is self._line:
            self._line = None
            self._counts["reconnections"] += 1
            self.connect(FIRST_RETRY_S * (0.5 + random.random()))

    def tick(self) -> None:
        """Once a second."""
        now_s = self._loop.time()
        if self._line is None:
            return
        if now_s - self.heard_s > SILENCE_S:
            self._counts["silent"] += 1
            self._line.leave()
            return
        if now_s - self._pinged_s >= PING_S:
            self._ping()
        for topic in self.topics.values():
            if topic.seq is None and now_s - topic.asked_s >= ASK_AGAIN_S:
                self._counts["asked_again"] += 1
                self._ask(topic, None)

    def hear(self, message: dict[str, Any]) -> None:
        """Take in one message."""
        self.heard_s, self._retries = self._loop.time(), 0
        channel = message["channel"]
        if channel == "pong":
            for topic in self.topics.values():
                if topic.seq is not None and topic.seq < message["data"]["seqs"].get(topic.channel, 0):
                    self._counts["lost_last"] += 1
                    self._ask(topic, topic.seq)
        elif channel == "reconnect":
            self._counts["sent_away"] += 1
            self.connect(message["data"]["after_ms"] / 1000)
        elif channel == "error":
            self._counts[f"error_{message['data']['code']}"] += 1
        elif channel in self.topics:
            self._take(self.topics[channel], message)

    def _take(self, topic: Topic, message: dict[str, Any]) -> None:
        snapshot = message["from_seq"] == 0
        last = topic.after_seq if topic.seq is None else topic.seq
        if not snapshot and last is None:
            return  # its snapshot is on the way
        if not snapshot and message["from_seq"] != last + 1:
            if topic.seq is not None:
                self._counts["gaps"] += 1
                self._ask(topic, topic.seq)
            return
        if topic.seq is None:
            self._counts["snapshots" if snapshot else "resumed"] += 1
        topic.seq = topic.known_seq = message["seq"]
        self._counts["trades_missed"] += topic.take(snapshot, message["data"])
        self._counts["frames"] += 1

    def _ask(self, topic: Topic, after_seq: int | None) -> None:
        topic.seq, topic.after_seq, topic.asked_s = None, after_seq, self._loop.time()
        message = {"method": "subscribe", "subscription": topic.subscription}
        self._say(message | ({} if after_seq is None else {"after_seq": after_seq}))

    def _ping(self) -> None:
        self._pinged_s = self._loop.time()
        self._say({"method": "ping"})

    def _say(self, message: dict[str, Any]) -> None:
        if self._line is not None:
            self._line.say(orjson.dumps(message))

    def differs(self, truth: dict[str, Any]) -> str | None:
        """What this client believes that is not so."""
        figures, candles, trades = self.topics.values()
        seqs = [topic.known_seq for topic in self.topics.values()]
        if seqs != [truth["seq"]] * len(seqs) or trades.last_trade != truth["seq"]:
            return f"seq {seqs} and trade {trades.last_trade}, not {truth['seq']}"
        for key in ("price", "holders"):
            if figures.figures.get(key) != truth[key]:
                return f"{key} {figures.figures.get(key)}, not {truth[key]}"
        expected = truth["candles"][self.interval][-CANDLES_COMPARED:]
        known = [candles.candles.get(candle["t"]) for candle in expected]
        return None if known == expected else f"candles {known}, not {expected}"


class _Line(WSListener):
    """A watcher's socket."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__()
        self._watcher = watcher
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            self._watcher.hear(orjson.loads(frame.get_payload_as_memoryview()))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._watcher.lost(self)

    def say(self, body: bytes) -> None:
        """Send a message, if the line still stands."""
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send(WSMsgType.TEXT, body)

    def leave(self) -> None:
        """Close it."""
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()


async def main(port: int, sockets: int, listed: Sequence[str]) -> None:
    """Watch until standard input ends."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    counts: Counter[str] = Counter()
    gate = asyncio.Semaphore(CONNECTING_AT_ONCE)
    tokens = itertools.cycle(listed)
    url = f"ws://127.0.0.1:{port}/ws/market"
    watchers = [Watcher(number, url, next(tokens), counts, gate) for number in range(sockets)]
    for watcher in watchers:
        watcher.connect()
    ticking = asyncio.create_task(_tick(watchers))
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while asked := (await lines.readline()).decode().strip():
        truths = json.loads(await asyncio.to_thread(Path(asked).read_text))
        wrong = [(watcher.token, what) for watcher in watchers if (what := watcher.differs(truths[watcher.token]))]
        ready = sum(all(topic.seq is not None for topic in watcher.topics.values()) for watcher in watchers)
        answer = {"wrong": len(wrong), "ready": ready, "examples": wrong[:EXAMPLES], **counts}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    ticking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ticking


async def _tick(watchers: list[Watcher]) -> None:
    """Everybody once a second, not all at the same moment."""
    while True:
        for part in range(10):
            await asyncio.sleep(0.1)
            for watcher in watchers[part::10]:
                watcher.tick()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]).read_text().split()))
