"""The publishing side of RabbitMQ: confirmed, mandatory, with a time limit on every publish."""

import asyncio
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import aiormq
from aio_pika.abc import AbstractConnection
from aiormq.abc import AbstractChannel
from pamqp.commands import Basic

from engine.adapters.rabbitmq.connection import CONNECTION_ERRORS, BrokerUnavailable, connect, disconnect
from engine.adapters.rabbitmq.consumer import RabbitConsumer
from engine.adapters.rabbitmq.dead_letters import DeadLetters
from engine.adapters.rabbitmq.tokens import TokenList, Tokens, no_tokens
from engine.adapters.rabbitmq.topology import HELD_CHANGED, RPC_TIMEOUT_S, Topology
from engine.errors import OutcomeUnknown, Unavailable
from engine.identifiers import TokenAddress
from engine.ports import Depth

log = logging.getLogger(__name__)

PUBLISH_TIMEOUT_S: Final = 5.0


class QueueRefused(Unavailable):
    """The queue does not exist or is full: nothing was queued."""

    code = "queue_refused"


@dataclass(frozen=True, slots=True)
class _Link:
    connection: AbstractConnection
    channel: AbstractChannel


class RabbitBroker:
    """`engine.ports.Broker` over RabbitMQ.

    `tokens` reads from the database the tokens whose queues are consumed, `held` those whose queues wait.
    """

    def __init__(self, url: str, tokens: TokenList, prefix: str, held: TokenList = no_tokens) -> None:
        self._url = url
        self._tokens = Tokens(tokens, held)
        self._topology = Topology(prefix)
        self._opening: asyncio.Task[_Link] | None = None

    async def declare(self, token: TokenAddress) -> None:
        """Make the token's queue exist and tell the workers of it."""
        link = await self._open()
        try:
            await self._topology.declare_token(link.channel, token)
            await self._announce(link, token)
        except CONNECTION_ERRORS as error:
            await self._drop(link)
            raise BrokerUnavailable(f"The queue could not be declared: {error!r}") from error

    async def recheck_held(self) -> None:
        """Announce it; a worker that does not hear of it finds out within ten seconds."""
        link = await self._open()
        try:
            await self._announce(link, HELD_CHANGED)
        except CONNECTION_ERRORS as error:
            await self._drop(link)
            raise BrokerUnavailable(f"The trade workers could not be told: {error!r}") from error

    async def _announce(self, link: _Link, words: str) -> None:
        exchange = self._topology.announcements
        await link.channel.basic_publish(words.encode(), exchange=exchange, timeout=PUBLISH_TIMEOUT_S)

    async def publish(self, token: TokenAddress, body: bytes) -> None:
        """Queue one order; returns once a quorum has it on disk.

        Raises:
            QueueRefused: returned as unroutable, or refused by a full queue.
            BrokerUnavailable: there is no connection, so nothing was sent.
            OutcomeUnknown: sent, and no confirm came within five seconds.
        """
        link = await self._open()
        try:
            await link.channel.basic_publish(
                body,
                routing_key=self._topology.queue(token),
                properties=Basic.Properties(delivery_mode=2),
                mandatory=True,
                timeout=PUBLISH_TIMEOUT_S,
            )
        except aiormq.exceptions.DeliveryError as error:
            raise QueueRefused(f"The order queue of {token} does not take orders now.") from error
        except CONNECTION_ERRORS as error:
            log.warning("no confirm came for an order of %s: %r", token, error)
            await self._drop(link)
            raise OutcomeUnknown(
                "We could not tell whether the order was queued; ask again with the same id."
            ) from error

    async def consume(self) -> RabbitConsumer:
        """Start receiving as a worker of a new name; a server that is away is waited for."""
        consumer = RabbitConsumer(self._url, self._tokens, self._topology, worker_id=uuid.uuid4().hex)
        consumer.open()
        return consumer

    async def depths(self, tokens: Sequence[TokenAddress]) -> dict[TokenAddress, Depth]:
        """What the server has given to no consumer; it does not say how old that is."""
        link = await self._open()
        found: dict[TokenAddress, Depth] = {}
        channel: AbstractChannel | None = None
        try:
            for token in tokens:
                if channel is None:
                    opened = await link.connection.channel(publisher_confirms=False)
                    channel = await opened.get_underlay_channel()
                try:
                    told = await channel.queue_declare(self._topology.queue(token), passive=True, timeout=RPC_TIMEOUT_S)
                    found[token] = Depth(told.message_count or 0, None)
                except aiormq.exceptions.ChannelNotFoundEntity:
                    channel = None  # the server closes it
            if channel is not None:
                await channel.close()
        except CONNECTION_ERRORS as error:
            raise BrokerUnavailable(f"The queues could not be asked: {error!r}") from error
        return found

    async def dead_letters(self) -> DeadLetters:
        """Start receiving what the queues gave up on."""
        return DeadLetters(self._url, self._topology)

    async def open(self) -> None:
        """Connect now, so that a wrong address is told at start-up.

        Raises:
            BrokerUnavailable: the server cannot be reached.
        """
        await self._open()

    async def check(self) -> None:
        """Connect if there is no connection.

        Raises:
            BrokerUnavailable: the server cannot be reached.
        """
        await self._open()

    async def close(self) -> None:
        """Let go of the connection."""
        if self._opening is not None:
            await asyncio.wait((self._opening,))
            if self._opening.exception() is None:
                await self._drop(self._opening.result())

    async def _open(self) -> _Link:
        """The connection and its channel, opened again if it broke; whoever comes meanwhile waits for the same one."""
        opening = self._opening
        if opening is None or (opening.done() and _is_broken(opening)):
            opening = self._opening = asyncio.create_task(self._connect(), name="rabbitmq-publisher")
        return await asyncio.shield(opening)

    async def _connect(self) -> _Link:
        connection = await connect(self._url, "blitzhub publisher")
        try:
            opened = await connection.channel(publisher_confirms=True, on_return_raises=True)
            channel = await opened.get_underlay_channel()
            await self._topology.declare_shared(channel)
        except CONNECTION_ERRORS as error:
            await disconnect(connection)
            raise BrokerUnavailable(f"RabbitMQ does not answer: {error!r}") from error
        return _Link(connection, channel)

    async def _drop(self, link: _Link) -> None:
        """Let go of a connection that is no longer trusted; one that was opened since is left alone."""
        opening = self._opening
        if opening is not None and opening.done() and opening.exception() is None and opening.result() is link:
            self._opening = None
        await disconnect(link.connection)


def _is_broken(opening: "asyncio.Task[_Link]") -> bool:
    return opening.cancelled() or opening.exception() is not None or opening.result().channel.is_closed
