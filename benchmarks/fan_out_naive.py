"""The naive way to feed market sockets, as a server: a task and a queue for each, and `json.dumps` for each frame.

`python -m benchmarks.fan_out_naive --port PORT TOKENS_FILE`: the same bus, the same trades, the same messages.
"""

import argparse
import asyncio
import contextlib
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from engine import logs, settings
from engine.bootstrap import open_bus_and_cache
from engine.clock import SystemClock
from engine.trading.events import token_channel

READY = "naive server is ready"


class NaiveServer:
    """One process: a queue for each socket, filled with every event of its token."""

    def __init__(self) -> None:
        self._queues: dict[str, set[asyncio.Queue[dict[str, Any]]]] = defaultdict(set)

    def dispatch(self, event: dict[str, Any]) -> None:
        """Hand an event to every socket of its token."""
        for queue in self._queues[event["token"]]:
            queue.put_nowait(event)

    async def socket(self, connection: ServerConnection) -> None:
        """Serve one socket: its subscription, an empty snapshot, then a frame for each trade."""
        with contextlib.suppress(ConnectionClosed):
            token = json.loads(await connection.recv())["subscription"]["token"]
            queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
            self._queues[token].add(queue)
            await connection.send(_frame(token, 0, 0, []))
            while True:
                event = await queue.get()
                await connection.send(_frame(token, event["seq"], event["seq"], [event]))


def _frame(token: str, from_seq: int, seq: int, trades: list[dict[str, Any]]) -> str:
    data = {"trades": trades, "omitted": 0}
    return json.dumps({"channel": f"trades:{token}", "from_seq": from_seq, "seq": seq, "data": data})


async def run(port: int, tokens: Sequence[str]) -> None:
    """Serve until the process is ended."""
    async with AsyncExitStack() as stack:
        bus, _ = await open_bus_and_cache(settings.load(), SystemClock(), stack)
        subscription = await bus.subscribe(*(token_channel(token) for token in tokens))
        server = NaiveServer()
        async with serve(server.socket, "127.0.0.1", port, compression=None, ping_interval=None, backlog=4096):
            print(READY, flush=True)
            async for message in subscription:
                if message.payload:
                    server.dispatch(json.loads(message.payload))


def main(arguments: Sequence[str]) -> int:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fan_out_naive")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("tokens", type=Path, help="a file with an address on each line")
    options = parser.parse_args(arguments)
    logs.configure("naive")
    uvloop.run(run(options.port, options.tokens.read_text().split()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
