"""What every `engine.ports.Broker` does, embedded or RabbitMQ: one suite, held over each adapter unchanged.

An adapter's test module subclasses `BrokerContract` and says with `opener` and `where` how its broker is opened; the
opener is a module-level function, because the crash tests open the same broker in a child process.
"""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import pytest

from engine.errors import Unavailable
from engine.identifiers import TokenAddress
from engine.ports import Broker, Consumer, Delivery

Opener = Callable[[str], AbstractAsyncContextManager[Broker]]

LIMIT_S: Final = 30.0
ONE, TWO, NEVER_DECLARED = (TokenAddress(letter * 40) for letter in "123")


class BrokerContract:
    """The behaviours. Subclasses give `opener` and a fixture `where` that names a new, empty broker."""

    opener: Opener

    @pytest.fixture
    def where(self) -> str:
        """Where the broker keeps its queues: a URL or path that `opener` and a child process both understand."""
        raise NotImplementedError

    async def hold(self, broker: Broker, *tokens: TokenAddress) -> None:
        """Hold these tokens and no other, tell the broker, and wait until its consumers, if any, heed it."""
        raise NotImplementedError

    @pytest.fixture
    async def broker(self, where: str) -> AsyncIterator[Broker]:
        async with type(self).opener(where) as opened:
            await opened.declare(ONE)
            await opened.declare(TWO)
            yield opened

    async def test_a_published_order_arrives_as_it_was_sent(self, broker: Broker) -> None:
        body = bytes(range(256))
        await broker.publish(ONE, body)
        [delivery] = await taken(await broker.consume(), 1)
        assert (delivery.token, delivery.body, delivery.redelivered) == (ONE, body, False)

    async def test_orders_of_a_token_arrive_in_the_order_they_were_published(self, broker: Broker) -> None:
        consumer = await broker.consume()
        for index in range(60):
            await broker.publish((ONE, TWO)[index % 2], b"%d" % index)
        received = await taken(consumer, 60)
        assert numbers(received, ONE) == list(range(0, 60, 2))
        assert numbers(received, TWO) == list(range(1, 60, 2))

    async def test_a_consumer_that_was_waiting_is_woken(self, broker: Broker) -> None:
        consumer = await broker.consume()
        waiting = asyncio.create_task(consumer.next_batch(10))
        await broker.publish(ONE, b"0")
        assert [delivery.body for delivery in await asyncio.wait_for(waiting, LIMIT_S)] == [b"0"]

    async def test_a_wait_that_is_given_up_takes_nothing_with_it(self, broker: Broker) -> None:
        consumer = await broker.consume()
        waiting = asyncio.create_task(consumer.next_batch(10))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
        await broker.publish(ONE, b"0")
        assert numbers(await taken(consumer, 1), ONE) == [0]

    async def test_a_batch_is_never_larger_than_asked(self, broker: Broker) -> None:
        for index in range(25):
            await broker.publish(ONE, b"%d" % index)
        consumer = await broker.consume()
        sizes: list[int] = []
        while sum(sizes) < 25:
            batch = await asyncio.wait_for(consumer.next_batch(7), LIMIT_S)
            sizes.append(len(batch))
            await consumer.ack(batch)
        assert sum(sizes) == 25
        assert min(sizes) >= 1
        assert max(sizes) <= 7

    async def test_concurrent_publishes_all_land_and_each_once(self, broker: Broker) -> None:
        await asyncio.gather(*(broker.publish((ONE, TWO)[index % 2], b"%d" % index) for index in range(400)))
        consumer = await broker.consume()
        received = await taken(consumer, 400)
        await consumer.ack(received)
        assert sorted(numbers(received, ONE) + numbers(received, TWO)) == list(range(400))
        await nothing_else_arrives(broker, consumer)

    async def test_a_queue_that_was_never_declared_refuses_and_queues_nothing(self, broker: Broker) -> None:
        with pytest.raises(Unavailable):
            await broker.publish(NEVER_DECLARED, b"1")
        await broker.declare(NEVER_DECLARED)
        await broker.publish(NEVER_DECLARED, b"2")
        assert numbers(await taken(await broker.consume(), 1), NEVER_DECLARED) == [2]

    async def test_declaring_again_keeps_what_is_queued(self, broker: Broker) -> None:
        await broker.publish(ONE, b"1")
        await asyncio.gather(*(broker.declare(ONE) for _ in range(5)))
        await broker.publish(ONE, b"2")
        consumer = await broker.consume()
        received = await taken(consumer, 2)
        await consumer.ack(received)
        assert numbers(received, ONE) == [1, 2]
        await nothing_else_arrives(broker, consumer)

    async def test_closing_gives_back_what_was_not_acknowledged_first_in_order_and_marked(self, broker: Broker) -> None:
        for index in range(10):
            await broker.publish(ONE, b"%d" % index)
        first = await broker.consume()
        await first.ack(await taken(first, 3))
        await taken(first, 2)
        await taken(first, 3)
        await first.close()
        await broker.publish(ONE, b"10")
        received = await taken(await broker.consume(), 8)
        assert numbers(received, ONE) == [3, 4, 5, 6, 7, 8, 9, 10]
        assert [delivery.redelivered for delivery in received[:5]] == [True] * 5

    async def test_a_consumer_that_is_closed_twice_gives_back_once(self, broker: Broker) -> None:
        await broker.publish(ONE, b"1")
        first = await broker.consume()
        await taken(first, 1)
        await first.close()
        await first.close()
        second = await broker.consume()
        received = await taken(second, 1)
        await second.ack(received)
        await nothing_else_arrives(broker, second)

    async def test_a_held_tokens_orders_wait_the_others_go_on_and_once_released_come_in_order(
        self, broker: Broker
    ) -> None:
        consumer = await broker.consume()
        await broker.publish(ONE, b"0")
        await consumer.ack(await taken(consumer, 1))
        await self.hold(broker, ONE)
        for index in range(1, 41):
            await broker.publish((ONE, TWO)[index % 2], b"%d" % index)
        others = await taken(consumer, 20)
        await consumer.ack(others)
        assert (numbers(others, ONE), numbers(others, TWO)) == ([], list(range(1, 41, 2)))
        await self.hold(broker)
        await broker.publish(ONE, b"42")
        released = await taken(consumer, 21)
        await consumer.ack(released)
        assert numbers(released, ONE) == list(range(2, 43, 2))
        await nothing_else_arrives(broker, consumer)

    async def test_orders_of_a_token_that_is_held_stay_held_for_the_next_consumer(self, broker: Broker) -> None:
        await self.hold(broker, ONE)
        for index in range(6):
            await broker.publish((ONE, TWO)[index % 2], b"%d" % index)
        first = await broker.consume()
        await first.ack(await taken(first, 1))
        await taken(first, 1)
        await first.close()
        second = await broker.consume()
        received = await taken(second, 2)
        await second.ack(received)
        assert (numbers(received, ONE), numbers(received, TWO)) == ([], [3, 5])
        await self.hold(broker)
        assert numbers(await taken(second, 3), ONE) == [0, 2, 4]

    async def test_acknowledged_orders_never_come_again(self, broker: Broker, where: str) -> None:
        for index in range(6):
            await broker.publish(ONE, b"%d" % index)
        consumer = await broker.consume()
        await consumer.ack(await taken(consumer, 4))
        await consumer.close()
        await broker.close()
        async with type(self).opener(where) as again:
            consumer = await again.consume()
            received = await taken(consumer, 2)
            await consumer.ack(received)
            assert numbers(received, ONE) == [4, 5]
            await nothing_else_arrives(again, consumer)

    async def test_queues_stay_declared_when_the_broker_is_opened_again(self, broker: Broker, where: str) -> None:
        await broker.close()
        async with type(self).opener(where) as again:
            await again.publish(TWO, b"1")
            assert numbers(await taken(await again.consume(), 1), TWO) == [1]

    async def test_an_accepted_order_survives_kill_minus_nine(self, where: str) -> None:
        async with self._child("publish", where) as child:
            accepted = await lines_until_killed(child, 37)
        async with type(self).opener(where) as again:
            consumer = await again.consume()
            received = numbers(await taken(consumer, len(accepted)), ONE)
            assert received == accepted == list(range(len(accepted)))

    async def test_a_killed_consumer_loses_nothing_and_sees_nothing_acknowledged_again(
        self, broker: Broker, where: str
    ) -> None:
        for index in range(12):
            await broker.publish(ONE, b"%d" % index)
        await broker.close()
        async with self._child("consume", where) as child:
            assert await lines_until_killed(child, 9) == list(range(9))  # takes nine, acknowledges five of them
        async with type(self).opener(where) as again:
            consumer = await again.consume()
            received = await taken(consumer, 7)
            await consumer.ack(received)
            assert numbers(received, ONE) == [5, 6, 7, 8, 9, 10, 11]
            assert [delivery.redelivered for delivery in received[:4]] == [True] * 4
            await nothing_else_arrives(again, consumer)

    @asynccontextmanager
    async def _child(self, role: str, where: str) -> AsyncIterator[Process]:
        opener = type(self).opener
        name = f"{opener.__module__}:{opener.__qualname__}"
        module = "tests.contract.broker_child"
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", module, name, where, role, stdout=PIPE)
        try:
            yield child
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()


async def taken(consumer: Consumer, count: int) -> list[Delivery]:
    """Wait for `count` messages, not acknowledged, and no more than these."""
    received: list[Delivery] = []
    async with asyncio.timeout(LIMIT_S):
        while len(received) < count:
            received += await consumer.next_batch(count - len(received))
    return received


async def nothing_else_arrives(broker: Broker, consumer: Consumer) -> None:
    """Publish a last message to both queues and see that these are the very next ones."""
    await broker.publish(ONE, b"-1")
    await broker.publish(TWO, b"-2")
    received = await taken(consumer, 2)
    assert sorted(int(delivery.body) for delivery in received) == [-2, -1]


async def lines_until_killed(child: Process, kill_after: int) -> list[int]:
    """The numbers a child printed until it was killed after so many of them, those already in the pipe included."""
    assert child.stdout is not None
    seen: list[int] = []
    async with asyncio.timeout(LIMIT_S):
        while len(seen) < kill_after:
            line = await child.stdout.readline()
            assert line, "the child ended by itself"
            seen.append(int(line))
        child.send_signal(signal.SIGKILL)
        rest = await child.stdout.read()
        await child.wait()
    assert child.returncode == -signal.SIGKILL
    return seen + [int(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]


def numbers(deliveries: list[Delivery], token: TokenAddress) -> list[int]:
    """The bodies of one token's messages as numbers, in arrival order."""
    return [int(delivery.body) for delivery in deliveries if delivery.token == token]
