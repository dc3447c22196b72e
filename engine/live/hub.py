"""The hub: every market socket of a process, fed by one bus subscription.

Only what somebody watches, or watched half a minute ago, is received from the bus: the page of a token that others saw
just before costs the database nothing. Lost events are repaired from snapshots: at once on a gap in `seq` or an empty
bus payload, and within two seconds by comparing with the database, which also finds a lost last event.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import orjson

from engine.live.channels import Applied, BoardFeed, TokenFeed
from engine.live.connection import CLOSE_GOING_AWAY, CLOSE_IDLE, Connection, Limits, Socket
from engine.live.protocol import Frame, Kind, Method, Request, Topic, reconnect_frame, time_frame
from engine.live.pump import Pump
from engine.live.source import MarketSource
from engine.live.watch import RETRY_S, Watch
from engine.ports import Bus, BusMessage, Clock, Subscription
from engine.trading.events import BOARD, token_channel

log = logging.getLogger(__name__)


RECONNECT_SHARE: Final = 2 / 3
"""By then every client of a draining server is asked to have come back elsewhere."""


class Hub:
    """Fan-out of market data. `start` before the first `connect`; everything happens on one event loop."""

    def __init__(
        self, source: MarketSource, bus: Bus, clock: Clock, frames_per_s: int = 5, limits: Limits | None = None
    ) -> None:
        self._source = source
        self._bus = bus
        self._clock = clock
        self._period_s = 1 / frames_per_s
        self._limits = limits or Limits()
        self._connections: set[Connection] = set()
        self._watches: dict[str, Watch] = {}
        self._idle_since_s: dict[str, float] = {}
        """Of the watches without a reader, by channel, the longest idle first."""
        self._behind: dict[str, int] = {}
        self._board_read_s = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._channels = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

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
        self._subscription: Subscription = await self._bus.subscribe()
        self._tasks = [
            asyncio.create_task(self._pump.run()),
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._every(self._limits.heartbeat_ms, self._beat)),
            asyncio.create_task(self._every(self._limits.repair_ms, self._repair)),
        ]

    async def close(self) -> None:
        """Close every socket and stop."""
        for connection in list(self._connections):
            connection.close(CLOSE_GOING_AWAY, "server_stops")
        for watch in self._watches.values():
            watch.close()
        tasks = [*self._tasks, *self._leaving]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._subscription.close()

    def connect(self, socket: Socket) -> Connection:
        """Take on a socket; pass its messages to `Connection.receive`, and `disconnect` it in the end."""
        connection = Connection(socket, self._limits, self._loop.time, self._handle, self._say)
        self._connections.add(connection)
        return connection

    def disconnect(self, connection: Connection) -> None:
        """The socket is gone."""
        connection.closed = True
        self._connections.discard(connection)
        for topic in list(connection.topics):
            self._unsubscribe(connection, topic)

    def _handle(self, connection: Connection, request: Request) -> None:
        if request.topic is None:
            self._say(connection, time_frame("pong", self._clock.now_ms()))
        elif request.method is Method.UNSUBSCRIBE:
            self._unsubscribe(connection, request.topic)
        else:
            connection.topics.add(request.topic)
            self._watch(request.topic).subscribe(connection, request.topic, request.after_seq)

    def _say(self, connection: Connection, frame: Frame) -> None:
        self._pump.put(None, frame, (connection,))

    def _send_again(self, connection: Connection, topic: Topic) -> None:
        """A reader that lost frames has caught up."""
        if topic in connection.topics:
            self._watch(topic).subscribe(connection, topic)

    def _watch(self, topic: Topic) -> Watch:
        channel = BOARD if topic.kind is Kind.BOARD else token_channel(topic.token)
        watch = self._watches.get(channel)
        if watch is None:
            is_board = topic.kind is Kind.BOARD
            reload_ms = self._limits.board_reload_ms if is_board else self._limits.token_reload_ms
            watch = Watch(channel, self._pump, self._period_s, reload_ms / 1000)
            self._watches[channel] = watch
            self._load(watch)
        self._idle_since_s.pop(channel, None)
        return watch

    def _unsubscribe(self, connection: Connection, topic: Topic) -> None:
        connection.topics.discard(topic)
        watch = self._watches.get(BOARD if topic.kind is Kind.BOARD else token_channel(topic.token))
        if watch is None:
            return
        watch.unsubscribe(connection, topic)
        if watch.is_idle:
            self._idle_since_s.setdefault(watch.channel, self._loop.time())
            self._forget_idle()

    def _forget_idle(self) -> None:
        """Let go of what nobody has watched for long, and of the longest idle when there are too many."""
        expired_s = self._loop.time() - self._limits.linger_ms / 1000
        for channel, since_s in list(self._idle_since_s.items()):
            if since_s > expired_s and len(self._idle_since_s) <= self._limits.lingering:
                break
            self._forget(self._watches[channel])

    def _forget(self, watch: Watch) -> None:
        watch.close()
        del self._watches[watch.channel]
        self._behind.pop(watch.channel, None)
        self._idle_since_s.pop(watch.channel, None)
        task = asyncio.create_task(self._leave(watch.channel))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _leave(self, channel: str) -> None:
        async with self._channels:
            if channel not in self._watches:  # somebody may have come back meanwhile
                await self._subscription.remove(channel)

    def _load(self, watch: Watch) -> None:
        if watch.channel == BOARD:
            watch.load(lambda: self._read_board(watch))
        else:
            watch.load(lambda: self._read_token(watch))

    async def _receive_channel(self, channel: str) -> None:
        async with self._channels:
            await self._subscription.add(channel)

    async def _read_token(self, watch: Watch) -> bool:
        await self._receive_channel(watch.channel)
        snapshot = await self._source.token(watch.channel.partition(":")[2])
        if snapshot is not None:
            known = watch.feed is not None
            watch.feed = TokenFeed(snapshot)
            if known:
                watch.announce()
            return True
        for connection, topic in watch.refuse("unknown_token", "There is no token at this address."):
            connection.topics.discard(topic)
        # This runs inside the watch's own loading task, which `_forget` cancels: let it end first.
        self._loop.call_soon(self._forget_if_idle, watch)
        return False

    def _forget_if_idle(self, watch: Watch) -> None:
        if self._watches.get(watch.channel) is watch:
            if watch.is_idle:
                self._forget(watch)
            else:
                self._load(watch)

    async def _read_board(self, watch: Watch) -> bool:
        await self._receive_channel(BOARD)
        self._board_read_s = self._loop.time()
        snapshot = await self._source.board()
        if isinstance(watch.feed, BoardFeed):
            watch.feed.replace(snapshot)
        else:
            watch.feed = BoardFeed(snapshot)
        return True

    async def _listen(self) -> None:
        while True:
            try:
                async for message in self._subscription:
                    self._dispatch(message)
                log.error("the bus subscription ended, subscribing again")
            except Exception:
                log.exception("the bus subscription broke, subscribing again")
            await asyncio.sleep(RETRY_S)
            try:
                self._subscription = await self._bus.subscribe(*self._watches)
            except Exception:
                log.exception("the bus is out of reach")
            for watch in self._watches.values():
                self._load(watch)

    def _dispatch(self, message: BusMessage) -> None:
        watch = self._watches.get(message.channel)
        if watch is None:
            return
        try:
            lost = not message.payload or watch.apply(orjson.loads(message.payload)) is Applied.RELOAD
        except (ValueError, KeyError, TypeError):
            log.exception("an event on %s was not understood", message.channel)
            lost = True
        if lost:
            self._load(watch)

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
            self._pump.put(None, time_frame("heartbeat", self._clock.now_ms()), silent)

    async def _repair(self) -> None:
        """Reload what the database knows better for two rounds in a row: one round apart it may be under way."""
        self._forget_idle()
        if not self._watches:
            return
        changed = await self._source.changed_since(self._clock.now_ms() - self._limits.repair_window_ms)
        behind: dict[str, int] = {}
        board = self._watches.get(BOARD)
        for address, seq in changed:
            channel = token_channel(address)
            watch = self._watches.get(channel)
            if watch is not None and watch.feed is not None and watch.feed.seq < seq:
                behind[channel] = watch.feed.seq
            if board is not None and isinstance(board.feed, BoardFeed):
                known = board.feed.token_seq(address)
                if known is not None and known < seq:
                    behind[BOARD] = -1
        for channel, seq in behind.items():
            if self._behind.get(channel) == seq and channel in self._watches:
                self._load(self._watches[channel])
        self._behind = behind
        if board is not None and (self._loop.time() - self._board_read_s) * 1000 > self._limits.board_refresh_ms:
            self._load(board)

    async def _every(self, period_ms: int, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(period_ms / 1000)
            try:
                await work()
            except Exception:
                log.exception("periodic work of the hub failed, going on")
