"""One connection's life as a trade worker: hear of colleagues and launches, and receive one's share of the queues.

Every worker listens to every queue, and the broker lets one at a time receive. A worker takes its own share first and
stands by on the rest, so a dead colleague is replaced at once and nobody else does anything.

Who joins says hello and queues up for its own share behind those who receive it. Then everybody else gives up what is
no longer theirs: lane after lane they finish the batch in hand, drop the channel and listen to their own share again.
A whole channel, because RabbitMQ hands a queue over as soon as its consumer is cancelled, while messages that were
delivered to it are still unacknowledged; only a closed channel puts these back into their places first. When everybody
is ready, and each queue has its owner alone, all stand by on the rest. No order waits longer than one lane takes.
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

from engine.adapters.rabbitmq.connection import CONNECTION_ERRORS
from engine.adapters.rabbitmq.inbox import Inbox
from engine.adapters.rabbitmq.lane import LANES, Lane, by_lane, lane_of
from engine.adapters.rabbitmq.sharing import PRESENCE_EVERY_S, Colleagues, Sign, shares
from engine.adapters.rabbitmq.tokens import Tokens
from engine.adapters.rabbitmq.topology import HELD_CHANGED, RPC_TIMEOUT_S, Topology
from engine.identifiers import TokenAddress

log = logging.getLogger(__name__)

PREFETCH_ALL: Final = 40_000
PREFETCH_MOST: Final = 400
PREFETCH_LEAST: Final = 20
"""Unacknowledged messages a queue may have out: all queues together fit in memory, one alone keeps a worker busy."""

ROLL_CALL_S: Final = 0.3
"""How long a worker listens for colleagues before it decides which tokens are its own."""

STAND_BY_AFTER_S: Final = 10.0
"""A colleague that has not taken its share by then gets no more consideration."""

FINISH_LIMIT_S: Final = 10.0
"""How long everything together waits for batches in hand before it is given back."""

READ_TOKENS_EVERY_S: Final = 10.0
"""An announcement may be missed by a worker that is just connecting."""

OWNER_FIRST_S: Final = PRESENCE_EVERY_S / 10
"""How long the others leave a new token to its owner."""

GIVEN_UP_WITHIN_S: Final = 1.0
"""In this time everybody has dropped the lanes of a held token; before, nobody stands by on their other tokens."""


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
        tokens: Tokens,
        declare_first: bool,
    ) -> None:
        self._connection = connection
        self._topology = topology
        self._inbox = inbox
        self._own_id = own_id
        self._tokens = tokens
        self._declare_first = declare_first
        self._prefetch = PREFETCH_LEAST
        self._recheck_held = False
        self._launched: deque[TokenAddress] = deque()
        self._lanes = [Lane(topology, inbox, self._new_channel) for _ in range(LANES)]
        self._joins = True
        self._control: AbstractChannel | None = None
        self._news = asyncio.Event()
        self._share_anew = False
        self._calling_roll = True
        self._ended: str | None = None
        self.colleagues = Colleagues(own_id)

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
        with contextlib.suppress(*CONNECTION_ERRORS):
            async with asyncio.timeout(FINISH_LIMIT_S):
                await _together(lane.close() for lane in self._lanes)
                await self._say(Sign.BYE)

    async def ack(self, session: int, tag: int) -> None:
        """Acknowledge up to the tag what this session of the inbox brought, if its channel still lives."""
        for lane in self._lanes:
            if lane.session == session:
                await lane.ack(tag)

    async def _new_channel(self) -> AbstractChannel:
        opened = await self._connection.channel(publisher_confirms=False)
        channel = await opened.get_underlay_channel()
        channel.on_consumer_cancel_callbacks.add(lambda frame: self.end(f"the server cancelled {frame}"))
        channel.closing.add_done_callback(lambda _: self._news.set())
        return channel

    def owned(self) -> int:
        """How many of the tokens that are listened to are this worker's by the workers' common rule."""
        listened = [token for lane in self._lanes for token in lane.tokens()]
        return len(shares(listened, self.colleagues.alive(time.monotonic()), self._own_id)[0])

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
        """Take the own share, stand by on the rest, and listen until somebody joins."""
        tokens, _ = await self._tokens.read()
        started_s = time.monotonic()
        if not self._joins:
            await self._wait_until(lambda: not self.colleagues.somebody_joins(time.monotonic()), started_s)
        own, others = shares(tokens, self.colleagues.alive(time.monotonic()), self._own_id)
        self._prefetch = max(PREFETCH_LEAST, min(PREFETCH_MOST, PREFETCH_ALL // max(1, len(tokens))))
        if not await self._take_own(own):
            return
        own_s = time.monotonic() - started_s
        self._joins = False
        await self._say(Sign.READY)
        await self._wait_until(lambda: self.colleagues.all_ready(time.monotonic()), time.monotonic())
        await self._take(others)
        log.info(
            "receiving: worker=%s own_tokens=%d stand_by=%d workers=%d own_s=%.2f all_s=%.2f",
            self._own_id,
            len(own),
            len(others),
            len(self.colleagues.alive(time.monotonic())),
            own_s,
            time.monotonic() - started_s,
        )
        await self._take_launches()

    async def _take_own(self, own: Sequence[str]) -> bool:
        """Drop what is held and listen to these; False when somebody joined meanwhile.

        One lane after the other where orders may be waiting, all at once where nothing is held yet.
        """
        finish_by_s = time.monotonic() + FINISH_LIMIT_S

        async def renew(lane: Lane, tokens: Sequence[str]) -> None:
            if self._goes_on():
                await lane.renew(self._prefetch, finish_by_s - time.monotonic())
                await lane.take(tokens, self._declare_first, self._goes_on)

        own_by_lane = by_lane(own)
        if any(lane.channel is not None for lane in self._lanes):
            for lane, tokens in zip(self._lanes, own_by_lane, strict=True):
                await renew(lane, tokens)
        else:
            await _together(renew(lane, tokens) for lane, tokens in zip(self._lanes, own_by_lane, strict=True))
        return self._goes_on()

    async def _take(self, tokens: Sequence[str]) -> None:
        """Listen to the tokens' queues on all lanes at once, unless somebody joins meanwhile."""
        await _together(
            lane.take(some, self._declare_first, self._goes_on)
            for lane, some in zip(self._lanes, by_lane(tokens), strict=True)
            if some
        )

    def _goes_on(self) -> bool:
        self._check()
        return not self._share_anew

    async def _wait_until(self, holds: Callable[[], bool], since_s: float) -> None:
        """Wait for colleagues, but not for ever and not when somebody joins."""
        while not holds() and self._goes_on() and time.monotonic() - since_s < STAND_BY_AFTER_S:
            await self._wait_for_news(PRESENCE_EVERY_S)

    async def _take_launches(self) -> None:
        """Listen to each token as it is launched, and now and then to those whose announcement was missed."""
        read_at_s = time.monotonic() + READ_TOKENS_EVERY_S
        while not self._share_anew:
            if self._launched:
                launched = [self._launched.popleft() for _ in range(len(self._launched))]
                await self._take_owner_first(launched, OWNER_FIRST_S)
                continue
            if self._recheck_held or time.monotonic() >= read_at_s:
                self._recheck_held = False
                tokens, held = await self._tokens.read()
                gave_up = await self._give_up(held)
                await self._take_owner_first(tokens, GIVEN_UP_WITHIN_S if gave_up else OWNER_FIRST_S)
                read_at_s = time.monotonic() + READ_TOKENS_EVERY_S
            await self._wait_for_news(read_at_s - time.monotonic())

    async def _take_owner_first(self, tokens: Iterable[str], pause_s: float) -> None:
        """Listen to those of these tokens that are not listened to yet: the own ones now, after a pause the others."""
        missing = [token for token in tokens if not self._lanes[lane_of(token)].listens_to(token)]
        own, others = shares(missing, self.colleagues.alive(time.monotonic()), self._own_id)
        await self._take(own)
        if others:
            await asyncio.sleep(pause_s)
            await self._take(others)

    async def _give_up(self, held: Iterable[str]) -> bool:
        """Stop listening to these tokens; returns whether any was listened to.

        Their lanes are dropped, which puts back into its place what was delivered, and listen to nobody.
        """
        numbers = {lane_of(token) for token in held if self._lanes[lane_of(token)].listens_to(token)}
        for number in numbers:
            await self._lanes[number].renew(self._prefetch, FINISH_LIMIT_S)
        if numbers:
            log.info("gave up what is held: worker=%s lanes=%d", self._own_id, len(numbers))
        return bool(numbers)

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
        for channel in (self._control, *(lane.channel for lane in self._lanes)):
            if channel is not None and channel.is_closed:
                raise ConnectionResetError("a channel was closed")

    async def _hear(self, channel: AbstractChannel, exchange: str, note: Callable[[str], Awaitable[None]]) -> None:
        queue = (await channel.queue_declare("", exclusive=True, timeout=RPC_TIMEOUT_S)).queue or ""
        await channel.queue_bind(queue, exchange, timeout=RPC_TIMEOUT_S)

        async def receive(message: DeliveredMessage) -> None:
            await note(message.body.decode("ascii", "replace"))

        await channel.basic_consume(queue, receive, no_ack=True, timeout=RPC_TIMEOUT_S)

    async def _announced(self, words: str) -> None:
        if words == HELD_CHANGED:
            self._recheck_held = True
        else:
            self._launched.append(TokenAddress(words))
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
        self._joins = True
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


async def _together(work: Iterable[Coroutine[None, None, None]]) -> None:
    """Do all of it side by side; the first error is raised when everything has ended."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
