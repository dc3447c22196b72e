"""What the sockets of a process watch, from the bus: every watch, its channel there, and the snapshot it starts from.

Only what somebody watches, or watched half a minute ago, is received from the bus: the page of a token that others saw
just before costs the database nothing. Lost events are repaired from snapshots: at once on a gap in `seq` or an empty
bus payload, and within two seconds by comparing with the database, which also finds a lost last event.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

import orjson

from engine import metrics
from engine.live.account import AccountFeed
from engine.live.board_feed import BoardFeed
from engine.live.connection import Connection, Limits
from engine.live.feed import Applied
from engine.live.members import TICKET_NEEDED
from engine.live.protocol import Kind, Topic
from engine.live.pump import Pump
from engine.live.repairs import Repairs
from engine.live.source import MarketSource
from engine.live.token_feed import TokenFeed
from engine.live.watch import RETRY_S, Watch, account_of, bus_channel
from engine.ports import Bus, BusMessage, Clock, Subscription
from engine.trading.events import BOARD

log = logging.getLogger(__name__)

SignedOut = Callable[[str], None]
"""Called with an account of which somebody signed out."""


class Watches:
    """The watches by bus channel: `open` before the first is followed."""

    def __init__(
        self,
        source: MarketSource,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        period_s: float,
        pump: Pump,
        signed_out: SignedOut,
    ) -> None:
        self.by_channel: dict[str, Watch] = {}
        self._source = source
        self._bus = bus
        self._limits = limits
        self._period_s = period_s
        self._pump = pump
        self._signed_out = signed_out
        self._loop = asyncio.get_running_loop()
        self._idle_since_s: dict[str, float] = {}
        """Of the watches without a reader, by channel, the longest idle first."""
        self._repairs = Repairs(source, clock, limits, self.by_channel, self._load)
        self._channels = asyncio.Lock()
        self._dropping: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to receive."""
        self._subscription: Subscription = await self._bus.subscribe()
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Stop receiving, reading and flushing."""
        for watch in self.by_channel.values():
            watch.close()
        tasks = [self._listening, *self._dropping]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._subscription.close()

    def follow(self, connection: Connection, topic: Topic, after_seq: int | None = None) -> None:
        """Send this connection the topic's frames from now on, or from `after_seq`."""
        self._watch(topic).subscribe(connection, topic, after_seq)

    def leave(self, connection: Connection, topic: Topic) -> None:
        """Send it no more of them; harmless for a stranger."""
        watch = self.by_channel.get(bus_channel(topic))
        if watch is None:
            return
        watch.unsubscribe(connection, topic)
        if watch.is_idle:
            self._idle_since_s.setdefault(watch.channel, self._loop.time())
            self._forget_idle()

    def said(self, topics: Iterable[Topic]) -> dict[str, int]:
        """The last `seq` that was said on each of these channels."""
        watches = {topic: self.by_channel.get(bus_channel(topic)) for topic in topics}
        return {
            topic.channel: watch.said_seq
            for topic, watch in watches.items()
            if watch is not None and watch.said_seq is not None
        }

    async def repair(self) -> None:
        """Find what the bus lost; let go of what nobody has watched for long."""
        self._forget_idle()
        await self._repairs.look()

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
                self._subscription = await self._bus.subscribe(*self.by_channel)
            except Exception:
                log.exception("the bus is out of reach")
            for watch in self.by_channel.values():
                self._load(watch)

    def _dispatch(self, message: BusMessage) -> None:
        watch = self.by_channel.get(message.channel)
        if watch is None:
            return
        try:
            event = orjson.loads(message.payload) if message.payload else {"type": "lost"}
            if event["type"] == "signed_out":
                self._turn_out(watch)
                return
            lost = not message.payload or watch.apply(event) is Applied.RELOAD
        except (ValueError, KeyError, TypeError):
            log.exception("an event on %s was not understood", message.channel)
            lost = True
        if lost:
            metrics.market_gaps.inc()
            self._load(watch)

    def _turn_out(self, watch: Watch) -> None:
        """Somebody signed out of the account: its sockets go on with what is public."""
        self._signed_out(account_of(watch.channel))
        self._refuse(watch, TICKET_NEEDED, "Somebody signed out: show a new ticket.")
        self._forget(watch)

    @staticmethod
    def _refuse(watch: Watch, code: str, detail: str) -> None:
        for connection, topic in watch.refuse(code, detail):
            connection.topics.discard(topic)

    def _watch(self, topic: Topic) -> Watch:
        channel = bus_channel(topic)
        watch = self.by_channel.get(channel)
        if watch is None:
            is_board = topic.kind is Kind.BOARD
            reload_ms = self._limits.board_reload_ms if is_board else self._limits.token_reload_ms
            watch = Watch(channel, self._pump, self._period_s, reload_ms / 1000)
            self.by_channel[channel] = watch
            self._load(watch)
        self._idle_since_s.pop(channel, None)
        return watch

    def _forget_idle(self) -> None:
        """Let go of what nobody has watched for long, and of the longest idle when there are too many."""
        expired_s = self._loop.time() - self._limits.linger_ms / 1000
        for channel, since_s in list(self._idle_since_s.items()):
            if since_s > expired_s and len(self._idle_since_s) <= self._limits.lingering:
                break
            self._forget(self.by_channel[channel])

    def _forget(self, watch: Watch) -> None:
        watch.close()
        del self.by_channel[watch.channel]
        self._repairs.forget(watch.channel)
        self._idle_since_s.pop(watch.channel, None)
        task = asyncio.create_task(self._drop_channel(watch.channel))
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)

    async def _drop_channel(self, channel: str) -> None:
        async with self._channels:
            if channel not in self.by_channel:  # somebody may have come back meanwhile
                await self._subscription.remove(channel)

    def _load(self, watch: Watch) -> None:
        if watch.channel == BOARD:
            watch.load(lambda: self._read_board(watch))
        elif account_of(watch.channel):
            watch.load(lambda: self._read_account(watch))
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
        self._refuse(watch, "unknown_token", "There is no token at this address.")
        # This runs inside the watch's own loading task, which `_forget` cancels: let it end first.
        self._loop.call_soon(self._forget_if_idle, watch)
        return False

    def _forget_if_idle(self, watch: Watch) -> None:
        if self.by_channel.get(watch.channel) is watch:
            if watch.is_idle:
                self._forget(watch)
            else:
                self._load(watch)

    async def _read_board(self, watch: Watch) -> bool:
        await self._receive_channel(BOARD)
        self._repairs.board_read_s = self._loop.time()
        snapshot = await self._source.board()
        if isinstance(watch.feed, BoardFeed):
            watch.feed.replace(snapshot)
        else:
            watch.feed = BoardFeed(snapshot)
        return True

    async def _read_account(self, watch: Watch) -> bool:
        await self._receive_channel(watch.channel)
        snapshot = await self._source.account(account_of(watch.channel))
        known = watch.feed is not None
        watch.feed = AccountFeed(snapshot)
        if known:
            watch.announce()
        return True
