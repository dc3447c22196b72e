"""Names of a run's own on the real servers: a PostgreSQL database, and queues under a prefix; gone when it ends."""

import os
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import aiormq
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from engine.adapters.rabbitmq.topology import Topology

POSTGRESQL_URL: Final = os.environ.get(
    "BLITZ_TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)
"""The server, and a database on it that is there already."""

BROKER_URL: Final = os.environ.get("BLITZ_TEST_BROKER_URL", "amqp://guest:guest@127.0.0.1:5672/")
REDIS_URL: Final = os.environ.get("BLITZ_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


@contextmanager
def own_database() -> Iterator[str]:
    """The URL of a new, empty database."""
    name = f"blitz_bench_{uuid.uuid4().hex[:12]}"
    administration = create_engine(POSTGRESQL_URL, isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(POSTGRESQL_URL).set(database=name).render_as_string(hide_password=False)
    finally:
        with administration.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        administration.dispose()


def own_prefix() -> str:
    """What the run's names on the broker begin with."""
    return f"bench-{uuid.uuid4().hex[:12]}"


@asynccontextmanager
async def channel() -> AsyncIterator[aiormq.abc.AbstractChannel]:
    """A plain channel beside the adapter."""
    connection = await aiormq.connect(BROKER_URL)
    try:
        yield await connection.channel()
    finally:
        await connection.close()


async def delete_queues(prefix: str, tokens: Iterable[str]) -> None:
    """Delete what bears the prefix, one after the other: the server does not bear many at once."""
    topology = Topology(prefix)
    async with channel() as opened:
        for queue in [topology.dead_letters, *map(topology.queue, tokens)]:
            await opened.queue_delete(queue)
        for exchange in (topology.announcements, topology.presence, topology.dead_letters):
            await opened.exchange_delete(exchange)
