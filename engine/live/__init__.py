"""The hub: live market data for many sockets from one bus subscription. Knows no web framework."""

from engine.live.connection import Connection, Limits, Socket
from engine.live.hub import Hub
from engine.live.protocol import Frame
from engine.live.source import DatabaseSource, MarketSource

__all__ = ["Connection", "DatabaseSource", "Frame", "Hub", "Limits", "MarketSource", "Socket"]
