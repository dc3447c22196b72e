"""The market socket, `/ws/market`: the hub behind a Starlette WebSocket route.

The hub must know
how much each reader is behind; the server's transport tells, and is found behind the `send` that Starlette wraps.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from starlette.websockets import WebSocket

from engine.live import DatabaseSource, Frame, Hub
from engine.live.origins import allowed_origins
from engine.services import Services

PATH: Final = "/ws/market"

CLOSE_FORBIDDEN: Final = 1008
CLOSE_TRY_LATER: Final = 1013
CLOSE_WAIT_S: Final = 5.0
"""How long a closing socket may take before it is cut."""

BLOCKED: Final = 1 << 30
WRAPPERS: Final = 10

_opened: list[tuple[Hub, frozenset[str]]] = []


def create_hub(services: Services) -> Hub:
    """The process's hub, not started yet."""
    return Hub(DatabaseSource(services.database), services.bus, services.clock, services.settings.market_frames_per_s)


@asynccontextmanager
async def open_hub(services: Services) -> AsyncIterator[Hub]:
    """Serve market sockets while the block runs; for the app's lifespan."""
    hub = create_hub(services)
    await hub.start()
    _opened[:] = [(hub, allowed_origins(services.settings.public_url))]
    try:
        yield hub
    finally:
        _opened.clear()
        await hub.close()


async def market_socket(websocket: WebSocket) -> None:
    """Serve one socket until it ends. Clients that are no browser send no Origin and are welcome."""
    if not _opened:
        await websocket.close(CLOSE_TRY_LATER)
        return
    hub, origins = _opened[0]
    origin = websocket.headers.get("origin")
    if origin is not None and origin not in origins:
        await websocket.close(CLOSE_FORBIDDEN)
        return
    await websocket.accept()
    socket = _Socket(websocket)
    connection = hub.connect(socket)
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                break
            connection.receive(message.get("text") or message.get("bytes") or "")
    finally:
        hub.disconnect(connection)
        await socket.ended()


class _Socket:
    """`engine.live.Socket` over uvicorn's transport."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._server = server_protocol(websocket._send)
        self._send = websocket.send if self._server is None else self._server.send
        self._closing: asyncio.Task[None] | None = None

    async def send(self, frame: Frame) -> None:
        """See `engine.live.Socket`."""
        await self._send({"type": "websocket.send", "text": frame.text})

    def backlog(self) -> int:
        """Unsent bytes; a transport that has asked to wait counts as full. 0 on a server that does not tell."""
        if self._server is None:
            return 0
        if not self._server.writable.is_set():
            return BLOCKED
        waiting: int = self._server.transport.get_write_buffer_size()
        return waiting

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, and cut the line if that cannot be delivered."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))

    async def ended(self) -> None:
        """Wait for a goodbye that is under way."""
        if self._closing is not None:
            await self._closing

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_WAIT_S):
                await self._websocket.close(code, reason)
        except (TimeoutError, OSError, RuntimeError):
            self._cut()
        else:
            # A peer that reads nothing would keep the goodbye, and with it the server's shutdown, for ever.
            asyncio.get_running_loop().call_later(CLOSE_WAIT_S, self._cut)

    def _cut(self) -> None:
        if self._server is not None:
            self._server.transport.abort()


def server_protocol(send: Any) -> Any | None:
    """The server's own protocol object behind a `send` that middleware may have wrapped; None if it tells nothing."""
    for _ in range(WRAPPERS):
        owner = getattr(send, "__self__", None)
        if owner is not None:
            return owner if hasattr(owner, "transport") and hasattr(owner, "writable") else None
        code = getattr(send, "__code__", None)
        if code is None or "send" not in code.co_freevars:
            return None
        send = send.__closure__[code.co_freevars.index("send")].cell_contents
    return None
