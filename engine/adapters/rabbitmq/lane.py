"""One of a worker's channels: the queues that it listens to on it, and their session in the inbox.

Every token has its lane, the same in every worker. Several lanes, because the server takes the consumers of one channel
one after the other, each with a write to its disk: sixteen channels subscribe to thousands of queues three times as
fast as one. And because a worker that shares anew drops one lane at a time: only its tokens wait meanwhile.
"""

import asyncio
import contextlib
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Final

from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from engine import crash_points
from engine.adapters.rabbitmq.connection import CONNECTION_ERRORS
from engine.adapters.rabbitmq.inbox import Inbox
from engine.adapters.rabbitmq.topology import RPC_TIMEOUT_S, Topology
from engine.crash_points import Point
from engine.identifiers import TokenAddress

LANES: Final = 16

Callback = Callable[[DeliveredMessage], Coroutine[None, None, None]]


def lane_of(token: str) -> int:
    """The number of the token's lane."""
    return zlib.crc32(token.encode()) % LANES


def by_lane(tokens: Iterable[str]) -> list[list[str]]:
    """These tokens by their lanes' numbers, in their order."""
    found: list[list[str]] = [[] for _ in range(LANES)]
    for token in tokens:
        found[lane_of(token)].append(token)
    return found


class Lane:
    """A channel that comes and goes, and who is listened to on it."""

    def __init__(self, topology: Topology, inbox: Inbox, new_channel: Callable[[], Awaitable[AbstractChannel]]) -> None:
        self._topology = topology
        self._inbox = inbox
        self._new_channel = new_channel
        self._listened: set[str] = set()
        self.channel: AbstractChannel | None = None
        self.session = 0

    def listens_to(self, token: str) -> bool:
        """Whether the token's queue is among those listened to."""
        return token in self._listened

    def tokens(self) -> list[str]:
        """Whom it listens to."""
        return sorted(self._listened)

    async def renew(self, prefetch: int, finish_s: float) -> None:
        """Drop the channel once the batch in hand is done, and open a new one that listens to nobody yet.

        A batch that takes longer than `finish_s` is delivered to the next owner as well; it is committed once all the
        same.
        """
        self._inbox.pause(self.session)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, finish_s)):
                await self._inbox.in_hand_done(self.session)
        await self.close()
        channel = await self._new_channel()
        await channel.basic_qos(prefetch_count=prefetch, timeout=RPC_TIMEOUT_S)
        self._listened.clear()
        self.session = session = self._inbox.begin_session()
        channel.closing.add_done_callback(lambda _: self._inbox.end_session(session))
        self.channel = channel

    async def close(self) -> None:
        """Give everything back that is not acknowledged."""
        channel, self.channel = self.channel, None
        self._inbox.end_session(self.session)
        if channel is not None:
            async with asyncio.timeout(RPC_TIMEOUT_S):
                await channel.close()

    async def take(self, tokens: Iterable[str], declare_first: bool, go_on: Callable[[], bool]) -> None:
        """Listen to those of these tokens whose lane this is, as long as `go_on` says so; it may raise."""
        assert self.channel is not None
        for token in tokens:
            if not go_on():
                return
            if token in self._listened:
                continue
            if declare_first:
                await self._topology.declare_token(self.channel, token)
            receive = _receiver(self._inbox, self.session, TokenAddress(token))
            await self.channel.basic_consume(self._topology.queue(token), receive, timeout=RPC_TIMEOUT_S)
            self._listened.add(token)

    async def ack(self, tag: int) -> None:
        """Acknowledge everything up to this tag, in one frame."""
        if self.channel is not None:
            with contextlib.suppress(*CONNECTION_ERRORS):
                await self.channel.basic_ack(tag, multiple=True, wait=False)


def _receiver(inbox: Inbox, session: int, token: TokenAddress) -> Callback:
    """A callback that only appends: callbacks of one channel run concurrently, in the order of their messages."""

    async def receive(message: DeliveredMessage) -> None:
        delivery = message.delivery
        assert isinstance(delivery, Basic.Deliver)
        redelivered = bool(delivery.redelivered)
        given_back = _given_back(message) if redelivered else 0
        crash_points.before(Point.DELIVERED)
        inbox.put(session, delivery.delivery_tag or 0, token, message.body, redelivered, given_back)

    return receive


def _given_back(message: DeliveredMessage) -> int:
    """How often it was delivered before and not acknowledged: a quorum queue counts in a header."""
    count = (message.header.properties.headers or {}).get("x-delivery-count")
    return count if isinstance(count, int) else 0
