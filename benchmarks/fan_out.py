"""Fan-out: thousands of market sockets of one process, from a trade's publication on the bus to every socket.

`python -m benchmarks.fan_out [--mode stream|app] [--sockets 8000] [--frames-per-s 10] [--json]`. Stream: a real
`python -m workers stream`; app: a real `python -m blitzhub`, whose pages must be built. Both on the Redis of
`benchmarks/servers.py` and a small SQLite database. This process publishes: each token trades as often as there are
frames, so a frame is one trade. Every trade's latency counts, at every socket. Then some readers stop reading, and
beside it stands the naive way: the same trades through `benchmarks/fan_out_naive.py`. Loopback only.
"""

import argparse
import asyncio
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import orjson
import uvloop

from benchmarks import fan_out_naive, servers
from benchmarks.fan_out_feed import Feed
from benchmarks.fan_out_readers import CannotMeasure, Heard, Readers, allow_files, build, connected
from benchmarks.fan_out_sessions import Answered, Used, sessions
from benchmarks.processes import Service, running
from benchmarks.seeding import write_market
from benchmarks.stacks import localnet
from benchmarks.tape import invented_market
from engine import settings
from engine.bootstrap import open_services

STALLED_ONE_IN: Final = 16
REFLEX_SESSIONS: Final = 200
WARM_UP_S: Final = 2.0
LEG_LIMIT_S: Final = 150
"""A load client ends by then, whatever happens."""

SAMPLE_S: Final = 0.5
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure."""

    mode: str
    sockets: int
    frames_per_s: int
    tokens: int
    seconds: float
    stalled_seconds: float
    naive_seconds: float
    reflex_sessions: int
    reflex_pause_s: float


@dataclass(slots=True)
class Memory:
    """What a process and the kernel's TCP buffers came to hold while a block ran, in 10^6 bytes more than before."""

    process_mb: float = 0.0
    kernel_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One server: everybody reading, then with some stalled."""

    heard: Heard
    kib_per_socket: float
    cpu_percent: float
    stalled: Heard | None
    grown: Memory
    answered: Answered


async def window(readers: Readers, feed: Feed, seconds: float) -> Heard:
    """What the readers hear of so many seconds of trades, the first two not counted."""
    await feed.trade(WARM_UP_S)
    readers.begin()
    await feed.trade(seconds)
    return await readers.end(feed.seq)


@asynccontextmanager
async def visited(port: int, feed: Feed, options: Options) -> AsyncIterator[Used]:
    """People on the pages while the block runs, where there are pages."""
    if not options.reflex_sessions:
        yield Used()
        return
    url = f"http://localhost:{port}"
    async with sessions(url, options.reflex_sessions, options.reflex_pause_s, feed.tokens) as used:
        yield used


async def measure(program: Path, service: Service, port: int, feed: Feed, options: Options) -> Measured:
    """Both windows of a server that has no sockets yet."""
    stalling = options.sockets // STALLED_ONE_IN
    empty_mb = service.memory_now_mb
    async with connected(program, port, options.sockets, stalling, feed.tokens, LEG_LIMIT_S) as readers:
        await feed.trade(WARM_UP_S)
        sockets_mb = service.memory_now_mb - empty_mb
        async with visited(port, feed, options) as used:
            used.begin()
            cpu_s, started_s = service.cpu_s, time.monotonic()
            heard = await window(readers, feed, options.seconds)
            busy = (service.cpu_s - cpu_s) / (time.monotonic() - started_s)
            answered = used.figures()
            if not options.reflex_sessions:
                sockets_mb = service.memory_now_mb - empty_mb
            grown, stalled = Memory(), None
            if options.stalled_seconds:
                readers.stall()
                async with watched(service, grown):
                    stalled = await window(readers, feed, options.stalled_seconds)
    socket_kib = sockets_mb * 1_000_000 / 1024 / options.sockets
    return Measured(heard, socket_kib, busy * 100, stalled, grown, answered)


@asynccontextmanager
async def watched(service: Service, grown: Memory) -> AsyncIterator[None]:
    """Fills in what the process came to hold more than at the beginning."""
    process_mb, kernel_mb = service.memory_now_mb, _kernel_mb()

    async def watch() -> None:
        while True:
            grown.process_mb = max(grown.process_mb, service.memory_now_mb - process_mb)
            grown.kernel_mb = max(grown.kernel_mb, _kernel_mb() - kernel_mb)
            await asyncio.sleep(SAMPLE_S)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


def _kernel_mb() -> float:
    """What all TCP buffers of this machine hold."""
    line = next(line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    return int(line.split()[-1]) * PAGE_BYTES / 1_000_000


@asynccontextmanager
async def stream_server(
    options: Options, environ: dict[str, str], directory: Path
) -> AsyncIterator[tuple[Service, int]]:
    """The stream process and its port."""
    port = _free_port()
    frames = ("--frames-per-s", str(options.frames_per_s))
    module = ("workers", "stream", "--port", str(port), *frames, "--drain-s", "1")
    async with running("stream", environ, directory, module) as service:
        await service.said("serving market sockets")
        yield service, port


@asynccontextmanager
async def app_server(options: Options, environ: dict[str, str], directory: Path) -> AsyncIterator[tuple[Service, int]]:
    """The web application whole, with its workers, on a chain of its own; and its port."""
    port = _free_port()
    async with localnet(directory / "chain") as chain:
        own = {
            "BLITZ_PUBLIC_URL": f"http://localhost:{port}",
            "BLITZ_MARKET_FRAMES_PER_S": str(options.frames_per_s),
            "BLITZ_SOLANA_RPC_URL": f"http://127.0.0.1:{chain}",
            "BLITZ_SOLANA_WS_URL": f"ws://127.0.0.1:{chain + 1}",
        }
        async with running("app", environ | own, directory, ("blitzhub", "--port", str(port))) as service:
            await service.said("BlitzHub is ready")
            yield service, port


async def naive(
    program: Path, feed: Feed, options: Options, environ: dict[str, str], directory: Path
) -> tuple[Heard, float]:
    """The same trades the naive way, and its KiB a socket."""
    port = _free_port()
    listed = directory / "channels.txt"
    listed.write_text("\n".join(feed.tokens))
    module = ("benchmarks.fan_out_naive", "--port", str(port), str(listed))
    async with running("naive", environ, directory, module) as service:
        await service.said(fan_out_naive.READY)
        empty_mb = service.memory_now_mb
        feed.forget()
        async with connected(program, port, options.sockets, 0, feed.tokens, LEG_LIMIT_S) as readers:
            readers.begin()  # from the first trade on: it only falls behind
            await feed.trade(options.naive_seconds)
            grown_mb = service.memory_now_mb - empty_mb
            return await readers.end(feed.seq), grown_mb * 1_000_000 / 1024 / options.sockets


async def run(options: Options, directory: Path) -> dict[str, str | float | int | None]:
    """Every leg.

    Raises:
        CannotMeasure: the machine lacks something.
    """
    allow_files(options.sockets)
    program = await build(directory)
    market = invented_market(options.tokens, 50, seed=time.time_ns())
    environ = {
        "BLITZ_DATA_DIR": str(directory),
        "BLITZ_REDIS_URL": servers.REDIS_URL,
        "BLITZ_SOCKETS_PER_ADDRESS": str(2 * options.sockets),
    }
    async with open_services(settings.load(environ)) as services:
        await services.database.write(partial(write_market, market))
        feed = await Feed.of(services, market, options.frames_per_s)
        server = {"stream": stream_server, "app": app_server}[options.mode]
        async with server(options, environ, directory) as (service, port):
            measured = await measure(program, service, port, feed, options)
        naive_heard = None
        if options.naive_seconds:
            naive_heard, naive_kib = await naive(program, feed, options, environ, directory)
    heard, stalled = measured.heard, measured.stalled
    figures: dict[str, str | float | int | None] = {
        "mode": options.mode,
        "sockets": heard.sockets,
        "frames_per_s": heard.frames_per_s,
        "dropped": heard.dropped,
        "p50_ms": heard.p50_ms,
        "p99_ms": heard.p99_ms,
        "kib_per_socket": round(measured.kib_per_socket, 1),
        "max_ms": heard.max_ms,
        "closed": heard.closed,
        "least_bytes": heard.least_bytes,
        "mean_bytes": heard.mean_bytes,
        "cpu_percent": round(measured.cpu_percent, 1),
        "late_publications_ms": round(feed.latest_s * 1000, 1),
    }
    if options.reflex_sessions:
        figures |= {
            "reflex_sessions": options.reflex_sessions,
            "reflex_events_per_s": measured.answered.events_per_s,
            "reflex_p50_ms": measured.answered.p50_ms,
            "reflex_p99_ms": measured.answered.p99_ms,
        }
    if stalled is not None:
        figures |= {
            "stalled_sockets": options.sockets - stalled.sockets,
            "stalled_p99_ms": stalled.p99_ms,
            "stalled_dropped": stalled.dropped,
            "stalled_memory_mb": round(measured.grown.process_mb, 1),
            "stalled_kernel_mb": round(measured.grown.kernel_mb, 1),
        }
    if naive_heard is not None:
        figures |= {
            "naive_p50_ms": naive_heard.p50_ms,
            "naive_p99_ms": naive_heard.p99_ms,
            "naive_frames_per_s": naive_heard.frames_per_s,
            "naive_dropped": naive_heard.dropped,
            "naive_kib_per_socket": round(naive_kib, 1),
        }
    return figures | {"load_average": round(os.getloadavg()[0], 2)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_NOTES: Final = {
    "sockets": "of one process",
    "frames_per_s": "to each of them",
    "dropped": "trades that did not reach a socket",
    "p50_ms": "from publication on the bus to the socket, every trade at every socket",
    "kib_per_socket": "what the server's process holds more for each",
    "cpu_percent": "of one core, the server's process",
    "late_publications_ms": "how late the publisher itself was, at most",
    "reflex_sessions": "signed in, each opening another token's page every so often",
    "reflex_p99_ms": "from opening a page to the last part of its state",
    "stalled_sockets": "stopped reading; the others go on:",
    "stalled_memory_mb": "what the server's process came to hold more",
    "stalled_kernel_mb": "what all TCP buffers of the machine came to hold more, the readers' own included",
    "naive_p99_ms": "a task and a json.dumps for each socket, of what arrived within ten seconds",
    "naive_dropped": "what did not",
}


def table(figures: dict[str, str | float | int | None]) -> str:
    """The figures as lines of text."""
    return "\n".join(f"{key:<22}{value!s:>12}  {_NOTES.get(key, '')}".rstrip() for key, value in figures.items())


def _options(arguments: Sequence[str]) -> tuple[Options, bool]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fan_out", description=__doc__.splitlines()[0])
    parser.add_argument("--mode", choices=("stream", "app"), default="stream", help="default: %(default)s")
    parser.add_argument("--sockets", type=int, default=8_000, help="default: %(default)s")
    parser.add_argument("--frames-per-s", type=int, default=10, help="to each socket (default: %(default)s)")
    parser.add_argument("--tokens", type=int, default=50, help="that the sockets share (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=15, help="with everybody reading (default: %(default)s)")
    parser.add_argument("--stalled-seconds", type=float, default=20, help="with some stalled (default: %(default)s)")
    parser.add_argument("--naive-seconds", type=float, default=5, help="the naive way (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="end with the figures as one JSON line")
    parser.add_argument("--reflex-sessions", type=int, help="on the pages (default: 200 in the app, 0 in the stream)")
    parser.add_argument("--reflex-pause-s", type=float, default=5, help="between two pages (default: %(default)s)")
    given = vars(parser.parse_args(arguments))
    if given["reflex_sessions"] is None or given["mode"] == "stream":
        given["reflex_sessions"] = REFLEX_SESSIONS if given["mode"] == "app" else 0
    as_json = given.pop("json")
    return Options(**given), as_json


def main(arguments: Sequence[str]) -> int:
    """Measure and print what was found."""
    options, as_json = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="blitzhub-fan-out-") as directory:
        try:
            figures = uvloop.run(run(options, Path(directory)))
        except CannotMeasure as error:
            sys.stderr.write(f"{error}\n")
            return 1
    print(table(figures))
    if as_json:
        print(orjson.dumps(figures).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
