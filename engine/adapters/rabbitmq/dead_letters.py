"""The dead-letter queue: asked once a second, because it is almost always empty and nobody waits for it."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final

from aio_pika.abc import AbstractConnection
from aiormq.abc import AbstractChannel
from pamqp.commands import Basic

from engine.adapters.rabbitmq.connection import CONNECTION_ERRORS, BrokerUnavailable, connect, disconnect
from engine.adapters.rabbitmq.topology import RPC_TIMEOUT_S, Topology
from engine.identifiers import TokenAddress
from engine.ports import Delivery

log = logging.getLogger(__name__)

ASK_EVERY_S: Final = 1.0


class DeadLetters:
    """`engine.ports.Consumer` of the dead-letter queue; several workers may ask it side by side."""

    workers = 1

    def __init__(self, url: str, topology: Topology) -> None:
        self._url = url
        self._topology = topology
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None

    async def next_batch(self, limit: int) -> list[Delivery]:
        """Wait for a letter and take what is there, at most `limit`."""
        while True:
            try:
                letters = await self._ask(limit)
                _end_if_cancelled()  # letters in hand stay unacknowledged, and come again
                if letters:
                    return letters
            except BrokerUnavailable:
                log.debug("no connection for dead letters")  # the trade worker's own connection says so already
            except CONNECTION_ERRORS as error:
                log.warning("the connection for dead letters broke: %r", error)
                await self.close()
            _end_if_cancelled()
            await asyncio.sleep(ASK_EVERY_S)

    def waiting(self) -> list[Delivery]:
        """Letters are fetched when they are taken."""
        return []

    def owned(self) -> int:
        """No token's own orders come here."""
        return 0

    async def ack(self, batch: Sequence[Delivery]) -> None:
        """Take the letters out of the queue; on a broken connection they come again, which changes nothing."""
        if self._channel is not None:
            with contextlib.suppress(*CONNECTION_ERRORS):
                await self._channel.basic_ack(batch[-1].tag, multiple=True)

    async def close(self) -> None:
        """Let go of the connection; letters that were not acknowledged stay in the queue."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            await disconnect(connection)

    async def _ask(self, limit: int) -> list[Delivery]:
        if self._channel is None or self._channel.is_closed:
            await self.close()
            self._connection = await connect(self._url, "blitzhub dead letters")
            opened = await self._connection.channel(publisher_confirms=False)
            self._channel = await opened.get_underlay_channel()
            await self._topology.declare_shared(self._channel)
        letters: list[Delivery] = []
        while len(letters) < limit:
            message = await self._channel.basic_get(self._topology.dead_letters, timeout=RPC_TIMEOUT_S)
            found = message.delivery
            if not isinstance(found, Basic.GetOk):
                break
            token = TokenAddress(self._topology.token(found.routing_key or ""))
            letters.append(Delivery(token, message.body, found.delivery_tag or 0, bool(found.redelivered)))
        return letters


def _end_if_cancelled() -> None:
    """The library swallows a cancellation that comes with an answer; whoever cancelled would wait for ever."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
