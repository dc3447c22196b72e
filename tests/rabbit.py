"""The real RabbitMQ for tests: names of their own on it, deleted at the end; skipped where there is no server."""

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiormq
import pytest

from engine.adapters.rabbitmq.topology import Topology

Result = TypeVar("Result")

LIMIT_S: Final = 30.0
"""For anything asked of the server: one that hangs must fail a test, not stop it."""

URL: Final = os.environ.get("BLITZ_TEST_BROKER_URL", "amqp://guest:guest@127.0.0.1:5672/")


def needs_rabbitmq() -> None:
    """Skip the test when nothing listens there."""
    address = urlsplit(URL)
    try:
        socket.create_connection((address.hostname or "127.0.0.1", address.port or 5672), timeout=2).close()
    except OSError as error:
        pytest.skip(f"no RabbitMQ at {address.hostname}:{address.port}: {error}")


@contextmanager
def own_prefix(tokens: Iterable[str]) -> Iterator[str]:
    """A prefix that only this test has; what bears it is deleted at the end."""
    needs_rabbitmq()
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    try:
        yield prefix
    finally:
        asyncio.run(delete(Topology(prefix), tokens))


@asynccontextmanager
async def channel() -> AsyncIterator[aiormq.abc.AbstractChannel]:
    """A plain channel beside the adapter."""
    async with asyncio.timeout(LIMIT_S):
        connection = await aiormq.connect(URL)
    try:
        yield await connection.channel()
    finally:
        async with asyncio.timeout(LIMIT_S):
            await connection.close()


def apart(work: Coroutine[Any, Any, Result]) -> Result:
    """Run it on a thread of its own, where no loop runs yet."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result(LIMIT_S)


async def delete(topology: Topology, tokens: Iterable[str]) -> None:
    """Delete the queues of these tokens and everything shared."""
    async with channel() as opened:
        for queue in [topology.dead_letters, *map(topology.queue, tokens)]:
            await opened.queue_delete(queue, timeout=LIMIT_S)
        for exchange in (topology.announcements, topology.presence, topology.dead_letters):
            await opened.exchange_delete(exchange, timeout=LIMIT_S)


async def delete_queue(prefix: str, token: str) -> None:
    """Delete one token's queue."""
    async with channel() as opened:
        await opened.queue_delete(Topology(prefix).queue(token))


async def exists(queue: str) -> bool:
    """Whether the server has that queue."""
    async with channel() as opened:
        try:
            await opened.queue_declare(queue, passive=True, timeout=LIMIT_S)
        except aiormq.exceptions.ChannelNotFoundEntity:
            return False
        return True


async def consumers(queue: str) -> int:
    """How many consumers listen to a queue or stand by on it."""
    async with channel() as opened:
        return (await opened.queue_declare(queue, passive=True, timeout=LIMIT_S)).consumer_count or 0


async def waiting(queue: str) -> int:
    """How many messages are ready in a queue, those in a consumer's hands not counted."""
    async with channel() as opened:
        return (await opened.queue_declare(queue, passive=True, timeout=LIMIT_S)).message_count or 0
