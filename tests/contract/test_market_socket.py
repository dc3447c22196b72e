"""The market socket with real clients, on both servers: the app's route and the stream process's."""

import asyncio
import socket as sockets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from blitzhub.api import market_socket
from blitzhub.security import SecurityHeaders
from engine.accounts.tickets import redeem
from engine.adapters.bus_memory import MemoryBus, MemoryCache
from engine.clock import SystemClock
from engine.live import DatabaseSource, Frame, Hub, Limits
from engine.live.origins import allowed_origins
from engine.persistence.database import Database
from engine.services import Services
from engine.settings import Settings
from engine.trading import events
from tests.market_data import address, token_values, trade_values, write_token, write_trades
from tests.unit.live_parts import subscribe, until
from workers import market_server
from workers.market_server import MarketServer

TOKEN = address(0)


@dataclass
class Served:
    url: str
    origin: str
    hub: Hub
    bus: MemoryBus
    services: Services


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture(params=["app", "stream"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Serve:
    """A server of one kind with one token that has traded twice."""
    run = {"app": _app, "stream": _stream}[request.param]

    @asynccontextmanager
    async def served(limits: Limits | None = None) -> AsyncIterator[Served]:
        database = Database(f"sqlite:///{tmp_path / 'market.db'}")
        database.migrate()
        with database.transaction() as connection:
            token = write_token(connection, seq=2, price=1_002, last_trade_at_ms=60_200)
            write_trades(connection, [trade_values(token, seq) for seq in (1, 2)])
        with sockets.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        bus, origin = MemoryBus(), f"http://localhost:{port}"
        services = SimpleNamespace(
            settings=Settings(public_url=origin, market_frames_per_s=200),
            database=database,
            bus=bus,
            cache=MemoryCache(SystemClock()),
            clock=SystemClock(),
        )
        limits = limits or Limits(sockets_per_address=3)
        async with run(cast(Services, services), port, limits) as hub:
            yield Served(f"ws://127.0.0.1:{port}{market_socket.PATH}", origin, hub, bus, cast(Services, services))
        database.close()

    return served


@asynccontextmanager
async def _app(services: Services, port: int, limits: Limits) -> AsyncIterator[Hub]:
    app = Starlette(
        routes=[WebSocketRoute(market_socket.PATH, market_socket.market_socket)],
        middleware=[Middleware(SecurityHeaders)],
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app, port=port, ws="websockets-sansio", ws_per_message_deflate=False, log_level="warning", lifespan="off"
        )
    )
    async with market_socket.open_hub(services, limits) as hub:
        task = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        yield hub
        server.should_exit = True
        await task


@asynccontextmanager
async def _stream(services: Services, port: int, limits: Limits) -> AsyncIterator[Hub]:
    settings = services.settings
    source, tickets = DatabaseSource(services.database), partial(redeem, services.cache)
    hub = Hub(source, services.bus, services.clock, settings.market_frames_per_s, limits, tickets)
    await hub.start()
    server = MarketServer(hub, allowed_origins(settings.public_url))
    await server.open("127.0.0.1", port)
    yield hub
    await hub.close()
    await server.close()
    await asyncio.sleep(0.05)  # sockets that were refused are closed by their transports


async def hear(client: ClientConnection) -> dict[str, Any]:
    return cast(dict[str, Any], orjson.loads(await asyncio.wait_for(client.recv(), 5)))


async def test_a_browser_of_our_own_origin_gets_snapshot_and_delta(serve: Serve) -> None:
    async with serve() as market, connect(market.url, origin=market.origin) as client:
        await client.send(subscribe("token", TOKEN))
        snapshot = await hear(client)
        assert (snapshot["channel"], snapshot["from_seq"], snapshot["seq"]) == (f"token:{TOKEN}", 0, 2)
        assert snapshot["data"]["candle"]["n"] == 2
        row = token_values(seq=3, price=1_003)
        market.bus.publish([events.trade(trade_values(TOKEN, 3), 1_002, row)])
        delta = await hear(client)
        assert (delta["from_seq"], delta["seq"], delta["data"]["price"]) == (3, 3, "1003")


async def test_the_hub_sees_the_real_write_buffer(serve: Serve) -> None:
    async with serve() as market, connect(market.url) as client:
        await client.send('{"method":"ping"}')
        assert (await hear(client))["channel"] == "pong"
        (connection,) = market.hub._connections
        assert connection.socket.backlog() == 0
        client.transport.pause_reading()
        while not connection.socket.backlog():  # the kernel's buffers first
            sending = connection.socket.send(Frame(b"x" * 50_000))
            if sending is not None:
                await sending
        client.transport.resume_reading()
        await until(lambda: connection.socket.backlog() == 0)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
async def test_a_frame_of_any_size_arrives_whole(serve: Serve, size: int) -> None:
    async with serve() as market, connect(market.url) as client:
        await client.send('{"method":"ping"}')
        assert (await hear(client))["channel"] == "pong"
        (connection,) = market.hub._connections
        for frame in (Frame(b"x" * size), Frame(b"after it")):
            sending = connection.socket.send(frame)
            assert sending is None, "written at once"
            assert await client.recv() == frame.body.decode()


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost", "null", "https://localhost:1"])
async def test_a_foreign_origin_is_refused(serve: Serve, origin: str) -> None:
    async with serve() as market:
        with pytest.raises(InvalidStatus) as refusal:
            async with connect(market.url, additional_headers={"Origin": origin}):
                pass
        assert refusal.value.response.status_code == 403


async def test_both_names_of_this_machine_are_our_origin() -> None:
    both = frozenset({"http://localhost:8600", "http://127.0.0.1:8600"})
    assert allowed_origins("http://127.0.0.1:8600/") == both
    assert allowed_origins("https://blitz.example") == frozenset({"https://blitz.example"})


async def test_five_megabytes_end_the_socket_and_nothing_else(serve: Serve) -> None:
    async with serve() as market, connect(market.url) as hostile, connect(market.url) as other:
        await hostile.send("[" * 5_000_000)
        with pytest.raises(ConnectionClosed) as end:
            await hear(hostile)
        assert end.value.rcvd is not None
        assert end.value.rcvd.code == 1009
        await other.send('{"method":"ping"}')
        assert (await hear(other))["channel"] == "pong"
        await until(lambda: market.hub.connections == 1)


async def test_a_reader_that_stops_reading_is_dropped_while_others_go_on(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_socket, "CLOSE_WAIT_S", 0.2)
    monkeypatch.setattr(market_server, "CLOSE_WAIT_S", 0.2)
    async with serve(Limits(slow_ms=300)) as market:
        stuck = sockets.create_connection(("127.0.0.1", int(market.url.split(":")[2].split("/")[0])))
        stuck.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        stuck.sendall(
            b"GET /ws/market HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        stuck.setblocking(False)
        assert b" 101 " in await asyncio.get_running_loop().sock_recv(stuck, 1024)
        message = subscribe("trades", TOKEN).encode()
        stuck.sendall(bytes([0x81, 0x80 | 126]) + len(message).to_bytes(2, "big") + bytes(4) + message)
        async with connect(market.url) as client:
            await client.send(subscribe("trades", TOKEN))
            assert (await hear(client))["from_seq"] == 0
            await until(lambda: all(connection.topics for connection in market.hub._connections))
            row = token_values(price=1, description="x")
            seq = 2
            while market.hub.connections == 2:
                for _ in range(100):
                    seq += 1
                    market.bus.publish([events.trade(trade_values(TOKEN, seq), 1, row)])
                while (await hear(client)).get("seq") != seq:
                    pass
        assert seq > 102
        stuck.close()


async def test_the_server_stops_at_once_with_open_sockets(serve: Serve) -> None:
    began = asyncio.get_running_loop().time()
    async with serve() as market:
        client = await connect(market.url)
        await client.send(subscribe("board"))
        assert (await hear(client))["channel"] == "board"
    assert asyncio.get_running_loop().time() - began < 5
    await client.close()


async def test_whoever_comes_back_gets_exactly_the_trades_missed(serve: Serve) -> None:
    async with serve() as market, connect(market.url) as client, connect(market.url) as steady:
        for each in (client, steady):  # somebody goes on watching, so the hub goes on knowing
            await each.send(subscribe("trades", TOKEN))
            assert (await hear(each))["seq"] == 2
        await client.close()
        for seq in (3, 4, 5):
            market.bus.publish([events.trade(trade_values(TOKEN, seq), 1, token_values(seq=seq))])
        while (await hear(steady))["seq"] < 5:
            pass
        async with connect(market.url) as again:
            await again.send(orjson.dumps(orjson.loads(subscribe("trades", TOKEN)) | {"after_seq": 3}).decode())
            missed = await hear(again)
            assert (missed["from_seq"], missed["seq"]) == (4, 5)
            assert [trade["seq"] for trade in missed["data"]["trades"]] == [5, 4]


async def test_a_pong_tells_of_a_last_frame_that_was_lost(serve: Serve) -> None:
    async with serve() as market, connect(market.url) as client:
        await client.send(subscribe("trades", TOKEN))
        assert (await hear(client))["seq"] == 2
        market.bus.publish([events.trade(trade_values(TOKEN, 3), 1, token_values(seq=3))])
        assert (await hear(client))["seq"] == 3  # the client may never get this one
        await client.send('{"method":"ping"}')
        assert (await hear(client))["data"]["seqs"] == {f"trades:{TOKEN}": 3}


async def test_a_draining_server_tells_everybody_when_to_come_back_and_then_closes(serve: Serve) -> None:
    async with serve() as market, connect(market.url) as one, connect(market.url) as other:
        for client in (one, other):
            await client.send('{"method":"ping"}')
            await hear(client)
        draining = asyncio.create_task(market.hub.drain(0.3))
        told = [await hear(client) for client in (one, other)]
        assert {frame["channel"] for frame in told} == {"reconnect"}
        assert sorted(frame["data"]["after_ms"] for frame in told) == [0, 100]
        for client in (one, other):
            with pytest.raises(ConnectionClosed) as end:
                await hear(client)
            assert end.value.rcvd is not None
            assert end.value.rcvd.code == 1001
        await draining


async def test_an_address_may_open_so_many_sockets(serve: Serve) -> None:
    async with serve() as market, connect(market.url), connect(market.url), connect(market.url) as third:
        async with connect(market.url) as fourth:
            with pytest.raises(ConnectionClosed) as end:
                await hear(fourth)
            assert end.value.rcvd is not None
            assert end.value.rcvd.reason == "too_many_sockets"
        await third.close()
        await until(lambda: market.hub.connections == 2)
        async with connect(market.url) as again:
            await again.send('{"method":"ping"}')
            assert (await hear(again))["channel"] == "pong"
