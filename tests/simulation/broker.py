"""The simulated broker: durable queues, one per token, at-least-once, one active consumer each.

What it may do to an order: lose the confirmation of a publish, deliver again what was not acknowledged, hand a queue to
another consumer while the frozen one still works on it, and interleave tokens as it likes. Within a token the order of
publishing holds.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from engine.errors import OutcomeUnknown, Unavailable
from engine.identifiers import TokenAddress
from engine.ports import Delivery
from tests.simulation.hosts import Host


@dataclass(slots=True)
class _Message:
    number: int
    body: bytes
    redelivered: bool = False


class Exchange:
    """What survives every kill: the queues, and who consumes them."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.queues: dict[TokenAddress, list[_Message]] = {}
        self._sessions: list[_Session] = []
        self._numbers = 0

    def declare(self, token: TokenAddress) -> None:
        """Make the queue exist."""
        self.queues.setdefault(token, [])

    def put(self, token: TokenAddress, body: bytes) -> None:
        """Queue a message."""
        self._numbers += 1
        self.queues[token].append(_Message(self._numbers, body))
        self.wake()

    def open(self) -> "_Session":
        """A new consumer, active for whatever nobody consumes."""
        session = _Session(self)
        self._sessions.append(session)
        self.wake()
        return session

    def end(self, session: "_Session") -> None:
        """Put back, in their old order, what the session did not acknowledge; somebody else may have it."""
        if session not in self._sessions:
            return
        self._sessions.remove(session)
        for token, message in sorted(session.unacknowledged.values(), key=lambda each: each[1].number, reverse=True):
            message.redelivered = True
            self.queues[token].insert(0, message)
        session.ended = True
        session.arrived.set()
        self.wake()

    def take(self, session: "_Session", limit: int) -> list[Delivery]:
        """What this session receives now: of its own tokens, each in order, the tokens interleaved at random."""
        deliveries: list[Delivery] = []
        if session.ended:
            return deliveries
        while len(deliveries) < limit:
            ready = [token for token, queue in self.queues.items() if queue and self._active(token) is session]
            if not ready:
                break
            token = self._rng.choice(ready)
            message = self.queues[token].pop(0)
            self._numbers += 1
            session.unacknowledged[self._numbers] = (token, message)
            deliveries.append(Delivery(token, message.body, self._numbers, message.redelivered))
        return deliveries

    def _active(self, token: TokenAddress) -> "_Session":
        """Who already holds messages of the token; else its place in the row of sessions."""
        for session in self._sessions:
            if any(held == token for held, _ in session.unacknowledged.values()):
                return session
        return self._sessions[list(self.queues).index(token) % len(self._sessions)]

    def wake(self) -> None:
        """Who may receive what has changed: everybody looks."""
        for session in self._sessions:
            session.arrived.set()

    @property
    def waiting(self) -> int:
        """Messages that nobody has acknowledged."""
        return sum(map(len, self.queues.values())) + sum(len(each.unacknowledged) for each in self._sessions)


class _Session:
    """One consumer's connection."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.unacknowledged: dict[int, tuple[TokenAddress, _Message]] = {}
        self.arrived = asyncio.Event()
        self.ended = False

    def acknowledge(self, tags: Sequence[int]) -> None:
        """Forget these, unless the session is over: then they are on their way to somebody else."""
        for tag in tags:
            self.unacknowledged.pop(tag, None)
        self.exchange.wake()  # what stayed with whoever held a message of the queue may be somebody else's now


class SimulatedBroker:
    """`engine.ports.Broker` as one process sees it."""

    def __init__(self, exchange: Exchange, host: Host) -> None:
        self._exchange, self._host = exchange, host

    async def declare(self, token: TokenAddress) -> None:
        """Make the queue exist."""
        await self._host.call("declare", lambda: self._exchange.declare(token), Unavailable)

    async def publish(self, token: TokenAddress, body: bytes) -> None:
        """Queue the order; its confirmation may be lost."""
        if token not in self._exchange.queues:
            raise Unavailable(f"There is no queue for {token}.")
        await self._host.call("publish", lambda: self._exchange.put(token, body), OutcomeUnknown, Unavailable)

    async def consume(self) -> "SimulatedConsumer":
        """A consumer."""
        return SimulatedConsumer(self._exchange, self._host)

    async def dead_letters(self) -> None:
        """Deliveries are not counted."""

    async def check(self) -> None:
        """It answers."""

    async def close(self) -> None:
        """The queues stay."""


class SimulatedConsumer:
    """`engine.ports.Consumer`: opens a new session whenever the old one is over."""

    workers = 1

    def __init__(self, exchange: Exchange, host: Host) -> None:
        self._exchange, self._host = exchange, host
        self._session = self._opened()

    def _opened(self) -> _Session:
        session = self._exchange.open()
        self._host.on_silence(lambda: self._exchange.end(session))
        return session

    def waiting(self) -> list[Delivery]:
        """Nothing arrives before it is taken."""
        return []

    def owned(self) -> int:
        """Whoever is active for a queue has its orders; which ones is the exchange's secret."""
        return 0

    async def next_batch(self, limit: int) -> list[Delivery]:
        """Wait for messages."""
        while True:
            if self._session.ended:
                self._session = self._opened()
            session = self._session
            session.arrived.clear()
            try:
                batch = await self._host.call("deliver", partial(self._exchange.take, session, limit), ConnectionError)
            except ConnectionError:
                self._exchange.end(session)
                continue
            if batch:
                return batch
            if not session.ended:
                await session.arrived.wait()

    async def ack(self, batch: Sequence[Delivery]) -> None:
        """Acknowledge; the message that says so may be lost, and the session with it."""
        session, tags = self._session, [delivery.tag for delivery in batch]
        try:
            await self._host.call("ack", partial(session.acknowledge, tags), ConnectionError)
        except ConnectionError:
            self._exchange.end(session)

    async def close(self) -> None:
        """Give back what was not acknowledged."""
        if not self._host.dead:
            self._exchange.end(self._session)
