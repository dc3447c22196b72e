"""The receiving side of RabbitMQ: a session after the other, and the inbox that the worker drains."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Final

import aiormq

from engine.adapters.rabbitmq.connection import CONNECTION_ERRORS, BrokerUnavailable, connect, disconnect
from engine.adapters.rabbitmq.inbox import Inbox
from engine.adapters.rabbitmq.session import Session, SessionEnded
from engine.adapters.rabbitmq.tokens import Tokens
from engine.adapters.rabbitmq.topology import Topology
from engine.ports import Delivery

log = logging.getLogger(__name__)

RETRY_FIRST_S: Final = 0.2
RETRY_LAST_S: Final = 5.0
SETTLED_AFTER_S: Final = 30.0
"""A session that lasted as long ends the back-off."""


class RabbitConsumer:
    """`engine.ports.Consumer` over RabbitMQ; comes back by itself after any loss of the connection."""

    def __init__(self, url: str, tokens: Tokens, topology: Topology, worker_id: str) -> None:
        self._url = url
        self._tokens = tokens
        self._topology = topology
        self._worker_id = worker_id
        self._inbox = Inbox()
        self._session: Session | None = None
        self._declare_first = False
        self._closing = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Start the session loop; a server that is away is waited for."""
        self._loop = asyncio.create_task(self._sessions(), name="rabbitmq-consumer")

    @property
    def workers(self) -> int:
        """How many trade workers share the queues, this one included."""
        return 1 if self._session is None else len(self._session.colleagues.alive(time.monotonic()))

    async def next_batch(self, limit: int) -> list[Delivery]:
        """Wait for a message and take what is there, at most `limit`."""
        return await self._inbox.take(limit)

    def waiting(self) -> list[Delivery]:
        """What has arrived; what the server still keeps, because this much is unacknowledged, is not seen here."""
        return self._inbox.waiting()

    def owned(self) -> int:
        """The own share, without those that it stands by for; 0 while there is no connection."""
        return 0 if self._session is None else self._session.owned()

    async def ack(self, batch: Sequence[Delivery]) -> None:
        """Acknowledge the batch, in one frame a lane; of what an ended session brought nothing."""
        for session, tag in self._inbox.acknowledged(batch).items():
            if self._session is not None:
                await self._session.ack(session, tag)

    async def close(self) -> None:
        """Leave: the broker hands the queues to the standby workers."""
        self._closing.set()
        if self._session is not None:
            self._session.end("the worker leaves")
        if self._loop is not None:
            await self._loop

    async def _sessions(self) -> None:
        pause_s = RETRY_FIRST_S
        while not self._closing.is_set():
            started_s = time.monotonic()
            try:
                await self._one_session()
            except SessionEnded as ended:
                log.info("receiving ended: %s", ended)
            except BrokerUnavailable as error:
                log.warning("alert=broker_away the trade worker waits for the broker: %s", error.detail)
            except aiormq.exceptions.ChannelNotFoundEntity as error:
                log.warning("a queue is missing, all are declared again: %s", error)
                self._declare_first = True
            except CONNECTION_ERRORS as error:
                log.warning("the connection to RabbitMQ broke: %r", error)
            except Exception:
                log.exception("alert=broker_error the trade worker begins again")
            pause_s = RETRY_FIRST_S if time.monotonic() - started_s > SETTLED_AFTER_S else pause_s
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause_s)
            pause_s = min(pause_s * 2, RETRY_LAST_S)

    async def _one_session(self) -> None:
        connection = await connect(self._url, f"blitzhub trade worker {self._worker_id}")
        self._session = session = Session(
            connection, self._topology, self._inbox, self._worker_id, self._tokens, self._declare_first
        )
        try:
            if not self._closing.is_set():
                await session.run()
        finally:
            await session.leave()
            self._session = None
            await disconnect(connection)
