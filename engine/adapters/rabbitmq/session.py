"""One connection's life as a trade worker: hear of colleagues and launches, and receive one's share of the queues.

Every worker listens to every queue, and the broker lets one at a time receive. A worker takes its own share first and
stands by on the rest, so a dead colleague is replaced at once and nobody else does anything. When a colleague joins,
everybody finishes the batch in hand, drops the channel and listens again, own share first. The whole channel, because
RabbitMQ hands a queue over as soon as its consumer is cancelled, while messages that were delivered to it are still
unacknowledged; only a closed channel puts these back into their places first.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Final

from aio_pika.abc import AbstractConnection
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from engine.adapters.rabbitmq.connection import CONNECTION_ERRORS
from engine.adapters.rabbitmq.inbox import Inbox
from engine.adapters.rabbitmq.sharing import PRESENCE_EVERY_S, Colleagues, Sign, shares
from engine.adapters.rabbitmq.topology import RPC_TIMEOUT_S, Topology
from engine.identifiers import TokenAddress

log = logging.getLogger(__name__)

PREFETCH_ALL: Final = 40_000
PREFETCH_MOST: Final = 400
PREFETCH_LEAST: Final = 20
"""Unacknowledged messages a queue may have out: all queues together fit in memory, one busy queue fills two batches."""

ROLL_CALL_S: Final = 0.3
"""How long a worker listens for colleagues before it decides which tokens are its own."""

STAND_BY_AFTER_S: Final = 10.0
"""A colleague that has not taken its share by then gets no more consideration."""

FINISH_LIMIT_S: Final = 10.0
"""A batch that takes longer is delivered to the next owner as well, and committed once all the same."""

READ_TOKENS_EVERY_S: Final = 10.0
"""An announcement may be missed by a worker that is just connecting."""

TokenList = Callable[[], Awaitable[list[TokenAddress]]]
Callback = Callable[[DeliveredMessage], Coroutine[None, None, None]]


class SessionEnded(Exception):
    """The session is over and nothing broke."""


class Session:
    """What happens on one connection. `declare_first` makes missing queues before listening to them."""

    def __init__(
        self,
        connection: AbstractConnection,
        topology: Topology,
        inbox: Inbox,
        own_id: str,
        tokens: TokenList,
        declare_first: bool,
    ) -> None:
        self._connection = connection
        self._topology = topology
        self._inbox = inbox
        self._own_id = own_id
        self._tokens = tokens
        self._declare_first = declare_first
        self._known: list[TokenAddress] | None = None
        self._launched: deque[TokenAddress] = deque()
        self._listened: set[str] = set()
        self._control: AbstractChannel | None = None
        self._news = asyncio.Event()
        self._share_anew = False
        self._calling_roll = True
        self._ended: str | None = None
        self.colleagues = Colleagues(own_id)
        self.channel: AbstractChannel | None = None

    async def run(self) -> None:
        """Receive until the connection is lost or `end` is called.

        Raises:
            SessionEnded: by `end`, or by the server that took a queue away.
            OSError, AMQPError: whatever broke.
        """
        control = self._control = await self._new_channel()
        await self._topology.declare_shared(control)
        await self._hear(control, self._topology.announcements, self._announced)
        await self._hear(control, self._topology.presence, self._heard)
        present = asyncio.create_task(self._tell_presence(), name="rabbitmq-presence")
        try:
            await self._say_hello()
            while True:
                await self._roll_call()
                await self._listen_anew()
        finally:
            present.cancel()

    def end(self, why: str) -> None:
        """Make `run` raise `SessionEnded` soon. Not by cancelling it: the library may swallow a cancellation."""
        self._ended = why
        self._news.set()

    async def leave(self) -> None:
        """Give everything back in order: acknowledgements first, then what is not acknowledged."""
        channel, self.channel = self.channel, None
        self._inbox.end_session()
        with contextlib.suppress(*CONNECTION_ERRORS):
            async with asyncio.timeout(FINISH_LIMIT_S):
                if channel is not None:
                    await channel.close()
                await self._say(Sign.BYE)

    async def _new_channel(self) -> AbstractChannel:
        opened = await self._connection.channel(publisher_confirms=False)
        channel = await opened.get_underlay_channel()
        channel.on_consumer_cancel_callbacks.add(lambda frame: self.end(f"the server cancelled {frame}"))
        channel.closing.add_done_callback(lambda _: self._news.set())
        return channel

    async def _roll_call(self) -> None:
        """Wait until everybody who lives has been heard of, whoever joins meanwhile included."""
        self._calling_roll = True
        while True:
            self._share_anew = False
            await asyncio.sleep(ROLL_CALL_S)
            self._check()
            if not self._share_anew:
                break
        self._calling_roll = False

    async def _listen_anew(self) -> None:
        """Drop the channel once the batch in hand is done, and listen on a new one until somebody joins."""
        tokens = await self._token_list()
        self._inbox.pause()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_LIMIT_S):
                await self._inbox.in_hand_done()
        old, self.channel = self.channel, None
        self._inbox.end_session()
        self._check()
        if old is not None:
            async with asyncio.timeout(RPC_TIMEOUT_S):
                await old.close()
        self.channel = channel = await self._new_channel()
        prefetch = max(PREFETCH_LEAST, min(PREFETCH_MOST, PREFETCH_ALL // max(1, len(tokens))))
        await channel.basic_qos(prefetch_count=prefetch, timeout=RPC_TIMEOUT_S)
        session = self._inbox.begin_session()
        channel.closing.add_done_callback(lambda _: self._forget(channel))
        self._listened = set()
        await self._take_shares(channel, session, tokens)
        await self._take_launches(channel, session)

    async def _take_shares(self, channel: AbstractChannel, session: int, tokens: Sequence[TokenAddress]) -> None:
        started_s = time.monotonic()
        own, others = shares(tokens, self.colleagues.alive(started_s), self._own_id)
        await self._take(channel, session, own)
        await self._say(Sign.READY)
        while not self._share_anew and not self.colleagues.all_ready(now_s := time.monotonic()):
            if now_s - started_s > STAND_BY_AFTER_S:
                break
            await self._wait_for_news(PRESENCE_EVERY_S)
        own_s = time.monotonic() - started_s
        await self._take(channel, session, others)
        log.info(
            "receiving: own_tokens=%d stand_by=%d workers=%d own_s=%.2f all_s=%.2f",
            len(own),
            len(others),
            len(self.colleagues.alive(time.monotonic())),
            own_s,
            time.monotonic() - started_s,
        )

    async def _take_launches(self, channel: AbstractChannel, session: int) -> None:
        """Listen to each token as it is launched, and now and then to those whose announcement was missed."""
        read_at_s = time.monotonic() + READ_TOKENS_EVERY_S
        while not self._share_anew:
            while self._launched:
                token = self._launched.popleft()
                if shares([token], self.colleagues.alive(time.monotonic()), self._own_id)[1]:
                    await asyncio.sleep(PRESENCE_EVERY_S / 10)  # its owner first
                await self._take(channel, session, [token])
            if time.monotonic() >= read_at_s:
                await self._take(channel, session, await self._token_list())
                read_at_s = time.monotonic() + READ_TOKENS_EVERY_S
            await self._wait_for_news(read_at_s - time.monotonic())

    async def _take(self, channel: AbstractChannel, session: int, tokens: Iterable[str]) -> None:
        """Listen to the tokens' queues, unless somebody joins meanwhile."""
        for token in tokens:
            self._check()
            if self._share_anew:
                return
            if token in self._listened:
                continue
            if self._declare_first:
                await self._topology.declare_token(channel, token)
            receive = _receiver(self._inbox, session, TokenAddress(token))
            await channel.basic_consume(self._topology.queue(token), receive, timeout=RPC_TIMEOUT_S)
            self._listened.add(token)

    async def _token_list(self) -> list[TokenAddress]:
        """The tradable tokens; the last known ones while the database is away."""
        try:
            self._known = await self._tokens()
        except Exception:
            if self._known is None:
                raise
            log.exception("the list of tokens could not be read again")
        return self._known

    async def _wait_for_news(self, limit_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, limit_s)):
                await self._news.wait()
        self._news.clear()
        self._check()

    def _check(self) -> None:
        """Notice that a channel is gone: nothing is repaired, the session ends."""
        if self._ended is not None:
            raise SessionEnded(self._ended)
        for channel in (self._control, self.channel):
            if channel is not None and channel.is_closed:
                raise ConnectionResetError("a channel was closed")

    def _forget(self, channel: AbstractChannel) -> None:
        """The channel closed by itself: what it brought is delivered again, to whoever comes next."""
        if channel is self.channel:
            self._inbox.end_session()

    async def _hear(self, channel: AbstractChannel, exchange: str, note: Callable[[str], Awaitable[None]]) -> None:
        queue = (await channel.queue_declare("", exclusive=True, timeout=RPC_TIMEOUT_S)).queue or ""
        await channel.queue_bind(queue, exchange, timeout=RPC_TIMEOUT_S)

        async def receive(message: DeliveredMessage) -> None:
            await note(message.body.decode("ascii", "replace"))

        await channel.basic_consume(queue, receive, no_ack=True, timeout=RPC_TIMEOUT_S)

    async def _announced(self, token: str) -> None:
        self._launched.append(TokenAddress(token))
        self._news.set()

    async def _heard(self, message: str) -> None:
        word, _, worker = message.partition(" ")
        if word not in set(Sign) or worker == self._own_id:
            return
        sign = Sign(word)
        is_new = self.colleagues.heard(sign, worker, time.monotonic())
        if sign is Sign.HELLO:
            log.info("worker %s joins", worker)
            self._share_anew = True
            await self._say(Sign.HERE)
        elif is_new and not self._calling_roll and self.colleagues.may_say_hello(time.monotonic()):
            log.info("worker %s is here again", worker)
            await self._say_hello()
            self._share_anew = True
        self._news.set()

    async def _say_hello(self) -> None:
        self.colleagues.said_hello(time.monotonic())
        await self._say(Sign.HELLO)

    async def _say(self, sign: Sign) -> None:
        assert self._control is not None
        await self._control.basic_publish(f"{sign} {self._own_id}".encode(), exchange=self._topology.presence)

    async def _tell_presence(self) -> None:
        with contextlib.suppress(*CONNECTION_ERRORS):  # which `_check` finds by itself
            while True:
                await self._say(Sign.HERE)
                await asyncio.sleep(PRESENCE_EVERY_S)


def _receiver(inbox: Inbox, session: int, token: TokenAddress) -> Callback:
    """A callback that only appends: callbacks of one channel run concurrently, in the order of their messages."""

    async def receive(message: DeliveredMessage) -> None:
        delivery = message.delivery
        assert isinstance(delivery, Basic.Deliver)
        redelivered = bool(delivery.redelivered)
        given_back = _given_back(message) if redelivered else 0
        inbox.put(session, delivery.delivery_tag or 0, token, message.body, redelivered, given_back)

    return receive


def _given_back(message: DeliveredMessage) -> int:
    """How often it was delivered before and not acknowledged: a quorum queue counts in a header."""
    count = (message.header.properties.headers or {}).get("x-delivery-count")
    return count if isinstance(count, int) else 0
