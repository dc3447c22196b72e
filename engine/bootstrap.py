"""The composition root: settings become services. The only module that names an adapter."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from engine.adapters.broker_sqlite import SqliteBroker
from engine.adapters.bus_memory import MemoryBus, MemoryCache
from engine.adapters.chain_rpc import RpcChain
from engine.adapters.keys_seed import SeedKeyStore
from engine.adapters.rabbitmq.broker import RabbitBroker
from engine.clock import SystemClock
from engine.persistence.database import ConnectionOptions, Database
from engine.persistence.trading import queued_tokens
from engine.ports import Broker, Bus, KeyStore
from engine.services import Services
from engine.settings import InvalidSettings, Settings


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open everything the settings name, the database migrated; closed again in reverse order.

    Raises:
        InvalidSettings: a URL names a part that does not exist.
    """
    async with AsyncExitStack() as stack:
        clock = SystemClock()
        database = open_database(settings)
        stack.callback(database.close)
        database.migrate()
        chain = RpcChain(settings.solana_rpc_url, settings.solana_ws_url)
        stack.push_async_callback(chain.close)
        broker = await _broker(settings, database)
        stack.push_async_callback(broker.close)
        bus = _bus(settings)
        stack.push_async_callback(bus.close)
        yield Services(
            settings=settings,
            clock=clock,
            database=database,
            broker=broker,
            bus=bus,
            cache=MemoryCache(clock),
            chain=chain,
            keys=_keys(settings),
        )


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


async def _broker(settings: Settings, database: Database) -> Broker:
    broker: SqliteBroker | RabbitBroker
    if settings.embedded:
        broker = SqliteBroker(database)
    elif urlsplit(settings.broker_url).scheme in ("amqp", "amqps"):
        broker = RabbitBroker(settings.broker_url, lambda: database.read(queued_tokens), settings.broker_prefix)
    else:
        kind = urlsplit(settings.broker_url).scheme  # never the URL itself: it may hold a password
        raise InvalidSettings(f"BLITZ_BROKER_URL began with {kind!r}; known are 'sqlite', amqp:// and amqps://")
    await broker.open()
    return broker


def _bus(settings: Settings) -> Bus:
    if not settings.redis_url.startswith("memory:"):
        raise InvalidSettings(f"BLITZ_REDIS_URL was {settings.redis_url!r}; this version knows 'memory://'")
    return MemoryBus()


def _keys(settings: Settings) -> KeyStore:
    kind, _, path = settings.keys_url.partition(":")
    if kind != "seed":
        raise InvalidSettings(f"BLITZ_KEYS_URL was {settings.keys_url!r}; this version knows 'seed:PATH'")
    return SeedKeyStore(Path(path), settings.env)
