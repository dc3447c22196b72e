"""What exists on the server: the token queues, the dead-letter queue, the announcement and presence fanouts.

The arguments stand here and nowhere else: declaring a queue again with other ones closes the channel.
"""

from dataclasses import dataclass
from typing import Any, Final

from aiormq.abc import AbstractChannel

DELIVERY_LIMIT: Final = 20
"""A crash counts one delivery for every message in the batch, so an innocent order must survive several."""

MAX_QUEUE_LENGTH: Final = 100_000
"""Beyond this many waiting orders of one token the broker refuses more."""

HELD_CHANGED: Final = "held"
"""Announced when a token was held or released; no address is so short."""

RPC_TIMEOUT_S: Final = 30.0
"""A quorum queue is declared by all its members; a busy server takes its time."""


@dataclass(frozen=True, slots=True)
class Topology:
    """The names on the server; all begin with `prefix`, so that several systems can share one."""

    prefix: str

    def queue(self, token: str) -> str:
        """The token's queue."""
        return f"{self.prefix}:{token}"

    def token(self, queue: str) -> str:
        """The token of a queue, which is also the routing key of its messages."""
        return queue.removeprefix(f"{self.prefix}:")

    @property
    def announcements(self) -> str:
        """Fanout of token addresses as they are launched, and of `HELD_CHANGED`."""
        return f"{self.prefix}.announcements"

    @property
    def presence(self) -> str:
        """Fanout on which workers tell each other that they live."""
        return f"{self.prefix}.presence"

    @property
    def dead_letters(self) -> str:
        """Exchange and queue of orders that killed their workers."""
        return f"{self.prefix}.dead"

    async def declare_shared(self, channel: AbstractChannel) -> None:
        """Declare what all tokens share."""
        for exchange in (self.announcements, self.presence, self.dead_letters):
            await channel.exchange_declare(exchange, exchange_type="fanout", durable=True, timeout=RPC_TIMEOUT_S)
        await channel.queue_declare(
            self.dead_letters, durable=True, arguments={"x-queue-type": "quorum"}, timeout=RPC_TIMEOUT_S
        )
        await channel.queue_bind(self.dead_letters, self.dead_letters, timeout=RPC_TIMEOUT_S)

    async def declare_token(self, channel: AbstractChannel, token: str) -> None:
        """Declare the token's queue."""
        arguments: dict[str, Any] = {
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": self.dead_letters,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-max-length": MAX_QUEUE_LENGTH,
        }
        await channel.queue_declare(self.queue(token), durable=True, arguments=arguments, timeout=RPC_TIMEOUT_S)
