"""The embedded broker keeps the broker's contract."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from engine.adapters.broker_sqlite import SqliteBroker
from engine.errors import OutcomeUnknown
from engine.identifiers import TokenAddress
from engine.persistence.database import Database
from engine.persistence.freezes import set_held
from engine.ports import Broker
from tests.contract.broker_contract import ONE, TWO, BrokerContract, numbers, taken
from tests.ledger import list_tokens


@asynccontextmanager
async def opened(where: str) -> AsyncIterator[SqliteBroker]:
    """The broker on this database file."""
    database = Database(where)
    database.migrate()
    broker = SqliteBroker(database)
    await broker.open()
    try:
        yield broker
    finally:
        await broker.close()
        database.close()


class TestSqliteBroker(BrokerContract):
    opener = staticmethod(opened)

    async def hold(self, broker: Broker, *tokens: TokenAddress) -> None:
        assert isinstance(broker, SqliteBroker)
        await broker._database.write(partial(_only_held, tokens))
        await broker.recheck_held()

    @pytest.fixture
    def where(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'broker.db'}"

    async def test_waiting_publishes_share_a_commit(self, where: str) -> None:
        database = Database(where)
        database.migrate()
        broker = SqliteBroker(database)
        await broker.open()
        await broker.declare(ONE)
        before = database.statements
        await asyncio.gather(*(broker.publish(ONE, b"%d" % number) for number in range(200)))
        assert database.statements - before <= 4, "one BEGIN and one INSERT for the first, and one for the others"
        await broker.close()
        database.close()

    async def test_a_journal_that_cannot_be_written_is_an_unknown_outcome_and_the_next_publish_works(
        self, where: str
    ) -> None:
        async with opened(where) as broker:
            await broker.declare(ONE)
            await broker.publish(ONE, b"1")
            await _rename(broker, "broker_journal", "away")
            with pytest.raises(OutcomeUnknown):
                await broker.publish(ONE, b"2")
            await _rename(broker, "away", "broker_journal")
            await broker.publish(ONE, b"3")
            assert numbers(await taken(await broker.consume(), 2), ONE) == [1, 3]

    async def test_acknowledging_a_later_batch_gives_back_the_earlier_one(self, where: str) -> None:
        async with opened(where) as broker:
            await broker.declare(ONE)
            await broker.publish(ONE, b"1")
            await broker.publish(ONE, b"2")
            consumer = await broker.consume()
            _, second = await taken(consumer, 2)
            await consumer.ack([second])
            await consumer.close()
            assert numbers(await taken(await broker.consume(), 1), ONE) == [1]

    async def test_a_publisher_that_gives_up_does_not_take_the_others_with_it(self, where: str) -> None:
        async with opened(where) as broker:
            await broker.declare(ONE)
            impatient = asyncio.create_task(broker.publish(ONE, b"1"))
            patient = asyncio.create_task(broker.publish(ONE, b"2"))
            await asyncio.sleep(0)
            impatient.cancel()
            await patient
            assert numbers(await taken(await broker.consume(), 2), ONE) == [1, 2]


def _only_held(tokens: Collection[TokenAddress], connection: Connection) -> None:
    """Make the tokens' rows if there are none, and hold these."""
    for number, token in enumerate((ONE, TWO)):
        if set_held(connection, token, token in tokens) is None:
            list_tokens(connection, [number], address=token, held=int(token in tokens))


async def _rename(broker: SqliteBroker, table: str, to: str) -> None:
    await broker._database.write(lambda connection: connection.execute(text(f"ALTER TABLE {table} RENAME TO {to}")))
