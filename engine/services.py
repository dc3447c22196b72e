"""What a use case is given: the settings and every part of the outside, each behind its port."""

from dataclasses import dataclass, field

from engine.persistence.database import Database
from engine.ports import Broker, Bus, Cache, Chain, Clock, Signer
from engine.settings import Settings
from engine.trading.candle_pages import CandlePages
from engine.trading.token_cache import TokenCache


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
    signer: Signer
    tokens: TokenCache = field(init=False)
    candles: CandlePages = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", TokenCache(self.database, self.cache, self.clock))
        object.__setattr__(self, "candles", CandlePages(self.database))
