"""The hub with an in-memory bus: merging, gaps, races, slow readers, limits and hostile clients."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from engine.adapters.bus_memory import MemoryBus
from engine.live import Hub
from engine.live.connection import CLOSE_IDLE, CLOSE_POLICY, CLOSE_SLOW, CLOSE_TOO_BIG
from engine.ports import BusMessage
from engine.trading import events
from tests.market_data import address, token_values
from tests.unit.live_parts import (
    QUICK,
    START_MS,
    TOKEN,
    FakeClock,
    FakeMarket,
    FakeSocket,
    contiguous,
    subscribe,
    until,
)

TRADES = f"trades:{TOKEN}"
FRAMES_PER_S = 50


@pytest.fixture
def market() -> FakeMarket:
    market = FakeMarket()
    market.launch()
    return market


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def hub(market: FakeMarket, bus: MemoryBus) -> AsyncIterator[Hub]:
    hub = Hub(market, bus, FakeClock(), FRAMES_PER_S, QUICK)
    await hub.start()
    yield hub
    await hub.close()


async def watching(hub: Hub, *messages: str) -> FakeSocket:
    """A connected socket that has its snapshots."""
    socket = FakeSocket()
    connection = hub.connect(socket)
    for message in messages:
        connection.receive(message)
    await until(lambda: len(socket.frames) >= len(messages))
    return socket


async def test_a_snapshot_comes_first_and_trades_follow_it(hub: Hub, market: FakeMarket, bus: MemoryBus) -> None:
    market.trade(price=5)
    socket = await watching(hub, subscribe("trades"), subscribe("token"), subscribe("candles", interval="1m"))
    bus.publish(market.trade(price=8))
    await until(lambda: len(socket.frames) == 6)
    first, second = socket.said(TRADES)
    assert (first["from_seq"], first["seq"]) == (0, 1)
    assert [trade["price"] for trade in first["data"]["trades"]] == ["5"]
    assert (second["from_seq"], second["seq"], second["data"]["omitted"]) == (2, 2, 0)
    assert [trade["price"] for trade in second["data"]["trades"]] == ["8"]
    snapshot, delta = socket.said(f"token:{TOKEN}")
    assert (snapshot["data"]["token"]["symbol"], snapshot["data"]["token"]["price"]) == ("VOLT", "5")
    assert (delta["data"]["price"], delta["data"]["market_cap_lamports"]) == ("8", "4800")
    assert delta["data"]["trades"] == second["data"]["trades"]
    (candle,) = socket.said(f"candles:{TOKEN}:1m")[1]["data"]["candles"]
    bucket = START_MS - START_MS % 60_000
    assert candle == {"t": bucket, "o": "5", "h": "8", "l": "5", "c": "8", "v": "1000000000", "n": 2}
    assert delta["data"]["candle"] == candle


async def test_a_burst_becomes_one_frame_and_the_rate_is_kept(market: FakeMarket, bus: MemoryBus) -> None:
    hub = Hub(market, bus, FakeClock(), 10, QUICK)
    await hub.start()
    socket = await watching(hub, subscribe("trades"))
    began = asyncio.get_running_loop().time()
    for price in range(1, 301):
        bus.publish(market.trade(price=price))
        if price % 10 == 0:
            await asyncio.sleep(0.01)
    await until(lambda: socket.said(TRADES)[-1]["seq"] == 300)
    passed_s = asyncio.get_running_loop().time() - began
    frames = socket.said(TRADES)
    assert contiguous(frames)
    assert len(frames) <= 2 + passed_s * 10
    assert sum(len(frame["data"]["trades"]) + frame["data"].get("omitted", 0) for frame in frames) == 300
    await hub.close()


async def test_every_subscriber_gets_the_very_same_frame_object(hub: Hub, market: FakeMarket, bus: MemoryBus) -> None:
    sockets = [await watching(hub, subscribe("trades")) for _ in range(3)]
    bus.publish(market.trade())
    await until(lambda: all(len(socket.frames) == 2 for socket in sockets))
    assert len({id(socket.frames[1]) for socket in sockets}) == 1
    assert market.reads == 1


async def test_a_trade_committed_while_the_snapshot_is_read_is_neither_lost_nor_doubled(
    hub: Hub, market: FakeMarket, bus: MemoryBus
) -> None:
    bus.publish(market.trade(price=1))
    market.may_read.clear()
    socket = FakeSocket()
    hub.connect(socket).receive(subscribe("trades"))
    await asyncio.wait_for(market.reading.wait(), 5)  # the snapshot holds seq 1
    inside = market.trade(price=1)
    bus.publish([events.trade(market.tape[TOKEN][0], 0, market.rows[TOKEN]), *inside])
    market.may_read.set()
    await until(lambda: socket.said(TRADES) and socket.said(TRADES)[-1]["seq"] == 2)
    frames = socket.said(TRADES)
    assert contiguous(frames)
    seen = [trade["seq"] for frame in frames for trade in reversed(frame["data"]["trades"])]
    assert seen == [1, 2]


async def test_a_subscriber_that_comes_between_two_frames_sees_no_gap(
    hub: Hub, market: FakeMarket, bus: MemoryBus
) -> None:
    early = await watching(hub, subscribe("trades"))
    late = []
    (watch,) = hub._watches.by_channel.values()
    for price in range(1, 40):
        bus.publish(market.trade(price=price))
        await until(lambda price=price: watch.feed is not None and watch.feed.seq == price)
        late.append(await watching(hub, subscribe("trades")))
    await until(lambda: all(socket.said(TRADES)[-1]["seq"] == 39 for socket in [early, *late]))
    assert all(contiguous(socket.said(TRADES)) for socket in [early, *late])


async def test_who_comes_after_the_last_reader_left_is_greeted_from_memory(market: FakeMarket, bus: MemoryBus) -> None:
    hub = Hub(market, bus, FakeClock(), FRAMES_PER_S, replace(QUICK, linger_ms=60_000))
    await hub.start()
    try:
        socket = FakeSocket()
        connection = hub.connect(socket)
        connection.receive(subscribe("trades"))
        await until(lambda: socket.frames)
        hub.disconnect(connection)
        bus.publish(market.trade(price=5))
        (watch,) = hub._watches.by_channel.values()
        await until(lambda: watch.feed is not None and watch.feed.seq == 1)
        late = await watching(hub, subscribe("trades"), subscribe("token"), subscribe("candles", interval="1m"))
        assert late.said(TRADES)[0]["seq"] == 1
        assert market.reads == 1
    finally:
        await hub.close()


async def test_a_token_that_nobody_watches_any_more_is_forgotten_in_the_end(market: FakeMarket, bus: MemoryBus) -> None:
    others = [market.launch(number) for number in range(10, 13)]
    hub = Hub(market, bus, FakeClock(), FRAMES_PER_S, replace(QUICK, linger_ms=100, lingering=2))
    await hub.start()
    try:
        for token in others:
            socket = FakeSocket()
            connection = hub.connect(socket)
            connection.receive(subscribe("trades", token))
            await until(lambda socket=socket: socket.frames)
            hub.disconnect(connection)
        assert [channel.partition(":")[2] for channel in hub._watches.by_channel] == others[1:], (
            "no more than two linger"
        )
        await until(lambda: not hub._watches.by_channel)
        reads = market.reads
        await watching(hub, subscribe("trades", others[2]))
        assert market.reads == reads + 1
    finally:
        await hub.close()


async def test_a_lost_event_brings_a_new_snapshot(hub: Hub, market: FakeMarket, bus: MemoryBus) -> None:
    socket = await watching(hub, subscribe("trades"))
    market.trade(price=3)
    bus.publish(market.trade(price=4))
    await until(lambda: socket.said(TRADES)[-1]["seq"] == 2)
    last = socket.said(TRADES)[-1]
    assert last["from_seq"] == 0
    assert [trade["seq"] for trade in last["data"]["trades"]] == [2, 1]


async def test_an_empty_payload_brings_a_new_snapshot(hub: Hub, market: FakeMarket, bus: MemoryBus) -> None:
    socket = await watching(hub, subscribe("token"))
    market.rows[TOKEN]["holders"] = 12
    bus.publish([BusMessage(events.token_channel(TOKEN), b"")])
    await until(lambda: len(socket.frames) == 2)
    assert socket.said(f"token:{TOKEN}")[1]["data"]["token"]["holders"] == 12


@pytest.mark.parametrize("payload", [b"{", b"[]", b'{"type":"trade","seq":1}', b'{"type":"trade","seq":"x"}', b"null"])
async def test_an_event_that_makes_no_sense_only_costs_a_snapshot(
    hub: Hub, market: FakeMarket, bus: MemoryBus, payload: bytes
) -> None:
    socket = await watching(hub, subscribe("trades"))
    bus.publish([BusMessage(events.token_channel(TOKEN), payload)])
    await until(lambda: len(socket.said(TRADES)) == 2)
    bus.publish(market.trade())
    await until(lambda: socket.said(TRADES)[-1]["seq"] == 1)


async def test_a_lost_last_event_is_found_in_the_database(hub: Hub, market: FakeMarket) -> None:
    socket = await watching(hub, subscribe("trades"))
    market.trade(price=9)
    await until(lambda: socket.said(TRADES)[-1]["seq"] == 1)


async def test_a_new_stage_brings_the_whole_token(hub: Hub, market: FakeMarket, bus: MemoryBus) -> None:
    socket = await watching(hub, subscribe("token"))
    bus.publish(market.trade(stage="graduated", graduated_at_ms=77, reserve_lamports=80_000_000_000))
    await until(lambda: socket.said(f"token:{TOKEN}")[-1]["from_seq"] == 0 and len(socket.frames) > 1)
    assert socket.said(f"token:{TOKEN}")[-1]["data"]["token"]["graduated_at_ms"] == 77


async def test_indicators_come_as_a_delta_without_a_movement(hub: Hub, market: FakeMarket, bus: MemoryBus) -> None:
    socket = await watching(hub, subscribe("token"), subscribe("trades"))
    row = token_values(7, volume_24h_lamports=123, price_1h_ago=55, measured_at_ms=9)
    bus.publish(events.indicators(TOKEN, row))
    bus.publish(events.indicators(TOKEN, row | {"volume_24h_lamports": 5, "measured_at_ms": 8}))
    await until(lambda: len(socket.said(f"token:{TOKEN}")) == 2)
    delta = socket.said(f"token:{TOKEN}")[1]
    assert (delta["from_seq"], delta["seq"], delta["data"]) == (1, 0, events.indicators_json(row))
    assert (delta["data"]["price_1h_ago"], delta["data"]["price_5m_ago"]) == ("55", None)
    bus.publish(market.trade())
    await until(lambda: socket.said(f"token:{TOKEN}")[-1]["seq"] == 1)
    assert contiguous(socket.said(f"token:{TOKEN}"))
    assert contiguous(socket.said(TRADES))


async def test_a_slow_reader_gets_snapshots_instead_of_history_and_slows_nobody(
    hub: Hub, market: FakeMarket, bus: MemoryBus
) -> None:
    slow, quick = await watching(hub, subscribe("trades")), await watching(hub, subscribe("trades"))
    slow.stuck = 10**6
    for price in range(1, 71):
        bus.publish(market.trade(price=price))
        await until(lambda price=price: quick.said(TRADES)[-1]["seq"] == price)
    assert len(slow.frames) == 1
    slow.stuck = 0
    await until(lambda: slow.said(TRADES)[-1]["seq"] == 70)
    bus.publish(market.trade(price=71))
    await until(lambda: slow.said(TRADES)[-1]["seq"] == 71)
    frames = slow.said(TRADES)
    assert contiguous(frames)
    assert len(frames) < 60


async def test_a_short_stall_loses_nothing(hub: Hub, market: FakeMarket, bus: MemoryBus) -> None:
    socket, other = await watching(hub, subscribe("trades")), await watching(hub, subscribe("trades"))
    socket.stuck = 10**6
    for price in range(1, 6):
        bus.publish(market.trade(price=price))
        await until(lambda price=price: other.said(TRADES)[-1]["seq"] == price)
    socket.stuck = 0
    await until(lambda: socket.said(TRADES)[-1]["seq"] == 5)
    assert [frame["from_seq"] for frame in socket.said(TRADES)] == [0, 1, 2, 3, 4, 5]


async def test_a_reader_that_never_reads_is_closed(market: FakeMarket, bus: MemoryBus) -> None:
    hub = Hub(market, bus, FakeClock(), FRAMES_PER_S, replace(QUICK, slow_ms=30))
    await hub.start()
    socket = await watching(hub, subscribe("trades"))
    socket.stuck = 10**6
    bus.publish(market.trade())
    await until(lambda: socket.closed == CLOSE_SLOW)
    await hub.close()


async def test_a_broken_socket_does_not_disturb_the_others(hub: Hub, market: FakeMarket, bus: MemoryBus) -> None:
    broken, whole = await watching(hub, subscribe("trades")), await watching(hub, subscribe("trades"))
    broken.broken = True
    for price in (1, 2):
        bus.publish(market.trade(price=price))
        await until(lambda price=price: whole.said(TRADES)[-1]["seq"] == price)


DEEP = '{"method":' + "[" * 2000 + "]" * 2000 + "}"
HOSTILE = [
    ("", "invalid_json"),
    ("\x00", "invalid_json"),
    ("{", "invalid_json"),
    ("NaN", "invalid_json"),
    ("[" * 4000, "invalid_json"),
    ("\ud800", "invalid_json"),
    (b"\xff\xfe", "invalid_json"),
    ("[]", "invalid_message"),
    ("1e999", "invalid_json"),
    ('"subscribe"', "invalid_message"),
    ("null", "invalid_message"),
    ("{}", "unknown_method"),
    (DEEP, "invalid_json"),
    ('{"method":["subscribe"]}', "unknown_method"),
    ('{"method":{"a":1}}', "unknown_method"),
    ('{"method":"subscribe"}', "invalid_message"),
    ('{"method":"subscribe","subscription":[]}', "invalid_message"),
    ('{"method":"subscribe","subscription":{"type":7}}', "unknown_type"),
    ('{"method":"subscribe","subscription":{"type":"account","token":"x"}}', "ticket_needed"),
    ('{"method":"subscribe","subscription":{"type":"account"},"ticket":"x"}', "invalid_ticket"),
    ('{"method":"subscribe","subscription":{"type":"account"},"ticket":7}', "invalid_ticket"),
    ('{"method":"subscribe","subscription":{"type":"account"},"ticket":"' + "x" * 101 + '"}', "invalid_ticket"),
    ('{"method":"subscribe","subscription":{"type":"trades","token":7}}', "invalid_token"),
    ('{"method":"subscribe","subscription":{"type":"trades","token":{"a":[]}}}', "invalid_token"),
    (subscribe("trades", "1" * 45), "invalid_token"),
    (subscribe("trades", "*"), "invalid_token"),
    (subscribe("trades", TOKEN + "\n"), "invalid_token"),
    (subscribe("candles", interval="2m"), "invalid_interval"),
    (subscribe("candles"), "invalid_interval"),
    (
        '{"method":"unsubscribe","subscription":{"type":"candles","token":"' + TOKEN + '","interval":[1]}}',
        "invalid_interval",
    ),
]


@pytest.mark.parametrize(("message", "code"), HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_message_gets_a_coded_error_and_the_socket_lives(
    hub: Hub, message: str | bytes, code: str
) -> None:
    socket = FakeSocket()
    connection = hub.connect(socket)
    connection.receive(message)
    connection.receive('{"method":"ping"}')
    await until(lambda: socket.said("pong"))
    assert socket.errors() == [code]
    assert socket.said("pong")[0]["data"]["at_ms"] == START_MS


@pytest.mark.parametrize("message", ["x" * 5_000_000, b"x" * 5_000_000, "é" * 2_049, "[" * 4_097])
async def test_a_message_over_4_kib_ends_the_socket(hub: Hub, message: str | bytes) -> None:
    socket = FakeSocket()
    connection = hub.connect(socket)
    connection.receive(message)
    connection.receive('{"method":"ping"}')
    assert socket.closed == CLOSE_TOO_BIG


async def test_an_unknown_token_is_told_and_can_be_watched_once_it_exists(
    hub: Hub, market: FakeMarket, bus: MemoryBus
) -> None:
    socket = FakeSocket()
    connection = hub.connect(socket)
    connection.receive(subscribe("trades", address(8)))
    await until(lambda: socket.errors() == ["unknown_token"])
    assert connection.topics == set()
    market.launch(8)
    connection.receive(subscribe("trades", address(8)))
    await until(lambda: socket.said(f"trades:{address(8)}"))


async def test_the_fifty_first_subscription_is_refused_and_a_repeated_one_is_not(hub: Hub, market: FakeMarket) -> None:
    socket = FakeSocket()
    connection = hub.connect(socket)
    for number in range(100, 151):
        connection.receive(subscribe("trades", market.launch(number)))
    await until(lambda: len(socket.frames) == 51)
    connection.receive(subscribe("trades", address(100)))
    await until(lambda: len(socket.frames) == 52)
    assert socket.errors() == ["too_many_subscriptions"]
    assert len(socket.said(f"trades:{address(100)}")) == 2


async def test_a_flood_is_refused_and_then_ended(hub: Hub) -> None:
    socket = FakeSocket()
    connection = hub.connect(socket)
    for _ in range(1_000):
        connection.receive('{"method":"ping"}')
    await until(lambda: socket.closed == CLOSE_POLICY)
    assert len(socket.frames) <= 200


async def test_only_watched_channels_are_received_from_the_bus(hub: Hub, market: FakeMarket, bus: MemoryBus) -> None:
    socket = FakeSocket()
    connection = hub.connect(socket)
    connection.receive(subscribe("trades"))
    connection.receive(subscribe("token"))
    await until(lambda: len(socket.frames) == 2)
    assert set(bus._subscribers) == {events.token_channel(TOKEN)}
    connection.receive(subscribe("trades").replace("subscribe", "unsubscribe", 1))
    hub.disconnect(connection)
    await until(lambda: not bus._subscribers)
    assert hub.connections == 0
    again = await watching(hub, subscribe("trades"))
    bus.publish(market.trade())
    await until(lambda: again.said(TRADES)[-1]["seq"] == 1)


async def test_leaving_and_returning_at_once_keeps_the_channel(hub: Hub, market: FakeMarket, bus: MemoryBus) -> None:
    socket = FakeSocket()
    connection = hub.connect(socket)
    for _ in range(5):
        connection.receive(subscribe("trades"))
        connection.receive(subscribe("trades").replace("subscribe", "unsubscribe", 1))
    connection.receive(subscribe("trades"))
    await until(lambda: socket.said(TRADES))
    bus.publish(market.trade())
    await until(lambda: socket.said(TRADES)[-1]["seq"] == 1)


async def test_silent_sockets_hear_a_heartbeat_and_mute_ones_are_let_go(market: FakeMarket, bus: MemoryBus) -> None:
    hub = Hub(market, bus, FakeClock(), FRAMES_PER_S, replace(QUICK, idle_ms=150, heartbeat_ms=20))
    await hub.start()
    socket = FakeSocket()
    hub.connect(socket)
    await until(lambda: socket.said("heartbeat"))
    await until(lambda: socket.closed == CLOSE_IDLE)
    await hub.close()


async def test_a_database_that_fails_once_only_delays_the_snapshot(
    market: FakeMarket, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("engine.live.watch.RETRY_S", 0.01)
    answers = iter([OSError("gone")])
    read = market.token

    async def token(address: str) -> object:
        for failure in answers:
            raise failure
        return await read(address)

    monkeypatch.setattr(market, "token", token)
    hub = Hub(market, bus, FakeClock(), FRAMES_PER_S, QUICK)
    await hub.start()
    socket = await watching(hub, subscribe("trades"))
    assert socket.said(TRADES)[0]["seq"] == 0
    assert "no snapshot of" in caplog.text
    await hub.close()


async def test_the_board_says_headlines_by_token_and_columns_only_when_they_change(
    hub: Hub, market: FakeMarket, bus: MemoryBus
) -> None:
    socket = await watching(hub, subscribe("board"))
    (snapshot,) = socket.said("board")
    assert snapshot["data"]["columns"] == {"new": [TOKEN], "graduating": [], "graduated": []}
    assert snapshot["data"]["tokens"][0]["price"] is None
    assert "description" not in snapshot["data"]["tokens"][0]
    bus.publish(market.trade(price=5, reserve_lamports=10))
    await until(lambda: len(socket.said("board")) == 2)
    (headline,) = socket.said("board")[1]["data"]["tokens"]
    assert (headline["address"], headline["price"], headline["seq"]) == (TOKEN, "5", 1)
    assert "columns" not in socket.said("board")[1]["data"]
    bus.publish(market.trade(price=9, reserve_lamports=50_000_000_000))
    await until(lambda: "columns" in socket.said("board")[-1]["data"])
    assert socket.said("board")[-1]["data"]["columns"]["graduating"] == [TOKEN]
    new = market.launch(9, created_at_ms=START_MS)
    bus.publish([events.launched(market.rows[new])])
    await until(lambda: socket.said("board")[-1]["data"].get("columns", {}).get("new") == [new, TOKEN])
    assert new in {token["address"] for token in socket.said("board")[-1]["data"]["tokens"]}
    assert contiguous(socket.said("board"))


async def test_the_board_finds_what_the_bus_lost(hub: Hub, market: FakeMarket) -> None:
    socket = await watching(hub, subscribe("board"))
    market.trade(price=5)
    await until(lambda: len(socket.said("board")) == 2)
    assert socket.said("board")[1]["data"]["tokens"][0]["price"] == "5"


async def test_closing_the_hub_closes_every_socket(market: FakeMarket, bus: MemoryBus) -> None:
    hub = Hub(market, bus, FakeClock(), FRAMES_PER_S, QUICK)
    await hub.start()
    socket = await watching(hub, subscribe("trades"))
    await hub.close()
    assert socket.closed == 1001
