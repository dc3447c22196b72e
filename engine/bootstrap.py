"""The composition root: settings become services. The only module that names an adapter."""

from dataclasses import dataclass

from engine.persistence.database import Database
from engine.ports import Broker, Bus, Cache, Chain, Clock, KeyStore
from engine.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a use case may need, each behind its port."""

    settings: Settings
    clock: Clock
    database: Database
    broker: Broker
    bus: Bus
    cache: Cache
    chain: Chain
    keys: KeyStore
