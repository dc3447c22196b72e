"""The composition root: settings become services. The only module that names an adapter."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from engine import crash_points, metrics
from engine.adapters.broker_sqlite import SqliteBroker
from engine.adapters.bus_memory import MemoryBus, MemoryCache
from engine.adapters.bus_redis import RedisBus
from engine.adapters.cache_redis import RedisCache
from engine.adapters.chain_failover import FailoverChain
from engine.adapters.chain_rpc import RpcChain
from engine.adapters.keys_seed import SeedKeyStore
from engine.adapters.keys_vault import VaultKeyStore
from engine.adapters.rabbitmq.broker import RabbitBroker
from engine.adapters.side_queue import BROKEN, SideQueue, client
from engine.adapters.signer_http import HttpSigner
from engine.adapters.vault_session import UnsafeTokenFile, VaultSession
from engine.clock import ServerClock, SystemClock
from engine.collector import calm_collector
from engine.persistence.database import ConnectionOptions, Database
from engine.persistence.trading import held_tokens, queued_tokens
from engine.ports import Broker, Bus, Cache, Chain, Clock, KeyStore, Signer
from engine.self_check import Answer, Part, ask, masked
from engine.services import Services
from engine.settings import InvalidSettings, Settings, fallback_urls
from engine.settlement.signer import LocalSigner
from engine.settlement.transactions import ComputeBudget
from engine.trading.token_cache import WriteThroughBus

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open everything the settings name, the database migrated; closed again in reverse order.

    Raises:
        InvalidSettings: a URL names a part that does not exist.
        Unavailable: the database or the broker cannot be reached; the sentence names the setting.
    """
    crash_points.arm(settings.crash_points)
    async with AsyncExitStack() as stack:
        database = open_database(settings)
        stack.callback(database.close)
        database.open()
        clock = await _clock(database, stack)
        chain = _chain(settings)
        stack.push_async_callback(chain.close)
        broker = await _broker(settings, database)
        stack.push_async_callback(broker.close)
        bus, cache = await open_bus_and_cache(settings, clock, stack)
        signer = _signer(settings, database, clock)
        stack.push_async_callback(signer.close)
        stack.enter_context(calm_collector())
        metrics.expose(metrics.BUS)
        _watch(database)
        yield Services(
            settings=settings,
            clock=clock,
            database=database,
            broker=broker,
            bus=WriteThroughBus(bus, cache),
            cache=cache,
            chain=chain,
            signer=signer,
        )


async def _clock(database: Database, stack: AsyncExitStack) -> Clock:
    """The server's clock where processes share one; SQLite's readers are all on this machine."""
    if database.is_sqlite:
        return SystemClock()
    clock = ServerClock(database)
    await clock.ask()
    following = asyncio.create_task(clock.follow(), name="server-clock")
    stack.callback(following.cancel)
    return clock


def _chain(settings: Settings) -> Chain:
    first = settings.solana_rpc_url, settings.solana_ws_url
    if not settings.solana_fallbacks:
        return RpcChain(*first)
    return FailoverChain([first, *fallback_urls(settings.solana_fallbacks)], settings.solana_lag_slots)


def open_database(settings: Settings) -> Database:
    """The database that the settings name; nothing is connected yet."""
    options = ConnectionOptions(
        pool_size=settings.database_pool_size,
        lock_timeout_ms=settings.database_lock_timeout_ms,
        idle_transaction_ms=settings.database_idle_transaction_ms,
        wallet_dir=settings.database_wallet_dir,
        wallet_password=settings.database_wallet_password,
    )
    return Database(settings.database_url, options)


def _watch(database: Database) -> None:
    metrics.expose(metrics.DATABASE)
    metrics.statements.by(lambda: database.statements)
    metrics.connections.by(lambda: database.connections_in_use)
    metrics.pool_size.by(lambda: database.pool_size)
    metrics.waiting_calls.by(lambda: database.waiting_calls)


async def check(settings: Settings) -> list[Answer]:
    """Ask every part that the settings name by itself, whatever became of the others; nothing is migrated.

    Raises:
        InvalidSettings: a URL names a part that does not exist.
    """
    async with AsyncExitStack() as stack:
        database = open_database(settings)
        stack.callback(database.close)
        broker = _unopened_broker(settings, database)
        stack.push_async_callback(broker.close)
        chain = _chain(settings)
        stack.push_async_callback(chain.close)
        bus, _ = await open_bus_and_cache(settings, SystemClock(), stack, is_watched=False)
        ask_database, ask_signer = None, None
        if not _is_new(database):  # asking makes neither a file nor a key
            signer = _signer(settings, database, SystemClock())
            stack.push_async_callback(signer.close)
            ask_database, ask_signer = database.check, signer.check
        in_memory = settings.redis_url.startswith("memory:")
        return await ask(
            [
                Part("database", "BLITZ_DATABASE_URL", database.place, ask_database),
                Part(
                    "orders",
                    "BLITZ_BROKER_URL",
                    masked(settings.broker_url),
                    None if settings.embedded else broker.check,
                ),
                Part("bus, cache", "BLITZ_REDIS_URL", masked(settings.redis_url), None if in_memory else bus.check),
                Part("chain", "BLITZ_SOLANA_RPC_URL", masked(settings.solana_rpc_url), chain.slot),
                Part("signer", "BLITZ_SIGNER_URL", masked(settings.signer_url), ask_signer),
            ]
        )


def _is_new(database: Database) -> bool:
    """Whether the first start is still to make it."""
    return database.is_sqlite and not Path(str(database.url.database)).exists()


async def _broker(settings: Settings, database: Database) -> Broker:
    broker = _unopened_broker(settings, database)
    await broker.open()
    return broker


def _unopened_broker(settings: Settings, database: Database) -> SqliteBroker | RabbitBroker:
    if settings.embedded:
        return SqliteBroker(database)
    if urlsplit(settings.broker_url).scheme not in ("amqp", "amqps"):
        kind = urlsplit(settings.broker_url).scheme  # never the URL itself: it may hold a password
        raise InvalidSettings(f"BLITZ_BROKER_URL began with {kind!r}; known are 'sqlite', amqp:// and amqps://")
    tokens, held = (partial(database.read, each) for each in (queued_tokens, held_tokens))
    return RabbitBroker(settings.broker_url, tokens, settings.broker_prefix, held)


async def open_bus_and_cache(
    settings: Settings, clock: Clock, stack: AsyncExitStack, *, is_watched: bool = True
) -> tuple[Bus, Cache]:
    """Bus and cache, closed by the stack. A Redis that is away is no reason not to start: nothing waits for it."""
    if settings.redis_url.startswith("memory:"):
        memory = MemoryBus()
        stack.push_async_callback(memory.close)
        return memory, MemoryCache(clock)
    if not settings.redis_url.startswith(("redis://", "rediss://", "unix://")):
        raise InvalidSettings("BLITZ_REDIS_URL names no known bus; expected 'memory://' or 'redis://…'")
    redis = client(settings.redis_url)
    stack.push_async_callback(redis.aclose)
    try:
        await redis.execute_command("PING")  # type: ignore[no-untyped-call]
    except BROKEN as error:
        log.error("alert=redis_away the server of BLITZ_REDIS_URL does not answer, going on without: %s", error)
    prefix = f"bh:{settings.env}:"
    queue = SideQueue(redis)
    if is_watched:
        metrics.bus_dropped.by(lambda: queue.dropped)
    stack.push_async_callback(queue.close)
    bus = RedisBus(redis, queue, prefix)
    stack.push_async_callback(bus.close)
    return bus, RedisCache(redis, queue, prefix)


@asynccontextmanager
async def open_signer(settings: Settings) -> AsyncIterator[LocalSigner]:
    """What the signer's own process needs and no more: its database and its keys.

    Raises:
        InvalidSettings: the keys' URL names no key store.
        engine.errors.Unavailable: the database is away.
    """
    async with AsyncExitStack() as stack:
        database = open_database(settings)
        stack.callback(database.close)
        database.open()
        _watch(database)
        signer = _local_signer(settings, database, await _clock(database, stack))
        stack.push_async_callback(signer.close)
        yield signer


def _signer(settings: Settings, database: Database, clock: Clock) -> Signer:
    if settings.signer_url == "local":
        return _local_signer(settings, database, clock)
    return HttpSigner(settings.signer_url, settings.signer_token, settings.signer_ca_file)


def _local_signer(settings: Settings, database: Database, clock: Clock) -> LocalSigner:
    budget = ComputeBudget(settings.compute_unit_limit, settings.compute_unit_price_microlamports)
    return LocalSigner(_keys(settings), database, clock, budget, settings.treasury_address)


def _keys(settings: Settings) -> KeyStore:
    kind, _, where = settings.keys_url.partition(":")
    if kind == "seed":
        return SeedKeyStore(Path(where), settings.env)
    if kind == "vault":
        return _vault(settings, where)
    raise InvalidSettings(f"BLITZ_KEYS_URL began with {kind!r}; known are seed:PATH and vault:https://HOST/MOUNT")


def _vault(settings: Settings, url: str) -> KeyStore:
    address = urlsplit(url)
    if address.scheme != "https" and address.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise InvalidSettings("BLITZ_KEYS_URL names a Vault on another machine: it must be vault:https://…")
    if address.username or address.query or not address.netloc:
        raise InvalidSettings("BLITZ_KEYS_URL is none: expected vault:https://HOST:PORT/MOUNT and nothing more")
    try:
        session = VaultSession(
            f"{address.scheme}://{address.netloc}", Path(settings.vault_token_file), settings.vault_ca_file
        )
    except (OSError, UnsafeTokenFile) as error:
        raise InvalidSettings(f"BLITZ_VAULT_TOKEN_FILE cannot be used: {error}") from error
    session.open()
    return VaultKeyStore(session, address.path.strip("/") or "transit")
