"""Asks each server that the full stack needs whether it answers; what is wrong is one sentence with its setting.

No sentence holds a URL: it may hold a password.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import psycopg
import redis.asyncio
from redis.exceptions import RedisError

from engine.adapters.chain_rpc import RpcChain
from engine.adapters.rabbitmq.connection import connect, disconnect
from engine.bootstrap import open_database
from engine.errors import Unavailable, last_words
from engine.persistence.database import DatabaseError
from engine.settings import Settings

OWN_DATABASE: Final = "blitzhub"
OWN_DATABASE_URL: Final = f"postgresql+psycopg://postgres@127.0.0.1:5432/{OWN_DATABASE}"
"""Used where no database is named; made when the server does not have it yet."""

ANSWER_LIMIT_S: Final = 5

Question = Callable[[Settings], Awaitable[None]]


class Silent(Exception):
    """A server does not answer as it should; the message is for the person who typed the command."""


def place(url: str) -> str:
    """Host and port of a URL, which may be shown."""
    address = urlsplit(url)
    return f"{address.hostname}:{address.port}" if address.port else str(address.hostname)


def reason(error: BaseException) -> str:
    """The last thing an error says, on one line: drivers put the server's own words at the end."""
    text = last_words(getattr(error, "orig", None) or error.__cause__ or error)
    return "it refuses the virtual host" if "Connection.Close" in text else text


async def ask_database(settings: Settings) -> None:
    """Connect, and bring the tables to the newest version once, before many processes try to."""
    if settings.database_url.startswith("sqlite"):
        raise Silent("BLITZ_DATABASE_URL is a file: the full stack needs a database server.")
    try:
        if settings.database_url == OWN_DATABASE_URL:
            await asyncio.to_thread(_make_own_database)
        database = open_database(settings)
        try:
            await asyncio.to_thread(database.migrate)
        finally:
            database.close()
    except (DatabaseError, psycopg.Error, ImportError) as error:
        where = place(settings.database_url)
        raise Silent(f"BLITZ_DATABASE_URL: the database at {where} cannot be used: {reason(error)}.") from error


def _make_own_database() -> None:
    server = OWN_DATABASE_URL.replace("+psycopg", "").replace(f"/{OWN_DATABASE}", "/postgres")
    with psycopg.connect(server, autocommit=True, connect_timeout=ANSWER_LIMIT_S) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (OWN_DATABASE,)).fetchone()
        if known is None:
            connection.execute(f"CREATE DATABASE {OWN_DATABASE}".encode())


async def ask_broker(settings: Settings) -> None:
    """Sign in to RabbitMQ."""
    if urlsplit(settings.broker_url).scheme not in ("amqp", "amqps"):
        raise Silent("BLITZ_BROKER_URL is no amqp:// address: the full stack needs RabbitMQ.")
    try:
        await disconnect(await connect(settings.broker_url, "blitzhub start"))
    except Unavailable as error:
        where = place(settings.broker_url)
        raise Silent(f"BLITZ_BROKER_URL: RabbitMQ at {where} does not let us in: {reason(error)}.") from error


async def ask_redis(settings: Settings) -> None:
    """Sign in to Redis and hear it answer."""
    if urlsplit(settings.redis_url).scheme not in ("redis", "rediss"):
        raise Silent("BLITZ_REDIS_URL is no redis:// address: the full stack needs Redis.")
    client = redis.asyncio.Redis.from_url(
        settings.redis_url, socket_connect_timeout=ANSWER_LIMIT_S, socket_timeout=ANSWER_LIMIT_S
    )
    try:
        await client.set(f"{OWN_DATABASE}:start", "1", ex=1)  # a replica would answer a ping
    except (RedisError, OSError) as error:
        raise Silent(
            f"BLITZ_REDIS_URL: Redis at {place(settings.redis_url)} cannot be used: {reason(error)}."
        ) from error
    finally:
        await client.aclose()


async def ask_chain(settings: Settings) -> None:
    """Hear the chain's newest slot."""
    chain = RpcChain(settings.solana_rpc_url, settings.solana_ws_url)
    try:
        async with asyncio.timeout(ANSWER_LIMIT_S):
            await chain.slot()
    except (Unavailable, TimeoutError) as error:
        where = place(settings.solana_rpc_url)
        raise Silent(f"BLITZ_SOLANA_RPC_URL: the Solana node at {where} does not answer.") from error
    finally:
        await chain.close()


async def missing(settings: Settings, *, with_chain: bool) -> list[str]:
    """Ask all of them at once; one sentence for each that cannot be used."""
    questions: list[Question] = [ask_database, ask_broker, ask_redis]
    if with_chain:
        questions.append(ask_chain)
    answers = await asyncio.gather(*(ask(settings) for ask in questions), return_exceptions=True)
    bugs = [answer for answer in answers if isinstance(answer, BaseException) and not isinstance(answer, Silent)]
    for bug in bugs:
        raise bug
    return [str(answer) for answer in answers if isinstance(answer, Silent)]
