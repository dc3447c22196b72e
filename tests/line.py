"""A TCP line to a server that a test can cut, freeze and mend, as a network does."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

AnyLine = TypeVar("AnyLine", bound="Line")

_CHUNK: Final = 65_536
_LIMIT_S: Final = 10.0


class Line:
    """Forwards a port of this machine to a server; runs in a thread of its own, so that any test may use it."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._moving = asyncio.Event()
        self._moving.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.mend()

    def mend(self) -> None:
        """Let everything pass again; what a frozen line held back goes on its way."""
        self._do(self._mend())

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        self._do(self._cut())

    def freeze(self) -> None:
        """Take connections and bytes, and pass nothing on."""
        self._loop.call_soon_threadsafe(self._moving.clear)

    def close(self) -> None:
        """End for good."""
        self._do(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_LIMIT_S)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_LIMIT_S)

    async def _mend(self) -> None:
        self._moving.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.sleep(0)  # the transports close in the loop's next round

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._start(self._join(reader, writer), writer)

    def _start(self, work: Coroutine[Any, Any, None], writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._moving.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._start(self._forward(reader, far_writer, writer), far_writer)
        await self._forward(far_reader, writer, far_writer)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        """Pass bytes on to `writer` until their end; `back` is the connection's other direction."""
        try:
            with suppress(OSError):
                while data := await reader.read(_CHUNK):
                    await self._moving.wait()
                    if not await self._pass(data, writer):
                        writer.transport.abort()
                        back.transport.abort()
        finally:
            writer.close()
            self._writers.discard(writer)

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter) -> bool:
        """Send these bytes on; False breaks the connection."""
        writer.write(data)
        await writer.drain()
        return True


@contextmanager
def line_to(host: str, port: int, kind: type[AnyLine] = Line) -> Iterator[AnyLine]:  # type: ignore[assignment]
    """A line while the block runs."""
    line = kind(host, port)
    try:
        yield line
    finally:
        line.close()
