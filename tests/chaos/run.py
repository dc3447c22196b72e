"""Real trades into real stream processes, while the bus is cut, frames are lost and a process is restarted.

The trade worker, the database (SQLite) and the publisher are this process; two `python -m workers stream` serve the
clients of `tests/chaos/watchers.py` through `tests/chaos/lossy.py`. All reach Redis over a line that can be cut. In the
end every client must believe what stands in the database: nothing but the protocol has repaired it.
"""

import asyncio
import json
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.processes import Service, running
from benchmarks.seeding import ACCOUNT_RENT_LAMPORTS, write_market
from benchmarks.tape import Market, TapeMaker, invented_market
from engine import settings
from engine.bootstrap import open_services
from engine.indicators.candles import Interval
from engine.persistence import candles
from engine.persistence import market as rows
from engine.persistence.database import Connection
from engine.persistence.paging import MAX_PAGE
from engine.services import Services
from engine.trading.worker import TradeWorker
from tests.app import free_port
from tests.chaos.watchers import CANDLES_COMPARED
from tests.line import Line
from tests.stack import REDIS_URL
from workers import indicators

ACCOUNTS: Final = 200
LOOK_S: Final = 1.0
ANSWER_LIMIT_S: Final = 60.0
READY_LIMIT_S: Final = 120.0
STREAM_LOG: Final = "serving market sockets"


@dataclass(frozen=True, slots=True)
class Options:
    """What is done to how many."""

    seconds: float
    sockets: int
    tokens: int
    trades_per_s: float
    lost_percent: float
    cut_s: float
    drain_s: float
    agree_limit_s: float


class Crowd:
    """The clients' process."""

    def __init__(self, process: Process, directory: Path) -> None:
        self._process = process
        self._truth = directory / "truth.json"

    async def compare(self, truth: dict[str, Any]) -> dict[str, Any]:
        """How many believe something else than this, and what became of all of them so far."""
        self._truth.write_text(json.dumps(truth))
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{self._truth}\n".encode())
        line = await asyncio.wait_for(self._process.stdout.readline(), ANSWER_LIMIT_S)
        found: dict[str, Any] = json.loads(line)
        return found


async def run(options: Options, directory: Path) -> dict[str, Any]:
    """Everything; the figures, of which `wrong` counts the clients that did not come to agree."""
    market = invented_market(options.tokens, ACCOUNTS, seed=time.time_ns())
    redis = urlsplit(REDIS_URL)
    bus = Line(redis.hostname or "127.0.0.1", redis.port or 6379)
    environ = {
        "BLITZ_DATA_DIR": str(directory),
        "BLITZ_REDIS_URL": redis._replace(netloc=f"127.0.0.1:{bus.port}").geturl(),
        "BLITZ_SOCKETS_PER_ADDRESS": str(2 * options.sockets),
    }
    try:
        async with AsyncExitStack() as stack:
            services = await stack.enter_async_context(open_services(settings.load(environ)))
            await services.database.write(partial(write_market, market))
            for token in market.tokens:
                await services.broker.declare(token)
            await stack.enter_async_context(_engine(services))
            streams = [_Stream(environ, directory, options.drain_s) for _ in range(2)]
            for stream in streams:
                stack.push_async_callback(stream.stop)
                await stream.start()
            network = await stack.enter_async_context(_network(options, [stream.port for stream in streams]))
            crowd = await stack.enter_async_context(_crowd(options, market, network[0], directory))
            await _until_ready(crowd, services, options)
            faults = asyncio.create_task(_faults(options, bus, streams[0]))
            trades = await _trade(services, TapeMaker(market), options)
            await faults
            found, took_s = await _until_agreed(crowd, services, options.agree_limit_s)
            return {
                "sockets": options.sockets,
                "trades": trades,
                "seconds": options.seconds,
                "bus_cuts": 2,
                "restarts": 1,
                "frames_lost": await network[1](),
                "agreed_after_s": round(took_s, 1),
                **found,
            }
    finally:
        bus.close()


class _Stream:
    """One stream process, which can be started again on its port."""

    def __init__(self, environ: dict[str, str], directory: Path, drain_s: float) -> None:
        self.port = free_port()
        self._environ = environ
        self._directory = directory
        self._module = ("workers", "stream", "--port", str(self.port), "--drain-s", str(drain_s))
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Begin to serve."""
        run_it = running("stream", self._environ, self._directory, self._module)
        service: Service = await self._stack.enter_async_context(run_it)
        await service.said(STREAM_LOG)

    async def stop(self) -> None:
        """Drain and end."""
        await self._stack.aclose()


@asynccontextmanager
async def _engine(services: Services) -> AsyncIterator[None]:
    """The trade worker and the indicators while the block runs."""
    stop = asyncio.Event()
    worker = TradeWorker(services.database, services.broker, services.bus, services.clock, ACCOUNT_RENT_LAMPORTS)
    tasks = [asyncio.create_task(work) for work in (worker.run(stop), indicators.run(services, stop))]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def _network(options: Options, servers: list[int]) -> AsyncIterator[tuple[int, Any]]:
    """The lossy proxy's port, and how to end it and learn what it lost."""
    port = free_port()
    arguments = [str(port), str(options.lost_percent), *map(str, servers)]
    async with _module("tests.chaos.lossy", *arguments) as process:
        assert process.stdout is not None
        assert await process.stdout.readline(), "the proxy ended"

        async def lost() -> int:
            process.send_signal(signal.SIGTERM)
            assert process.stdout is not None
            line = await asyncio.wait_for(process.stdout.readline(), ANSWER_LIMIT_S)
            return int(line.decode().partition("=")[2])

        yield port, lost


@asynccontextmanager
async def _crowd(options: Options, market: Market, port: int, directory: Path) -> AsyncIterator[Crowd]:
    listed = directory / "tokens.txt"
    listed.write_text("\n".join(market.tokens))
    async with _module("tests.chaos.watchers", str(port), str(options.sockets), str(listed)) as process:
        yield Crowd(process, directory)


@asynccontextmanager
async def _module(name: str, *arguments: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", name, *arguments, stdin=PIPE, stdout=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()


async def _faults(options: Options, bus: Line, stream: _Stream) -> None:
    """The bus is cut at a fifth and at three fifths of the time, a process restarted in the middle."""

    async def cut() -> None:
        await asyncio.to_thread(bus.cut)
        await asyncio.sleep(options.cut_s)
        await asyncio.to_thread(bus.mend)

    async def restart() -> None:
        await stream.stop()
        await stream.start()

    async def at(share: float, work: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(share * options.seconds)
        await work()

    await asyncio.gather(at(0.2, cut), at(0.4, restart), at(0.6, cut))


async def _trade(services: Services, tape: TapeMaker, options: Options) -> int:
    """Publish orders at an even pace and wait until all are decided; how many there were."""
    count = round(options.seconds * options.trades_per_s)
    began_s = time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, began_s + number / options.trades_per_s - time.monotonic()))
        (order,) = tape.orders(1)
        await services.broker.publish(order.token, order.encoded())
    async with asyncio.timeout(ANSWER_LIMIT_S):
        while sum(each["seq"] for each in (await _truth(services)).values()) < count:  # noqa: ASYNC110 (a process's)
            await asyncio.sleep(LOOK_S)
    return count


async def _until_ready(crowd: Crowd, services: Services, options: Options) -> None:
    async with asyncio.timeout(READY_LIMIT_S):
        while (await crowd.compare(await _truth(services)))["ready"] < options.sockets:  # noqa: ASYNC110 (asked each time)
            await asyncio.sleep(LOOK_S)


async def _until_agreed(crowd: Crowd, services: Services, limit_s: float) -> tuple[dict[str, Any], float]:
    began_s = time.monotonic()
    truth = await _truth(services)
    while True:
        found = await crowd.compare(truth)
        took_s = time.monotonic() - began_s
        if not found["wrong"] or took_s > limit_s:
            return found, took_s
        await asyncio.sleep(LOOK_S)


async def _truth(services: Services) -> dict[str, Any]:
    """What the database says of every token, as the API would."""

    def read(connection: Connection) -> dict[str, Any]:
        listed, _ = rows.tokens(connection, rows.Column.NEW, MAX_PAGE)
        return {
            token["address"]: {
                **{key: token[key] for key in ("seq", "price", "holders")},
                "candles": {
                    interval.value: [
                        candles.candle_json(candle)
                        for candle in candles.page(connection, token["address"], interval, CANDLES_COMPARED).candles
                    ]
                    for interval in Interval
                },
            }
            for token in listed
        }

    return await services.database.read(read)
