"""The door in front of two backends: HAProxy with the project's own configuration, and small servers behind it."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from aiohttp import web

from engine.adapters.bus_memory import MemoryBus
from engine.clock import SystemClock
from engine.live import Hub
from tests.proxy import Proxy, running_proxy
from tests.unit.live_parts import FakeMarket
from workers.market_server import MarketServer

EU, NA = "EU-BE-01", "NA-BE-01"
IN_EUROPE: Final = {"CF-IPContinent": "EU"}
IN_AMERICA: Final = {"CF-IPContinent": "NA"}
WAIT_LIMIT_S: Final = 10.0


class Backend:
    """Answers its name and what it was asked; can be stopped, started again, and be alive but not ready."""

    def __init__(self, name: str, port: int) -> None:
        self.name, self._port = name, port
        self.ready, self.alive = True, True
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/api/health/ready", self._answer_ready)
        app.router.add_get("/api/health/live", self._answer_live)
        app.router.add_get("/ws/market", self._socket)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _answer_ready(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.ready and self.alive else 503)

    async def _answer_live(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.alive else 503)

    async def _answer(self, request: web.Request) -> web.Response:
        told = {name.lower(): value for name, value in request.headers.items()}
        kept = {"Cache-Control": "public, max-age=3600"}
        return web.json_response({"name": self.name, "headers": told}, headers=kept)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(self.name)
        async for message in socket:
            await socket.send_str(message.data)
        return socket


class Visitors:
    """Two backends, the proxy in front, and clients of which each request is a new one without a cookie."""

    def __init__(self, proxy: Proxy, http: aiohttp.ClientSession) -> None:
        self.proxy, self.http = proxy, http
        self.eu, self.na = Backend(EU, proxy.eu_port), Backend(NA, proxy.na_port)

    async def get(self, headers: dict[str, str] | None = None) -> aiohttp.ClientResponse:
        async with self.http.get(f"{self.proxy.url}/", headers=headers) as response:
            await response.read()
            return response

    async def name(self, headers: dict[str, str] | None = None) -> str:
        response = await self.get(headers)
        assert response.status == 200, await response.text()
        return str((await response.json())["name"])

    async def cookie(self, headers: dict[str, str] | None = None) -> str | None:
        morsel = (await self.get(headers)).cookies.get("bh_backend")
        return None if morsel is None else morsel.value

    async def heard(self, headers: dict[str, str]) -> dict[str, str]:
        return dict((await (await self.get(headers)).json())["headers"])

    async def until(self, region: dict[str, str], name: str) -> None:
        """Wait until that region's visitors come to that backend."""
        deadline_s = time.monotonic() + WAIT_LIMIT_S
        while time.monotonic() < deadline_s:
            response = await self.get(region)
            if response.status == 200 and (await response.json())["name"] == name:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{region} did not come to {name} within {WAIT_LIMIT_S} s")

    async def socket_from(self, region: dict[str, str], name: str) -> None:
        """Wait until that region's market sockets come to that backend."""
        deadline_s = time.monotonic() + WAIT_LIMIT_S
        while time.monotonic() < deadline_s:
            with contextlib.suppress(aiohttp.WSServerHandshakeError):
                async with self.http.ws_connect(f"{self.proxy.url}/ws/market", headers=region) as socket:
                    assert await socket.receive_str(timeout=WAIT_LIMIT_S) == name
                    return
            await asyncio.sleep(0.05)
        raise AssertionError(f"no market socket of {region} came to {name} within {WAIT_LIMIT_S} s")


@contextlib.asynccontextmanager
async def opened(proxy: Proxy) -> AsyncIterator[Visitors]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        visitors = Visitors(proxy, http)
        await asyncio.gather(visitors.eu.start(), visitors.na.start())
        try:
            await visitors.until(IN_EUROPE, EU)
            await visitors.until(IN_AMERICA, NA)
            await visitors.socket_from(IN_EUROPE, EU)  # until the proxy knows that there are no stream processes
            yield visitors
        finally:
            await asyncio.gather(visitors.eu.stop(), visitors.na.stop())


@pytest.fixture
async def visitors() -> AsyncIterator[Visitors]:
    with running_proxy() as proxy:
        async with opened(proxy) as opened_visitors:
            yield opened_visitors


async def test_the_continent_decides(visitors: Visitors) -> None:
    for _ in range(5):
        assert await visitors.name(IN_EUROPE) == EU
        assert await visitors.name(IN_AMERICA) == NA
    assert await visitors.name({"CF-IPContinent": "na"}) == NA


async def test_the_country_decides_only_where_no_continent_is_told(visitors: Visitors) -> None:
    for _ in range(3):
        assert await visitors.name({"CF-IPCountry": "DE"}) == EU
        assert await visitors.name({"CF-IPCountry": "US"}) == NA
        assert await visitors.name({"CF-IPContinent": "EU", "CF-IPCountry": "US"}) == EU
        assert await visitors.name({"CF-IPContinent": "", "CF-IPCountry": "ca"}) == NA


@pytest.mark.parametrize(
    "told",
    [{}, {"CF-IPContinent": "AS"}, {"CF-IPContinent": "T1"}, {"CF-IPCountry": "JP"}, {"CF-IPCountry": "XX"}],
    ids=["nothing", "another continent", "Tor", "another country", "unknown country"],
)
async def test_four_hundred_visitors_of_no_known_region_are_split_evenly(
    visitors: Visitors, told: dict[str, str]
) -> None:
    names = Counter([await visitors.name(told) for _ in range(400)])
    assert abs(names[EU] - 200) <= 20, names
    assert names[EU] + names[NA] == 400


async def test_a_cookie_keeps_the_visitor_where_he_is(visitors: Visitors) -> None:
    for _ in range(2):
        placed = await visitors.get()
        (line,) = placed.headers.getall("Set-Cookie")
        assert {"HttpOnly", "SameSite=Lax", "path=/"} <= {part.strip() for part in line.split(";")}
        assert "Secure" not in line
        assert "private" in placed.headers.getall("Cache-Control"), "or a cache would hand the cookie to others"
        cookie = {"Cookie": f"bh_backend={placed.cookies['bh_backend'].value}"}
        name = (await placed.json())["name"]
        assert [await visitors.name(cookie) for _ in range(6)] == [name] * 6
        assert await visitors.cookie(cookie) is None, "it is set once"
        assert "bh_backend" not in (await visitors.heard(cookie)).get("cookie", ""), "the backend need not know it"


async def test_over_https_the_cookie_is_secure() -> None:
    with running_proxy(public_url="https://blitz.example") as proxy:
        async with opened(proxy) as visitors:
            assert "Secure" in (await visitors.get()).headers["Set-Cookie"]


async def test_the_region_comes_before_the_cookie(visitors: Visitors) -> None:
    for _ in range(3):
        assert await visitors.name({**IN_EUROPE, "Cookie": f"bh_backend={NA}"}) == EU
        assert await visitors.name({**IN_AMERICA, "Cookie": f"bh_backend={EU}"}) == NA
    assert await visitors.cookie(IN_EUROPE) is None


async def test_an_invented_cookie_places_like_none(visitors: Visitors) -> None:
    names = Counter([await visitors.name({"Cookie": "bh_backend=../../etc"}) for _ in range(20)])
    assert names == {EU: 10, NA: 10}


async def test_when_a_backend_is_down_everybody_comes_to_the_other_and_back_again(visitors: Visitors) -> None:
    await visitors.eu.stop()
    started_s = time.monotonic()
    assert await visitors.name(IN_EUROPE) == NA, "the very first request is sent again, not failed"
    assert await visitors.name({"Cookie": f"bh_backend={EU}"}) == NA
    assert time.monotonic() - started_s < 5
    assert {await visitors.name() for _ in range(6)} == {NA}
    await visitors.until(IN_EUROPE, NA)
    await visitors.eu.start()
    await visitors.until(IN_EUROPE, EU)
    assert {await visitors.name() for _ in range(6)} == {EU, NA}


async def test_a_backend_that_lives_but_is_not_ready_gets_nobody_while_the_other_is(visitors: Visitors) -> None:
    visitors.na.ready = False
    await visitors.until(IN_AMERICA, EU)
    visitors.eu.ready = False
    await visitors.until(IN_AMERICA, NA)  # none is ready: those that live tell what is wrong
    assert await visitors.name(IN_EUROPE) == EU
    visitors.na.alive = False
    await visitors.until(IN_AMERICA, EU)
    visitors.na.alive = visitors.na.ready = True
    await visitors.until(IN_EUROPE, NA)


async def test_with_no_backend_the_answer_says_so_and_when_to_come_back(visitors: Visitors) -> None:
    await asyncio.gather(visitors.eu.stop(), visitors.na.stop())
    response = await visitors.get()
    assert response.status == 503
    assert response.content_type == "application/problem+json"
    assert (await response.json())["code"] == "unavailable"
    assert int(response.headers["Retry-After"]) > 0


async def test_a_socket_reaches_its_region_and_reconnects_to_the_other(visitors: Visitors) -> None:
    url = f"{visitors.proxy.url}/ws/market"
    async with visitors.http.ws_connect(url, headers=IN_EUROPE) as socket:
        assert await socket.receive_str(timeout=WAIT_LIMIT_S) == EU
        await socket.send_str("still here")
        assert await socket.receive_str(timeout=WAIT_LIMIT_S) == "still here"
        await visitors.eu.stop()
        ended = await socket.receive(timeout=WAIT_LIMIT_S)
        assert ended.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING)
    async with visitors.http.ws_connect(url, headers=IN_EUROPE) as socket:
        assert await socket.receive_str(timeout=WAIT_LIMIT_S) == NA
    async with visitors.http.ws_connect(url, headers={"Cookie": f"bh_backend={NA}"}) as socket:
        assert await socket.receive_str(timeout=WAIT_LIMIT_S) == NA


@contextlib.asynccontextmanager
async def streaming(port: int) -> AsyncIterator[Hub]:
    """The stream process's own server, with a hub that knows no token."""
    async with contextlib.AsyncExitStack() as stack:
        hub = Hub(FakeMarket(), MemoryBus(), SystemClock())
        await hub.start()
        stack.push_async_callback(hub.close)
        server = MarketServer(hub, frozenset())
        await server.open("127.0.0.1", port)
        stack.push_async_callback(server.close)
        yield hub
    await asyncio.sleep(0.05)  # whom the proxy only asked for its health is closed by the transport


async def until_connected(visitors: Visitors, region: dict[str, str], hub: Hub) -> None:
    """Open market sockets of that region until one comes to that hub."""
    url = f"{visitors.proxy.url}/ws/market"
    async with asyncio.timeout(WAIT_LIMIT_S):
        while True:
            with contextlib.suppress(aiohttp.WSServerHandshakeError):
                async with visitors.http.ws_connect(url, headers=region) as socket:
                    await socket.send_str('{"method":"ping"}')
                    await socket.receive(timeout=WAIT_LIMIT_S)
                    if hub.connections:
                        return
            await asyncio.sleep(0.05)


async def test_market_sockets_come_to_the_regions_stream_process_then_the_other_then_the_backends(
    visitors: Visitors,
) -> None:
    proxy, url = visitors.proxy, f"{visitors.proxy.url}/ws/market"
    async with streaming(proxy.na_stream_port) as american:
        await until_connected(visitors, IN_AMERICA, american)
        await until_connected(visitors, IN_EUROPE, american)
        async with streaming(proxy.eu_stream_port) as european:
            await until_connected(visitors, IN_EUROPE, european)
            async with visitors.http.ws_connect(url, headers=IN_AMERICA) as socket:
                await socket.send_str('{"method":"ping"}')
                assert (await socket.receive_json(timeout=WAIT_LIMIT_S))["channel"] == "pong"
                assert await visitors.name(IN_AMERICA) == NA, "pages come from the backends as ever"
        await until_connected(visitors, IN_EUROPE, american)
    await visitors.socket_from(IN_EUROPE, EU)


FORGED: Final = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": "for=203.0.113.7",
    "X-Real-IP": "203.0.113.7",
    "True-Client-IP": "203.0.113.7",
    "CF-Connecting-IP": "203.0.113.8",
}


async def test_what_a_visitor_claims_to_be_is_dropped(visitors: Visitors) -> None:
    heard = await visitors.heard(FORGED)
    assert heard["x-forwarded-for"] == "127.0.0.1"
    assert heard["x-forwarded-proto"] == "http"
    assert heard["x-forwarded-host"] == heard["host"]
    told = "\n".join(f"{name}: {value}" for name, value in heard.items())
    assert "203.0.113" not in told
    assert "evil" not in told


async def test_an_edge_tells_the_visitors_address_and_scheme(tmp_path: Path) -> None:
    edges = tmp_path / "edges.lst"
    edges.write_text("127.0.0.0/8\n")
    with running_proxy(edges=edges) as proxy:
        async with opened(proxy) as visitors:
            heard = await visitors.heard(FORGED)
            assert (heard["x-forwarded-for"], heard["x-forwarded-proto"]) == ("203.0.113.8", "https")
            assert "x-forwarded-prefix" not in heard
            assert (await visitors.heard({"CF-Connecting-IP": "2001:db8::5"}))["x-forwarded-for"] == "2001:db8::5"
            for nonsense in ("", "nonsense", "1.2.3.4, 5.6.7.8, x"):
                heard = await visitors.heard({"CF-Connecting-IP": nonsense})
                assert heard["x-forwarded-for"] == "127.0.0.1"
