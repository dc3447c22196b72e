"""Bus and cache over a real Redis keep their contracts, and say so when connections or the server die."""

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter
from typing import Final
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.adapters import mailbox
from engine.adapters.bus_redis import RedisBus
from engine.adapters.cache_redis import RedisCache
from engine.adapters.side_queue import QUEUE_LIMIT, SideQueue, client
from engine.ports import Bus, BusMessage, Cache, Subscription
from tests.contract.bus_contract import LIMIT_S, BusContract, CacheContract, Pass, heard, heard_until_told

REDIS_URL: Final = os.environ.get("BLITZ_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


@dataclass(frozen=True, slots=True)
class Parts:
    """Bus and cache of one process."""

    redis: "Redis"
    queue: SideQueue
    bus: RedisBus
    cache: RedisCache


@asynccontextmanager
async def parts(url: str, prefix: str | None = None) -> AsyncIterator[Parts]:
    """Bus and cache under a prefix of their own."""
    redis = client(url)
    prefix = prefix or f"bh:test-{uuid4().hex[:12]}:"
    queue = SideQueue(redis)
    bus = RedisBus(redis, queue, prefix)
    yield Parts(redis, queue, bus, RedisCache(redis, queue, prefix))
    await bus.close()
    await queue.close()
    await redis.aclose()


async def answers(url: str) -> bool:
    """Whether a server is there."""
    redis = client(url)
    try:
        return bool(await redis.execute_command("PING"))
    except (RedisError, OSError):
        return False
    finally:
        await redis.aclose()


@pytest.fixture
async def url() -> str:
    """The shared server."""
    if not await answers(REDIS_URL):
        pytest.skip("no Redis answers at BLITZ_TEST_REDIS_URL")
    return REDIS_URL


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Server:
    """A Redis of the test's own, which it may stop and start."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self._spawn()
        async with asyncio.timeout(LIMIT_S):
            while not await answers(self.url):  # noqa: ASYNC110  another process rings no event
                await asyncio.sleep(0.02)

    def _spawn(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir"]
        self._process = subprocess.Popen([*command, str(self._directory)], stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.stop()


class TestRedisBus(BusContract):
    @pytest.fixture
    async def bus(self, url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bus]:
        monkeypatch.setattr(mailbox, "QUEUE_LIMIT", 100)
        async with parts(url) as made:
            yield made.bus


class TestRedisCache(CacheContract):
    @pytest.fixture
    async def cache(self, url: str) -> AsyncIterator[Cache]:
        async with parts(url) as made:
            yield made.cache

    @pytest.fixture
    def let_pass(self) -> Pass:
        async def let_pass(ms: int) -> None:
            await asyncio.sleep(ms / 1000)

        return let_pass


async def until_heard(bus: Bus, subscription: Subscription, payload: bytes) -> list[tuple[str, bytes]]:
    """Publish on `a` until it arrives: everything heard, that included."""
    arrived: list[tuple[str, bytes]] = []
    reading = aiter(subscription)
    async with asyncio.timeout(LIMIT_S):
        while ("a", payload) not in arrived:
            bus.publish([BusMessage("a", payload)])
            try:
                message = await asyncio.wait_for(anext(reading), 0.2)
                arrived.append((message.channel, message.payload))
            except TimeoutError:
                reading = aiter(subscription)
    return arrived


async def test_two_environments_hear_nothing_of_each_other(url: str) -> None:
    async with parts(url) as one, parts(url) as other:
        subscription = await one.bus.subscribe("a")
        other.bus.publish([BusMessage("a", b"foreign")])
        await other.cache.set("key", b"foreign", 60_000)
        foreign = await other.bus.subscribe("barrier")
        other.bus.publish([BusMessage("barrier", b"1")])
        await heard(foreign, 1)
        one.bus.publish([BusMessage("a", b"own")])
        assert await heard(subscription, 1) == [("a", b"own")]
        assert await one.cache.get("key") is None


async def test_what_is_put_can_be_read_by_whoever_hears_what_was_published_after_it(url: str) -> None:
    prefix = f"bh:test-{uuid4().hex[:12]}:"
    async with parts(url, prefix) as writer, parts(url, prefix) as reader:
        subscription = await reader.bus.subscribe("a")
        for number in range(200):
            writer.cache.put("key", b"%d" % number, 60_000)
            writer.bus.publish([BusMessage("a", b"%d" % number)])
            [(_, payload)] = await heard(subscription, 1)
            assert int(await reader.cache.get("key") or b"-1") >= int(payload)


async def test_a_subscriber_whose_connection_is_killed_comes_back_and_is_told_of_every_channel(url: str) -> None:
    async with parts(url) as made:
        subscription = await made.bus.subscribe("a", "b")
        made.bus.publish([BusMessage("a", b"before")])
        assert await heard(subscription, 1) == [("a", b"before")]
        await kill_subscribers(made)
        assert sorted([await heard_one(subscription), await heard_one(subscription)]) == [("a", b""), ("b", b"")]
        made.bus.publish([BusMessage("a", b"after")])
        assert await heard(subscription, 1) == [("a", b"after")]


async def kill_subscribers(made: Parts) -> None:
    """Cut every connection that listens to a channel of these parts."""
    [channels] = [subscription._channels for subscription in made.bus._open]
    for line in (await made.redis.execute_command("CLIENT", "LIST", "TYPE", "pubsub")).splitlines():
        fields = dict(field.split(b"=", 1) for field in line.split() if b"=" in field)
        if int(fields[b"sub"]) == len(channels):
            await made.redis.execute_command("CLIENT", "KILL", "ID", fields[b"id"])


async def heard_one(subscription: Subscription) -> tuple[str, bytes]:
    [message] = await heard(subscription, 1)
    return message


async def test_a_server_that_restarts_costs_messages_and_everybody_is_told(server: Server) -> None:
    await server.start()
    async with parts(server.url) as made:
        subscription = await made.bus.subscribe("a")
        made.bus.publish([BusMessage("a", b"1")])
        assert await heard(subscription, 1) == [("a", b"1")]
        server.stop()
        made.bus.publish([BusMessage("a", b"lost")])
        await server.start()
        assert await heard_until_told(subscription) == [("a", b"")]
        arrived = await until_heard(made.bus, subscription, b"2")
        assert ("a", b"lost") not in arrived


async def test_a_bus_that_starts_without_a_server_joins_when_there_is_one(server: Server) -> None:
    async with parts(server.url) as made:
        subscription = await made.bus.subscribe("a")
        await subscription.add("b")
        await made.cache.set("key", b"1", 60_000)
        assert await made.cache.get("key") is None
        await server.start()
        await heard_until_told(subscription)
        await until_heard(made.bus, subscription, b"here")
        async with asyncio.timeout(LIMIT_S):
            while await made.cache.get("key") is None:
                await made.cache.set("key", b"1", 60_000)
                await asyncio.sleep(0.05)


async def test_what_was_lost_while_the_server_was_away_is_told_to_those_who_listen_elsewhere(server: Server) -> None:
    """The publisher's losses are the publisher's to tell: the listener's own connection may have been well."""
    await server.start()
    async with parts(server.url, "bh:t:") as listener, parts(f"redis://127.0.0.1:{free_port()}/0", "bh:t:") as cut_off:
        subscription = await listener.bus.subscribe("a")
        cut_off.bus.publish([BusMessage("a", b"lost")])
        async with asyncio.timeout(LIMIT_S):
            while not cut_off.queue.dropped:  # noqa: ASYNC110  a counter rings no event
                await asyncio.sleep(0.01)
        cut_off.queue._redis = listener.redis  # the way is free again
        cut_off.bus.publish([BusMessage("a", b"next")])
        assert await heard(subscription, 2) == [("a", b"next"), ("a", b"")]


async def test_publishing_to_a_dead_server_takes_no_time_and_no_memory() -> None:
    async with parts(f"redis://127.0.0.1:{free_port()}/0") as made:
        took_s: list[float] = []
        for number in range(300):
            messages = [BusMessage(f"token:{number}", b"x" * 300) for _ in range(100)]
            started_s = perf_counter()
            made.bus.publish(messages)
            took_s.append(perf_counter() - started_s)
            if number % 20 == 0:
                await asyncio.sleep(0)
        assert len(made.queue._commands) <= QUEUE_LIMIT
        thread = threading.Thread(target=made.bus.publish, args=([BusMessage("a", b"1")],))
        thread.start()
        await asyncio.to_thread(thread.join)
        assert median(took_s) < 0.001, "a hundred messages"
        started_s = monotonic()
        assert await made.cache.get("key") is None
        for _ in range(100):
            assert await made.cache.get("key") is None
        assert monotonic() - started_s < 1.5
