"""Opening a connection to RabbitMQ, and what its errors mean to the caller."""

import asyncio
import contextlib
from typing import Final

import aio_pika
import aiormq
from aio_pika.abc import AbstractConnection
from yarl import URL

from engine.errors import Unavailable

HEARTBEAT_S: Final = 5
"""The server gives up on a silent client after two to three of these."""

CONNECT_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 2.0

CONNECTION_ERRORS: Final = (
    aiormq.exceptions.AMQPError,
    aiormq.exceptions.ChannelInvalidStateError,
    OSError,  # with TimeoutError and ConnectionError
)


class BrokerUnavailable(Unavailable):
    """RabbitMQ cannot be reached, or does not let us in; nothing was queued."""

    code = "broker_unavailable"


async def connect(url: str, name: str) -> AbstractConnection:
    """A plain connection; it does not come back by itself, its user opens a new one.

    Raises:
        BrokerUnavailable: no answer within five seconds, or refused.
    """
    address = URL(url).update_query(heartbeat=str(HEARTBEAT_S))
    try:
        return await aio_pika.connect(address, timeout=CONNECT_TIMEOUT_S, client_properties={"connection_name": name})
    except CONNECTION_ERRORS as error:
        raise BrokerUnavailable(
            f"BLITZ_BROKER_URL: no connection to RabbitMQ at {address.host}:{address.port}: {error!r}"
        ) from error


async def disconnect(connection: AbstractConnection) -> None:
    """Close, whatever state it is in; whoever still waits for an answer gets a `ConnectionResetError`."""
    with contextlib.suppress(*CONNECTION_ERRORS):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await connection.close(ConnectionResetError("the connection to RabbitMQ was closed"))
