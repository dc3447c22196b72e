"""The market socket, `/ws/market`: the hub behind a Starlette WebSocket route.

The hub must know
how much each reader is behind; the server's transport tells, and is found behind the `send` that Starlette wraps.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from engine.accounts.tickets import redeem
from engine.live import DatabaseSource, Frame, Hub, Limits
from engine.live.connection import CLOSE_POLICY, SEND_BUFFER_BYTES, TOO_MANY_SOCKETS
from engine.live.origins import allowed_origins
from engine.services import Services

PATH: Final = "/ws/market"

CLOSE_FORBIDDEN: Final = 1008
CLOSE_TRY_LATER: Final = 1013
CLOSE_WAIT_S: Final = 5.0
"""How long a closing socket may take before it is cut."""

WRAPPERS: Final = 10

_opened: list[tuple[Hub, frozenset[str]]] = []


def create_hub(services: Services, limits: Limits | None = None) -> Hub:
    """The process's hub, not started yet."""
    settings = services.settings
    return Hub(
        DatabaseSource(services.database),
        services.bus,
        services.clock,
        settings.market_frames_per_s,
        limits or Limits(sockets_per_address=settings.sockets_per_address),
        partial(redeem, services.cache),
    )


@asynccontextmanager
async def open_hub(services: Services, limits: Limits | None = None) -> AsyncIterator[Hub]:
    """Serve market sockets while the block runs; for the app's lifespan."""
    hub = create_hub(services, limits)
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
    # The peer, or whom a trusted proxy saw: the server has put that there.
    address = websocket.client.host if websocket.client else ""
    if not hub.has_room(address):
        await websocket.close(CLOSE_POLICY, TOO_MANY_SOCKETS)
        return
    line = _Socket(websocket)
    connection = hub.connect(line, address)
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                break
            connection.receive(message.get("text") or message.get("bytes") or "")
    finally:
        hub.disconnect(connection)
        await line.ended()


class _Socket:
    """`engine.live.Socket` over uvicorn's transport."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._server = server_protocol(websocket._send)
        self.backlog: Callable[[], int] = _nothing
        """Unsent bytes; 0 on a server that does not tell."""
        if self._server is not None:
            transport = self._server.transport
            self.backlog = transport.get_write_buffer_size
            line = transport.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._closing: asyncio.Task[None] | None = None

    def send(self, frame: Frame) -> Awaitable[None] | None:
        """See `engine.live.Socket`."""
        server = self._server
        if server is None:
            return self._websocket.send_text(frame.body.decode())
        # Straight into the transport: through the server each socket would have the frame encoded anew.
        if server.close_sent or server.disconnected or server.transport.is_closing():
            raise ConnectionResetError
        server.transport.write(frame.wire)
        return None

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


def _nothing() -> int:
    return 0


def server_protocol(send: Any) -> WebSocketsSansIOProtocol | None:
    """The server's own protocol object behind a `send` that middleware may have wrapped.

    None for another server, and where the frames of a socket are its own because they are compressed.
    """
    for _ in range(WRAPPERS):
        owner = getattr(send, "__self__", None)
        if owner is not None:
            return owner if isinstance(owner, WebSocketsSansIOProtocol) and not owner.conn.extensions else None
        code = getattr(send, "__code__", None)
        if code is None or "send" not in code.co_freevars:
            return None
        send = send.__closure__[code.co_freevars.index("send")].cell_contents
    return None
