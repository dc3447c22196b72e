"""A network that loses frames: a TCP proxy before market servers that drops some WebSocket frames on their way out.

`python -m tests.chaos.lossy PORT PERCENT SERVER_PORT…` passes each visitor on to one of the servers, the next one if
that refuses, and says `dropped=N` when it is told to end. Only text frames are lost, whole: TCP itself loses nothing,
so this stands for whatever between the hub and a page might.
"""

import asyncio
import random
import resource
import signal
import sys
from typing import Final, cast

import uvloop

TEXT: Final = 1
HEADERS_END: Final = b"\r\n\r\n"
LENGTH_16, LENGTH_64 = 126, 127


class Frames:
    """Cuts a server's bytes into frames and leaves some out."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._kept = b""
        self._upgraded = False
        self.dropped = 0

    def pass_on(self, data: bytes) -> bytes:
        """What of these bytes, and of those kept before, goes on."""
        data, self._kept = self._kept + data, b""
        passed: list[bytes] = []
        at = 0
        if not self._upgraded:
            end = data.find(HEADERS_END)
            if end < 0:
                self._kept = data
                return b""
            self._upgraded, at = True, end + len(HEADERS_END)
            passed.append(data[:at])
        while (end := _end_of_frame(data, at)) is not None:
            if data[at] & 0x0F == TEXT and random.random() < self._share:
                self.dropped += 1
            else:
                passed.append(data[at:end])
            at = end
        self._kept = data[at:]
        return b"".join(passed)


def _end_of_frame(data: bytes, at: int) -> int | None:
    """Where the unmasked frame that begins there ends; None while it is not all there."""
    if len(data) < at + 2:
        return None
    length, head = data[at + 1] & 0x7F, 2
    if length >= LENGTH_16:
        size = 2 if length == LENGTH_16 else 8
        head += size
        if len(data) < at + head:
            return None
        length = int.from_bytes(data[at + 2 : at + head], "big")
    return at + head + length if len(data) >= at + head + length else None


class Side(asyncio.Protocol):
    """One end of a connection; what it hears the other one says."""

    def __init__(self, frames: Frames | None = None) -> None:
        self.other: Side | None = None
        self.transport: asyncio.Transport | None = None
        self._frames = frames
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._frames is not None:
            data = self._frames.pass_on(data)
        if self.other is None:
            self._waiting += data
        elif data and self.other.transport is not None:
            self.other.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def join(self, other: "Side") -> None:
        """From now on these two are one connection."""
        self.other, other.other = other, self
        if self._waiting and other.transport is not None:
            other.transport.write(self._waiting)


class Network:
    """The proxy."""

    def __init__(self, share: float, servers: list[int]) -> None:
        self._share = share
        self._servers = servers
        self._visitors = 0
        self._joining: set[asyncio.Task[None]] = set()
        self._frames: list[Frames] = []

    @property
    def dropped(self) -> int:
        """Frames lost so far."""
        return sum(frames.dropped for frames in self._frames)

    def visitor(self) -> Side:
        """Somebody connects."""
        side = Side()
        task = asyncio.get_running_loop().create_task(self._join(side))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)
        return side

    async def _join(self, visitor: Side) -> None:
        self._visitors += 1
        frames = Frames(self._share)
        self._frames.append(frames)
        first = self._visitors % len(self._servers)
        for port in self._servers[first:] + self._servers[:first]:
            try:
                _, server = await asyncio.get_running_loop().create_connection(lambda: Side(frames), "127.0.0.1", port)
            except OSError:
                continue
            visitor.join(server)
            if visitor.transport is None or visitor.transport.is_closing():
                server.connection_lost(None)
            return
        if visitor.transport is not None:
            visitor.transport.abort()


async def main(port: int, percent: float, servers: list[int]) -> None:
    """Pass on until told to end."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    network, end = Network(percent / 100, servers), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    listening = await loop.create_server(network.visitor, "127.0.0.1", port, backlog=4096)
    sys.stdout.write("passing on\n")
    sys.stdout.flush()
    await end.wait()
    listening.close()
    sys.stdout.write(f"dropped={network.dropped}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2]), [int(each) for each in sys.argv[3:]]))
