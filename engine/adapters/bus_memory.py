"""The in-process bus and cache: what Redis does in production, for one process.

A subscriber that does not keep up loses messages, as on any bus, and is told so by an empty payload per channel.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Final

from engine.adapters.mailbox import Mailbox
from engine.ports import BusMessage, Clock

CACHE_LIMIT: Final = 100_000


class MemoryBus:
    """`engine.ports.Bus` for one process; `publish` may be called from any thread."""

    def __init__(self) -> None:
        self._subscribers: dict[str, set[MemorySubscription]] = defaultdict(set)
        self._open: set[MemorySubscription] = set()

    def publish(self, messages: Sequence[BusMessage]) -> None:
        """Hand each message to whoever subscribed its channel."""
        for message in messages:
            for subscription in tuple(self._subscribers.get(message.channel, ())):
                subscription.offer(message)

    async def subscribe(self, *channels: str) -> "MemorySubscription":
        """Receive these channels."""
        subscription = MemorySubscription(self._subscribers, self._open)
        self._open.add(subscription)
        await subscription.add(*channels)
        return subscription

    async def check(self) -> None:
        """It is this process's own."""

    async def close(self) -> None:
        """End every subscription."""
        for subscription in tuple(self._open):
            await subscription.close()


class MemorySubscription:
    """`engine.ports.Subscription`: a bounded queue owned by the loop that subscribed."""

    def __init__(
        self, subscribers: dict[str, set["MemorySubscription"]], subscriptions: set["MemorySubscription"]
    ) -> None:
        self._subscribers = subscribers
        self._subscriptions = subscriptions
        self._channels: set[str] = set()
        self._loop = asyncio.get_running_loop()
        self._mailbox = Mailbox(self._channels)

    def offer(self, message: BusMessage) -> None:
        """Take a message from the publisher's thread."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            self._mailbox.put(message)
        else:
            with suppress(RuntimeError):  # the subscriber's loop has ended
                self._loop.call_soon_threadsafe(self._mailbox.put, message)

    async def add(self, *channels: str) -> None:
        """Start receiving these channels."""
        if self not in self._subscriptions:
            return
        for channel in channels:
            self._subscribers[channel].add(self)
            self._channels.add(channel)

    async def remove(self, *channels: str) -> None:
        """Stop receiving these channels."""
        for channel in channels:
            self._channels.discard(channel)
            group = self._subscribers.get(channel)
            if group is not None:
                group.discard(self)
                if not group:
                    del self._subscribers[channel]

    async def __aiter__(self) -> AsyncIterator[BusMessage]:
        async for message in self._mailbox.messages():
            yield message

    async def close(self) -> None:
        """End the iteration for good; what is queued is dropped."""
        self._subscriptions.discard(self)
        await self.remove(*tuple(self._channels))
        self._mailbox.end()


class MemoryCache:
    """`engine.ports.Cache` for one process: bounded, the oldest entry goes first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, tuple[int, bytes]] = {}

    async def get(self, key: str) -> bytes | None:
        """The value, or None when unknown or expired."""
        expires_at_ms, value = self._values.get(key, (0, b""))
        if expires_at_ms > self._clock.now_ms():
            return value
        self._values.pop(key, None)
        return None

    async def take(self, key: str) -> bytes | None:
        """The value, which is then unknown."""
        value = await self.get(key)
        self._values.pop(key, None)
        return value

    async def set(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Remember the value for `ttl_ms`."""
        self.put(key, value, ttl_ms)

    def put(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Remember the value for `ttl_ms`."""
        self._values.pop(key, None)
        self._values[key] = (self._clock.now_ms() + ttl_ms, value)
        while len(self._values) > CACHE_LIMIT:
            del self._values[next(iter(self._values))]
