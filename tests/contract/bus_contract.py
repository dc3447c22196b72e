"""What every `engine.ports.Bus` and `engine.ports.Cache` does, in memory or Redis: one suite each, held unchanged.

Subclasses give the fixtures that raise `NotImplementedError` here.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

import pytest

from engine.ports import Bus, BusMessage, Cache, Subscription

LIMIT_S: Final = 30.0
FLOOD: Final = 3_000

Pass = Callable[[int], Awaitable[None]]


class BusContract:
    """The bus. A subscription here holds fewer than `FLOOD` waiting messages."""

    @pytest.fixture
    def bus(self) -> Bus:
        """A new bus whose subscriptions hold fewer than `FLOOD` messages each."""
        raise NotImplementedError

    async def test_every_subscriber_of_a_channel_gets_what_is_published_after_it_joined(self, bus: Bus) -> None:
        first, second = await bus.subscribe("a"), await bus.subscribe("b")
        await second.add("a")
        bus.publish([BusMessage("a", b"1"), BusMessage("a", b"2")])
        assert await heard(first, 2) == [("a", b"1"), ("a", b"2")]
        assert await heard(second, 2) == [("a", b"1"), ("a", b"2")]

    async def test_nothing_published_before_joining_arrives(self, bus: Bus) -> None:
        bus.publish([BusMessage("a", b"early")])
        barrier = await bus.subscribe("barrier")
        bus.publish([BusMessage("barrier", b"")])
        await heard(barrier, 1)  # a bus that publishes in the background has sent the early one by now
        subscription = await bus.subscribe("a")
        bus.publish([BusMessage("a", b"late")])
        assert await heard(subscription, 1) == [("a", b"late")]

    async def test_nothing_of_other_channels_arrives(self, bus: Bus) -> None:
        subscription = await bus.subscribe("token:AAA")
        bus.publish([BusMessage("token:AAAA", b"1"), BusMessage("token:*", b"2"), BusMessage("token:AAA", b"3")])
        assert await heard(subscription, 1) == [("token:AAA", b"3")]

    async def test_a_pattern_is_a_plain_name(self, bus: Bus) -> None:
        subscription = await bus.subscribe("token:*")
        bus.publish([BusMessage("token:AAA", b"1"), BusMessage("token:*", b"2")])
        assert await heard(subscription, 1) == [("token:*", b"2")]

    async def test_a_removed_channel_is_silent_and_the_others_go_on(self, bus: Bus) -> None:
        leaver, stayer = await bus.subscribe("a", "b"), await bus.subscribe("a")
        await leaver.remove("a")
        await leaver.remove("never joined")
        bus.publish([BusMessage("a", b"1"), BusMessage("b", b"2")])
        assert await heard(leaver, 1) == [("b", b"2")]
        assert await heard(stayer, 1) == [("a", b"1")]

    async def test_a_channel_can_be_joined_again(self, bus: Bus) -> None:
        subscription = await bus.subscribe("a")
        await subscription.remove("a")
        await subscription.add("a", "a")
        bus.publish([BusMessage("a", b"1"), BusMessage("a", b"2")])
        assert await heard(subscription, 2) == [("a", b"1"), ("a", b"2")]

    async def test_a_slow_subscriber_loses_messages_and_is_told_and_the_publisher_never_waits(self, bus: Bus) -> None:
        slow, other = await bus.subscribe("a"), await bus.subscribe("b")
        started_s = monotonic()
        for index in range(FLOOD):
            bus.publish([BusMessage("a", b"%d" % index)])
        assert monotonic() - started_s < 2.0
        bus.publish([BusMessage("b", b"still here")])
        assert await heard(other, 1) == [("b", b"still here")]
        payloads = [payload for _, payload in await heard_until_told(slow)]
        assert payloads[-1] == b""
        assert payloads[:-1] == [b"%d" % index for index in range(len(payloads) - 1)]
        assert len(payloads) < FLOOD

    async def test_a_subscriber_that_was_told_of_losses_hears_what_comes_next_and_is_told_again(self, bus: Bus) -> None:
        slow = await bus.subscribe("a")
        for _ in range(2):
            for index in range(FLOOD):
                bus.publish([BusMessage("a", b"%d" % index)])
            await heard_until_told(slow)
        bus.publish([BusMessage("a", b"next")])
        async with asyncio.timeout(LIMIT_S):
            async for message in slow:
                if message.payload == b"next":
                    break
                if not message.payload:  # the rest of a flood came in meanwhile, and "next" may be among its losses
                    bus.publish([BusMessage("a", b"next")])

    async def test_another_thread_may_publish(self, bus: Bus) -> None:
        subscription = await bus.subscribe("a")
        messages = [BusMessage("a", b"%d" % index) for index in range(100)]
        thread = threading.Thread(target=bus.publish, args=(messages,))
        thread.start()
        assert await heard(subscription, 100) == [("a", message.payload) for message in messages]
        await asyncio.to_thread(thread.join)

    async def test_publishing_to_nobody_is_fine(self, bus: Bus) -> None:
        bus.publish([])
        bus.publish([BusMessage("nobody", b"1")])

    async def test_closing_a_subscription_ends_its_iteration_and_no_other(self, bus: Bus) -> None:
        closed, other = await bus.subscribe("a"), await bus.subscribe("a")
        iteration = asyncio.create_task(everything(closed))
        await asyncio.sleep(0)
        await closed.close()
        await closed.close()
        assert await asyncio.wait_for(iteration, LIMIT_S) == []
        bus.publish([BusMessage("a", b"1")])
        assert await heard(other, 1) == [("a", b"1")]

    async def test_closing_the_bus_ends_every_iteration(self, bus: Bus) -> None:
        iterations = [asyncio.create_task(everything(await bus.subscribe(*channels))) for channels in (("a", "b"), ())]
        await asyncio.sleep(0)
        await bus.close()
        assert await asyncio.wait_for(asyncio.gather(*iterations), LIMIT_S) == [[], []]
        bus.publish([BusMessage("a", b"nobody hears, nothing is raised")])


class CacheContract:
    """The cache."""

    @pytest.fixture
    def cache(self) -> Cache:
        """A new, empty cache."""
        raise NotImplementedError

    @pytest.fixture
    def let_pass(self) -> Pass:
        """Let so many milliseconds go by for the cache."""
        raise NotImplementedError

    async def test_a_value_is_remembered_as_it_was(self, cache: Cache) -> None:
        await cache.set("key", bytes(range(256)), 60_000)
        assert await cache.get("key") == bytes(range(256))

    async def test_an_unknown_key_is_none(self, cache: Cache) -> None:
        assert await cache.get("never set") is None

    async def test_an_empty_value_is_a_value(self, cache: Cache) -> None:
        await cache.set("key", b"", 60_000)
        assert await cache.get("key") == b""

    async def test_a_value_goes_when_its_time_is_up_and_not_before(self, cache: Cache, let_pass: Pass) -> None:
        await cache.set("short", b"1", 100)
        await cache.set("long", b"2", 600_000)
        assert await cache.get("short") == b"1"
        await let_pass(101)
        assert await cache.get("short") is None
        assert await cache.get("long") == b"2"

    async def test_setting_again_replaces_value_and_time(self, cache: Cache, let_pass: Pass) -> None:
        await cache.set("key", b"1", 100)
        await cache.set("key", b"2", 600_000)
        await let_pass(101)
        assert await cache.get("key") == b"2"
        await cache.set("key", b"3", 100)
        await let_pass(101)
        assert await cache.get("key") is None

    async def test_a_value_is_taken_by_one_of_many_and_is_gone(self, cache: Cache) -> None:
        await cache.set("key", b"1", 60_000)
        taken = await asyncio.gather(*[cache.take("key") for _ in range(20)])
        assert [value for value in taken if value is not None] == [b"1"]
        assert await cache.get("key") is None
        assert await cache.take("never set") is None


async def heard(subscription: Subscription, count: int) -> list[tuple[str, bytes]]:
    """The next so many messages."""
    messages: list[tuple[str, bytes]] = []
    async with asyncio.timeout(LIMIT_S):
        async for message in subscription:
            messages.append((message.channel, message.payload))
            if len(messages) == count:
                break
    return messages


async def heard_until_told(subscription: Subscription) -> list[tuple[str, bytes]]:
    """The next messages up to an empty one, which says that some were lost."""
    messages: list[tuple[str, bytes]] = []
    async with asyncio.timeout(LIMIT_S):
        async for message in subscription:
            messages.append((message.channel, message.payload))
            if not message.payload:
                break
    return messages


async def everything(subscription: Subscription) -> list[BusMessage]:
    """All messages until the subscription is closed."""
    return [message async for message in subscription]
