"""What a use case is given: the settings and every part of the outside, each behind its port."""

from dataclasses import dataclass

from engine.persistence.database import Database
from engine.ports import Broker, Bus, Cache, Chain, Clock, KeyStore
from engine.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """One process's services, opened by `engine.bootstrap.open_services`."""

    settings: Settings
    clock: Clock
    database: Database
    broker: Broker
    bus: Bus
    cache: Cache
    chain: Chain
    keys: KeyStore
