"""RabbitMQ keeps the broker's contract, on a real server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from engine.adapters.rabbitmq.broker import RabbitBroker
from engine.adapters.rabbitmq.consumer import RabbitConsumer
from engine.adapters.rabbitmq.topology import Topology
from engine.identifiers import TokenAddress
from engine.ports import Broker
from tests import rabbit
from tests.contract.broker_contract import NEVER_DECLARED, ONE, TWO, BrokerContract

TOKENS = (ONE, TWO, NEVER_DECLARED)


class RememberingBroker(RabbitBroker):
    """Knows its consumers, so that what a test leaves running can be closed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments, self._held_tokens)
        self.started: list[RabbitConsumer] = []
        self.held: tuple[TokenAddress, ...] = ()

    async def _held_tokens(self) -> list[TokenAddress]:
        return list(self.held)

    def queue(self, token: TokenAddress) -> str:
        """The token's queue on the server."""
        return self._topology.queue(token)

    async def consume(self) -> RabbitConsumer:
        self.started.append(await super().consume())
        return self.started[-1]


@asynccontextmanager
async def opened(where: str) -> AsyncIterator[RabbitBroker]:
    """The broker under this prefix; instead of a database, the server tells which tokens there are."""

    async def tokens() -> list[TokenAddress]:
        known = [token for token in TOKENS if await rabbit.exists(Topology(where).queue(token))]
        return [token for token in known if token not in broker.held]

    broker = RememberingBroker(rabbit.URL, tokens, where)
    try:
        yield broker
    finally:
        for consumer in broker.started:
            await consumer.close()
        await broker.close()


class TestRabbitBroker(BrokerContract):
    opener = staticmethod(opened)

    async def hold(self, broker: Broker, *tokens: TokenAddress) -> None:
        assert isinstance(broker, RememberingBroker)
        broker.held = tokens
        await broker.recheck_held()
        expected = {token: int(bool(broker.started) and token not in tokens) for token in (ONE, TWO)}
        async with asyncio.timeout(rabbit.LIMIT_S):
            for token, count in expected.items():
                while await rabbit.consumers(broker.queue(token)) != count:  # noqa: ASYNC110  the server rings no event
                    await asyncio.sleep(0.05)

    @pytest.fixture
    def where(self) -> Iterator[str]:
        with rabbit.own_prefix(TOKENS) as prefix:
            yield prefix
