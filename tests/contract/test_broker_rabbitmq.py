"""RabbitMQ keeps the broker's contract, on a real server."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from engine.adapters.rabbitmq.broker import RabbitBroker
from engine.adapters.rabbitmq.consumer import RabbitConsumer
from engine.adapters.rabbitmq.topology import Topology
from engine.identifiers import TokenAddress
from tests import rabbit
from tests.contract.broker_contract import NEVER_DECLARED, ONE, TWO, BrokerContract

TOKENS = (ONE, TWO, NEVER_DECLARED)


class RememberingBroker(RabbitBroker):
    """Knows its consumers, so that what a test leaves running can be closed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.started: list[RabbitConsumer] = []

    async def consume(self) -> RabbitConsumer:
        self.started.append(await super().consume())
        return self.started[-1]


@asynccontextmanager
async def opened(where: str) -> AsyncIterator[RabbitBroker]:
    """The broker under this prefix; instead of a database, the server tells which tokens there are."""

    async def tokens() -> list[TokenAddress]:
        return [token for token in TOKENS if await rabbit.exists(Topology(where).queue(token))]

    broker = RememberingBroker(rabbit.URL, tokens, where)
    try:
        yield broker
    finally:
        for consumer in broker.started:
            await consumer.close()
        await broker.close()


class TestRabbitBroker(BrokerContract):
    opener = staticmethod(opened)

    @pytest.fixture
    def where(self) -> Iterator[str]:
        with rabbit.own_prefix(TOKENS) as prefix:
            yield prefix
