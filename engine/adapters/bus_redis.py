"""Live events over Redis: published off the caller's path, and subscriptions that admit what they missed.

Redis knows no namespaces for channels (pub/sub ignores the database number), so every channel carries a prefix.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection

from engine.adapters.mailbox import Mailbox
from engine.adapters.side_queue import BROKEN, RETRY_S, Command, SideQueue
from engine.errors import Unavailable
from engine.ports import BusMessage

log = logging.getLogger(__name__)

CONFIRM_LIMIT_S: Final = 2.0
SILENCE_S: Final = 5.0
"""After so long without a word the server is asked for one; after twice as long the connection counts as dead."""


class BusUnavailable(Unavailable):
    """Redis cannot be reached; live events do not go out."""

    code = "bus_unavailable"


class RedisBus:
    """`engine.ports.Bus` over Redis pub/sub; see the module's line."""

    def __init__(self, redis: "Redis", queue: SideQueue, prefix: str) -> None:
        self._redis = redis
        self._queue = queue
        self._prefix = prefix
        self._lossy: set[str] = set()
        self._open: set[RedisSubscription] = set()
        queue.after_losses(self._tell)

    def publish(self, messages: Sequence[BusMessage]) -> None:
        """Send soon, in order; losses on the way are made known as soon as something goes through again."""
        self._queue.put([self._command(message) for message in messages])

    def _tell(self) -> None:
        self.publish([BusMessage(self._lossy.pop(), b"") for _ in range(len(self._lossy))])

    def _command(self, message: BusMessage) -> Command:
        def lost() -> None:
            self._lossy.add(message.channel)

        return Command(("PUBLISH", self._prefix + message.channel, message.payload), lost)

    async def subscribe(self, *channels: str) -> "RedisSubscription":
        """Receive these channels, on a connection of their own."""
        subscription = RedisSubscription(self._redis, self._prefix, self._open)
        self._open.add(subscription)
        await subscription.open(*channels)
        return subscription

    async def check(self) -> None:
        """Ask for an answer.

        Raises:
            BusUnavailable: there is none.
        """
        try:
            await self._redis.execute_command("PING")  # type: ignore[no-untyped-call]
        except BROKEN as error:
            raise BusUnavailable(f"Redis does not answer: {error}") from error

    async def close(self) -> None:
        """End every subscription. The queue and the client are their owner's to close."""
        for subscription in tuple(self._open):
            await subscription.close()


class RedisSubscription:
    """`engine.ports.Subscription`: reconnects by itself, and after it says of every channel that it may have losses."""

    def __init__(self, redis: "Redis", prefix: str, subscriptions: set["RedisSubscription"]) -> None:
        self._redis = redis
        self._prefix = prefix
        self._subscriptions = subscriptions
        self._channels: set[str] = set()
        self._mailbox = Mailbox(self._channels)
        self._awaited: dict[str, asyncio.Future[None]] = {}
        self._connection: AbstractConnection | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, *channels: str) -> None:
        """Connect and join; with Redis away it joins as soon as that is back, and tells of a gap as after any other."""
        with suppress(*BROKEN):
            await self._connect()
        self._task = asyncio.create_task(self._run(), name="redis-subscription")
        await self.add(*channels)

    async def add(self, *channels: str) -> None:
        """Start receiving these channels; waits for Redis to confirm as long as it is there."""
        if self not in self._subscriptions:
            return
        fresh = list(dict.fromkeys(channel for channel in channels if channel not in self._channels))
        self._channels.update(fresh)
        if fresh and self._connection is not None:
            loop = asyncio.get_running_loop()
            self._awaited.update((channel, loop.create_future()) for channel in fresh)
            await self._say("SUBSCRIBE", fresh)
        awaited = [self._awaited[channel] for channel in channels if channel in self._awaited]
        if awaited:
            await asyncio.wait(awaited, timeout=CONFIRM_LIMIT_S)

    async def remove(self, *channels: str) -> None:
        """Stop receiving these channels."""
        known = [channel for channel in channels if channel in self._channels]
        self._channels.difference_update(known)
        if known and self._connection is not None:
            await self._say("UNSUBSCRIBE", known)

    async def __aiter__(self) -> AsyncIterator[BusMessage]:
        async for message in self._mailbox.messages():
            yield message

    async def close(self) -> None:
        """End the iteration for good; what is queued is dropped."""
        if self not in self._subscriptions:
            return
        self._subscriptions.discard(self)
        self._channels.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        await self._disconnect()
        self._mailbox.end()

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                if self._connection is None:
                    await self._connect()
                    await self._say("SUBSCRIBE", sorted(self._channels))
                failures = 0
                await self._read()
            except BROKEN as error:
                log.warning("a bus subscription lost its connection: %r", error)
            await self._disconnect()
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
            failures += 1

    async def _connect(self) -> None:
        connection: AbstractConnection = self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()  # type: ignore[no-untyped-call]
        self._connection = connection

    async def _disconnect(self) -> None:
        """Nothing is confirmed any more: who waits goes on, and is told of a possible gap after the reconnection."""
        connection, self._connection = self._connection, None
        for awaited in self._awaited.values():
            if not awaited.done():
                awaited.set_result(None)
        self._awaited.clear()
        if connection is not None:
            with suppress(*BROKEN):
                await connection.disconnect(nowait=True)

    async def _say(self, word: str, channels: Sequence[str]) -> None:
        """Send without waiting for the answer; a broken connection is the reader's business."""
        if channels and self._connection is not None:
            with suppress(*BROKEN):
                await self._connection.send_command(word, *(self._prefix + channel for channel in channels))

    async def _read(self) -> None:
        """Take in messages until the connection breaks."""
        silent = 0
        while self._connection is not None:
            answer: Any = await self._connection.read_response(timeout=SILENCE_S, disconnect_on_error=False)
            if answer is not None:
                silent = 0
                self._take(answer)
            elif silent:
                raise ConnectionResetError("the server stopped answering")
            else:
                silent = 1
                await self._connection.send_command("PING")

    def _take(self, answer: Any) -> None:
        if not isinstance(answer, list):
            return  # the answer to a ping while nothing is subscribed
        kind, name = answer[0], answer[1]
        channel = bytes(name or b"").decode().removeprefix(self._prefix)
        if kind == b"message":
            self._mailbox.put(BusMessage(channel, answer[2]))
        elif kind == b"subscribe":
            awaited = self._awaited.pop(channel, None)
            if awaited is None or awaited.done():
                self._mailbox.lost(channel)  # joined again: between then and now anything may have been said
            else:
                awaited.set_result(None)
