"""The in-process bus and cache keep their contracts."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from engine.adapters import bus_memory, mailbox
from engine.adapters.bus_memory import MemoryBus, MemoryCache
from engine.ports import BusMessage
from tests.contract.bus_contract import FLOOD, BusContract, CacheContract, Pass, everything, heard


class FixedClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at_ms = 1_000_000

    def now_ms(self) -> int:
        return self.at_ms


class TestMemoryBus(BusContract):
    @pytest.fixture
    async def bus(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MemoryBus]:
        monkeypatch.setattr(mailbox, "QUEUE_LIMIT", FLOOD // 3)
        bus = MemoryBus()
        yield bus
        await bus.close()

    async def test_a_loop_that_has_ended_does_not_disturb_the_publisher(self, bus: MemoryBus) -> None:
        thread = threading.Thread(target=asyncio.run, args=(bus.subscribe("a"),))
        thread.start()
        await asyncio.to_thread(thread.join)
        here = await bus.subscribe("a")
        bus.publish([BusMessage("a", b"1")])
        assert await heard(here, 1) == [("a", b"1")]

    async def test_a_closed_subscription_stays_closed(self, bus: MemoryBus) -> None:
        subscription = await bus.subscribe("a")
        await subscription.close()
        assert await everything(subscription) == []
        assert await asyncio.wait_for(everything(subscription), 5) == []
        await subscription.add("a")
        bus.publish([BusMessage("a", b"1")])
        assert await asyncio.wait_for(everything(subscription), 5) == []


class TestMemoryCache(CacheContract):
    @pytest.fixture
    def clock(self) -> FixedClock:
        return FixedClock()

    @pytest.fixture
    def cache(self, clock: FixedClock) -> MemoryCache:
        return MemoryCache(clock)

    @pytest.fixture
    def let_pass(self, clock: FixedClock) -> Pass:
        async def let_pass(ms: int) -> None:
            clock.at_ms += ms

        return let_pass

    async def test_it_holds_so_many_values_and_the_oldest_goes_first(
        self, cache: MemoryCache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bus_memory, "CACHE_LIMIT", 3)
        for key in ("a", "b", "c", "a", "d"):
            await cache.set(key, key.encode(), 60_000)
        assert [await cache.get(key) for key in "abcd"] == [b"a", None, b"c", b"d"]
