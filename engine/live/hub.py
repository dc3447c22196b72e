"""The hub: every market socket of a process, who it belongs to and what it asks for; `watches` has what it is told."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from engine import metrics
from engine.live.connection import CLOSE_GOING_AWAY, CLOSE_IDLE, Connection, Limits, Socket
from engine.live.members import Members, Redeem
from engine.live.protocol import (
    OWN_ACCOUNT,
    Frame,
    Kind,
    Method,
    Request,
    Topic,
    heartbeat_frame,
    pong_frame,
    reconnect_frame,
)
from engine.live.pump import Pump
from engine.live.source import MarketSource
from engine.live.watches import Watches
from engine.ports import Bus, Clock

log = logging.getLogger(__name__)


RECONNECT_SHARE: Final = 2 / 3
"""By then every client of a draining server is asked to have come back elsewhere."""


class Hub:
    """Fan-out of market data. `start` before the first `connect`; everything happens on one event loop."""

    def __init__(
        self,
        source: MarketSource,
        bus: Bus,
        clock: Clock,
        frames_per_s: int = 5,
        limits: Limits | None = None,
        redeem: Redeem | None = None,
    ) -> None:
        self._source = source
        self._bus = bus
        self._clock = clock
        self._period_s = 1 / frames_per_s
        self._limits = limits or Limits()
        self._connections: set[Connection] = set()
        self._addresses: Counter[str] = Counter()
        self._members = Members(redeem or _nobodys, self._limits.sockets_per_account, self._follow)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def connections(self) -> int:
        """How many sockets are connected."""
        return len(self._connections)

    @property
    def lag_ms(self) -> float:
        """How long frames wait for their turn now."""
        return self._pump.lag_s * 1000

    async def drain(self, over_s: float) -> None:
        """Send every client away: each is told its own moment to come back, and closed a while after it."""
        leaving = list(self._connections)
        for place, connection in enumerate(leaving):
            after_s = RECONNECT_SHARE * over_s * place / len(leaving)
            self._say(connection, reconnect_frame(round(after_s * 1000)))
        pause_s = over_s / max(1, len(leaving))
        for connection in leaving:
            await asyncio.sleep(pause_s if self._connections else 0)
            connection.close(CLOSE_GOING_AWAY, "server_stops")

    async def start(self) -> None:
        """Begin to receive and to send."""
        self._loop = asyncio.get_running_loop()
        self._pump = Pump(self._limits.sweep_ms, self._send_again)
        self._watches = Watches(
            self._source, self._bus, self._clock, self._limits, self._period_s, self._pump, self._signed_out
        )
        await self._watches.open()
        metrics.expose(metrics.MARKET)
        metrics.market_sockets.by(lambda: self.connections)
        metrics.market_lag.by(lambda: self._pump.lag_s)
        self._tasks = [
            asyncio.create_task(self._pump.run()),
            asyncio.create_task(self._every(self._limits.heartbeat_ms, self._beat)),
            asyncio.create_task(self._every(self._limits.repair_ms, self._watches.repair)),
        ]

    async def close(self) -> None:
        """Close every socket and stop."""
        for connection in list(self._connections):
            connection.close(CLOSE_GOING_AWAY, "server_stops")
        self._members.close()
        for task in self._tasks:
            task.cancel()
        await self._watches.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def has_room(self, address: str) -> bool:
        """Whether that address may have one more socket."""
        return self._addresses[address] < self._limits.sockets_per_address

    def connect(self, socket: Socket, address: str = "") -> Connection:
        """Take on a socket; pass its messages to `Connection.receive`, and `disconnect` it in the end."""
        connection = Connection(socket, self._limits, self._loop.time, self._handle, self._say, address)
        self._connections.add(connection)
        self._addresses[address] += 1
        return connection

    def disconnect(self, connection: Connection) -> None:
        """The socket is gone."""
        connection.closed = True
        self._connections.discard(connection)
        self._members.leave(connection)
        self._addresses[connection.address] -= 1
        if not self._addresses[connection.address]:
            del self._addresses[connection.address]
        for topic in list(connection.topics):
            self._unsubscribe(connection, topic)

    def _handle(self, connection: Connection, request: Request) -> None:
        if request.topic is None:
            self._say(connection, pong_frame(self._clock.now_ms(), self._watches.said(connection.topics)))
        elif request.topic is OWN_ACCOUNT and request.method is Method.SUBSCRIBE:
            self._members.subscribe(connection, request)
        elif request.topic is OWN_ACCOUNT:
            self._unsubscribe(connection, Topic(Kind.ACCOUNT, connection.account or ""))
            self._members.leave(connection)
        elif request.method is Method.UNSUBSCRIBE:
            self._unsubscribe(connection, request.topic)
        else:
            self._follow(connection, request.topic, request.after_seq)

    def _follow(self, connection: Connection, topic: Topic, after_seq: int | None) -> None:
        connection.topics.add(topic)
        self._watches.follow(connection, topic, after_seq)

    def _unsubscribe(self, connection: Connection, topic: Topic) -> None:
        connection.topics.discard(topic)
        self._watches.leave(connection, topic)

    def _say(self, connection: Connection, frame: Frame) -> None:
        self._pump.put(None, frame, (connection,))

    def _send_again(self, connection: Connection, topic: Topic) -> None:
        """A reader that lost frames has caught up."""
        if topic in connection.topics:
            self._watches.follow(connection, topic)

    def _signed_out(self, account: str) -> None:
        for connection in self._members.of(account):
            self._members.leave(connection)

    async def _beat(self) -> None:
        """Say something to sockets that were silent, and let go of those that said nothing for long."""
        now_s = self._loop.time()
        silent: list[Connection] = []
        for connection in list(self._connections):
            if (now_s - connection.heard_s) * 1000 > self._limits.idle_ms:
                connection.close(CLOSE_IDLE, "idle")
            elif (now_s - connection.sent_s) * 2000 > self._limits.heartbeat_ms:
                silent.append(connection)
        if silent:
            self._pump.put(None, heartbeat_frame(self._clock.now_ms()), silent)

    async def _every(self, period_ms: int, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(period_ms / 1000)
            try:
                await work()
            except Exception:
                log.exception("periodic work of the hub failed, going on")


async def _nobodys(_: str) -> None:
    """What a hub without tickets says to each."""
