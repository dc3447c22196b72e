"""People on the site while it is measured: Reflex sessions as a browser has them, each signed in and moving about.

A session is the socket of one tab, with the framework's own messages (Socket.IO over Engine.IO 4) and a sign-in of its
own. Every so often it opens another token's page: the server runs that page's events and answers with the state. The
time from the question to the last of its answers counts.
"""

import asyncio
import contextlib
import itertools
import json
import random
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect

from tests.traders.client import Refused, TraderClient

PATH: Final = "/_event/?EIO=4&transport=websocket&token="
NAMESPACE: Final = "/_event"
ROOT: Final = "reflex___state____state"
BOOT: Final = f"{ROOT}.hydrate_and_load"
MOVE: Final = f"{ROOT}.reflex___state____on_load_internal_state.on_load_internal"
HYDRATED: Final = "is_hydrated_rx_state_"
"""True in the last answer to an opened page."""

OPEN, PING, PONG, CONNECT, EVENT = "0", "2", "3", "40", "42"
"""Engine.IO packets, and Socket.IO's in them."""

SIGN_INS_AT_ONCE: Final = 8
ANSWER_LIMIT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Answered:
    """Pages opened in a second by all of them, and how long the server took."""

    events_per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class Used:
    """What the sessions asked and how long each answer took, since they were told to count."""

    since_s: float = 0.0
    took_ms: list[float] = field(default_factory=list)

    def begin(self) -> None:
        """Count from now on."""
        self.since_s, self.took_ms = time.monotonic(), []

    def figures(self) -> "Answered":
        """What was asked since then, and how it was answered."""
        if not self.took_ms:
            return Answered(0.0, 0.0, 0.0)
        ordered, seconds = sorted(self.took_ms), time.monotonic() - self.since_s
        p50_ms, p99_ms = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
        return Answered(round(len(ordered) / seconds, 1), round(p50_ms, 1), round(p99_ms, 1))


@asynccontextmanager
async def sessions(url: str, count: int, pause_s: float, tokens: Sequence[str]) -> AsyncIterator[Used]:
    """So many sessions that open a page every `pause_s` while the block runs; one that breaks ends the block."""
    used, gate = Used(), asyncio.Semaphore(SIGN_INS_AT_ONCE)

    async def cookie() -> str:
        trader = TraderClient(url)
        async with gate:
            while True:
                try:
                    await trader.sign_in()
                except Refused as refusal:  # two hundred of one address are too many at once
                    await asyncio.sleep(refusal.retry_after_s)
                else:
                    await trader.close()
                    return trader.cookie

    cookies = await asyncio.gather(*[cookie() for _ in range(count)])
    ready = [asyncio.Event() for _ in cookies]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_use(url, cookie, pause_s, tokens, used, opened))
            for cookie, opened in zip(cookies, ready, strict=True)
        ]
        for opened in ready:
            await opened.wait()
        yield used
        for task in tasks:
            task.cancel()


async def _use(url: str, cookie: str, pause_s: float, tokens: Sequence[str], used: Used, opened: asyncio.Event) -> None:
    headers = {"Cookie": cookie, "Origin": url}
    where = url.replace("http", "ws", 1) + PATH + str(uuid.uuid4())
    async with connect(where, additional_headers=headers, max_size=None, ping_interval=None) as socket:
        pages = itertools.cycle(random.sample(tokens, len(tokens)))
        await _packet(socket, OPEN)
        await socket.send(f"{CONNECT}{NAMESPACE}," + json.dumps({"event": _event(BOOT, next(pages))}))
        await _answered(socket)
        opened.set()
        await asyncio.sleep(random.random() * pause_s)
        for page in pages:
            asked_s = time.monotonic()
            await socket.send(f"{EVENT}{NAMESPACE}," + json.dumps(["event", _event(MOVE, page)]))
            await _answered(socket)
            used.took_ms.append((time.monotonic() - asked_s) * 1000)
            await _look_at_it(socket, asked_s + pause_s)


def _event(name: str, token: str) -> dict[str, Any]:
    path = f"/token/{token}"
    return {"name": name, "payload": {}, "router_data": {"pathname": path, "asPath": path, "query": {"address": token}}}


async def _answered(socket: ClientConnection) -> None:
    """Wait for the last part of the answer."""
    async with asyncio.timeout(ANSWER_LIMIT_S):
        while True:
            text = await _packet(socket, EVENT)
            _, said = json.loads(text.partition(",")[2])
            if (said.get("delta") or {}).get(ROOT, {}).get(HYDRATED):
                return


async def _look_at_it(socket: ClientConnection, until_s: float) -> None:
    """Ask nothing until then; what the server sends by itself is taken."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(until_s - time.monotonic()):
            while True:
                await _packet(socket, "")


async def _packet(socket: ClientConnection, kind: str) -> str:
    """The next packet that begins so."""
    while True:
        text = await socket.recv()
        assert isinstance(text, str)
        if text == PING:
            await socket.send(PONG)
        elif text.startswith(kind):
            return text
