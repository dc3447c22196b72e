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


async def test_nothing_is_handed_out_before_a_session_begins_or_once_it_pauses() -> None:
    inbox = Inbox()
    assert await comes_nothing(inbox)
    session = inbox.begin_session()
    put(inbox, session, 1)
    inbox.pause(session)
    put(inbox, session, 2)
    assert await comes_nothing(inbox)


async def test_whoever_waits_is_woken_by_the_next_message_whatever_session_brings_it() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.take(10))
    inbox.begin_session()
    put(inbox, inbox.begin_session(), 1)
    assert bodies(await asyncio.wait_for(waiting, 1)) == [1]


async def test_sessions_live_side_by_side_and_each_is_acknowledged_up_to_its_own_last_message() -> None:
    inbox = Inbox()
    one, two = inbox.begin_session(), inbox.begin_session()
    put(inbox, one, 1, 2)
    put(inbox, two, 1)
    put(inbox, one, 3)
    assert inbox.acknowledged(await inbox.take(3)) == {one: 2, two: 1}
    assert inbox.acknowledged(await inbox.take(3)) == {one: 3}


async def test_the_end_of_a_session_takes_what_waited_with_it_and_nothing_of_the_others() -> None:
    inbox = Inbox()
    one, two = inbox.begin_session(), inbox.begin_session()
    put(inbox, one, 1, 2)
    put(inbox, two, 7)
    inbox.end_session(one)
    put(inbox, one, 3)
    assert bodies(await inbox.take(10)) == [7]


async def test_an_ended_session_is_not_acknowledged_and_a_paused_one_is() -> None:
    inbox = Inbox()
    one, two = inbox.begin_session(), inbox.begin_session()
    put(inbox, one, 1)
    put(inbox, two, 1)
    batch = await inbox.take(10)
    inbox.end_session(one)
    inbox.pause(two)
    assert inbox.acknowledged(batch) == {two: 1}


async def test_one_acknowledgement_stands_for_the_batch() -> None:
    inbox = Inbox()
    session = inbox.begin_session()
    put(inbox, session, 7, 8, 9)
    assert inbox.acknowledged(await inbox.take(10)) == {session: 9}


async def test_the_hand_is_empty_once_the_sessions_last_batch_is_acknowledged_and_no_earlier() -> None:
    inbox = Inbox()
    session, other = inbox.begin_session(), inbox.begin_session()
    await asyncio.wait_for(inbox.in_hand_done(session), SOON_S)
    put(inbox, session, 1, 2)
    put(inbox, other, 1)
    first, second, _not_waited_for = [await inbox.take(1) for _ in range(3)]
    inbox.acknowledged(first)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.in_hand_done(session), SOON_S)
    inbox.acknowledged(second)
    await asyncio.wait_for(inbox.in_hand_done(session), SOON_S)


async def test_the_end_of_a_session_empties_the_hand() -> None:
    inbox = Inbox()
    session = inbox.begin_session()
    put(inbox, session, 1)
    await inbox.take(1)
    waiting = asyncio.create_task(inbox.in_hand_done(session))
    await asyncio.sleep(0)
    inbox.end_session(session)
    await asyncio.wait_for(waiting, SOON_S)


async def test_how_often_a_message_was_given_back_reaches_the_worker() -> None:
    inbox = Inbox()
    inbox.put(inbox.begin_session(), 1, TOKEN, b"1", True, 4)
    [delivery] = await inbox.take(1)
    assert (delivery.redelivered, delivery.given_back) == (True, 4)
