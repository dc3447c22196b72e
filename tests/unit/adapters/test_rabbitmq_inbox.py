"""What a RabbitMQ consumer hands to its worker, and what it acknowledges, over the sessions of its channels."""

import asyncio

import pytest

from engine.adapters.rabbitmq.inbox import Inbox
from engine.identifiers import TokenAddress
from engine.ports import Delivery

TOKEN = TokenAddress("1" * 40)
SOON_S = 0.02


def put(inbox: Inbox, session: int, *tags: int) -> None:
    for tag in tags:
        inbox.put(session, tag, TOKEN, b"%d" % tag, False)


def bodies(batch: list[Delivery]) -> list[int]:
    return [int(delivery.body) for delivery in batch]


async def comes_nothing(inbox: Inbox) -> bool:
    try:
        async with asyncio.timeout(SOON_S):
            await inbox.take(10)
    except TimeoutError:
        return True
    return False


async def test_messages_are_taken_in_order_and_at_most_as_many_as_asked() -> None:
    inbox = Inbox()
    put(inbox, inbox.begin_session(), 1, 2, 3, 4, 5)
    assert [bodies(await inbox.take(2)) for _ in range(3)] == [[1, 2], [3, 4], [5]]


async def test_nothing_is_handed_out_before_a_session_begins_or_while_it_pauses() -> None:
    inbox = Inbox()
    assert await comes_nothing(inbox)
    session = inbox.begin_session()
    put(inbox, session, 1)
    inbox.pause()
    put(inbox, session, 2)
    assert await comes_nothing(inbox)


async def test_whoever_waits_is_woken_by_the_next_message_whatever_session_brings_it() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.take(10))
    inbox.begin_session()
    put(inbox, inbox.begin_session(), 1)
    assert bodies(await asyncio.wait_for(waiting, 1)) == [1]


async def test_a_session_takes_what_waited_with_it_and_late_messages_of_it_are_dropped() -> None:
    inbox = Inbox()
    old = inbox.begin_session()
    put(inbox, old, 1, 2)
    new = inbox.begin_session()
    put(inbox, old, 3)
    put(inbox, new, 1)
    [delivery] = await inbox.take(10)
    assert inbox.acknowledged([delivery]) == 1


async def test_a_batch_of_an_earlier_session_is_not_acknowledged() -> None:
    inbox = Inbox()
    put(inbox, inbox.begin_session(), 1, 2)
    batch = await inbox.take(10)
    put(inbox, inbox.begin_session(), 1)
    assert inbox.acknowledged(batch) is None
    assert inbox.acknowledged(await inbox.take(10)) == 1


async def test_one_acknowledgement_stands_for_the_batch() -> None:
    inbox = Inbox()
    put(inbox, inbox.begin_session(), 7, 8, 9)
    assert inbox.acknowledged(await inbox.take(10)) == 9


async def test_the_hand_is_empty_once_the_last_batch_is_acknowledged_and_no_earlier() -> None:
    inbox = Inbox()
    await asyncio.wait_for(inbox.in_hand_done(), SOON_S)
    put(inbox, inbox.begin_session(), 1, 2)
    first, second = await inbox.take(1), await inbox.take(1)
    inbox.acknowledged(first)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.in_hand_done(), SOON_S)
    inbox.acknowledged(second)
    await asyncio.wait_for(inbox.in_hand_done(), SOON_S)


async def test_the_end_of_a_session_empties_the_hand() -> None:
    inbox = Inbox()
    put(inbox, inbox.begin_session(), 1)
    await inbox.take(1)
    inbox.end_session()
    await asyncio.wait_for(inbox.in_hand_done(), SOON_S)


async def test_how_often_a_message_was_given_back_reaches_the_worker() -> None:
    inbox = Inbox()
    inbox.put(inbox.begin_session(), 1, TOKEN, b"1", True, 4)
    [delivery] = await inbox.take(1)
    assert (delivery.redelivered, delivery.given_back) == (True, 4)
