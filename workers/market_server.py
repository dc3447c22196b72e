"""The market socket as a server of its own, on picows: the same hub as in the app, with more room on one core.

Only `/ws/market` is served, and `/ws/live` says that the process answers. A browser's Origin must be ours; programs
send none and are welcome. A visitor's address, by which sockets are counted, is the last one that a trusted proxy saw.
"""

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Final

from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from engine.live import Connection, Frame, Hub
from engine.live.connection import SEND_BUFFER_BYTES, TOO_MANY_SOCKETS

log = logging.getLogger(__name__)

PATH: Final = b"/ws/market"
LIVE_PATH: Final = b"/ws/live"
CLOSE_WAIT_S: Final = 5.0
"""How long a closing socket may take before it is cut."""

MAX_MESSAGE_BYTES: Final = 64 * 1024
"""What picows itself cuts off; the hub refuses far smaller ones with words."""

READ_BUFFER_BYTES: Final = 1024

BACKLOG: Final = 4096


class MarketServer:
    """One listening port of one hub."""

    def __init__(
        self,
        hub: Hub,
        origins: frozenset[str],
        trusted_proxies: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network] = (),
    ) -> None:
        self._hub = hub
        self._origins = origins
        self._trusted = tuple(trusted_proxies)
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; returns the port.

        Raises:
            OSError: the port is taken.
        """
        self._server = await ws_create_server(
            self._route,
            host,
            port,
            max_frame_size=MAX_MESSAGE_BYTES,
            read_buffer_init_size=READ_BUFFER_BYTES,
            backlog=BACKLOG,
        )
        return int(self._server.sockets[0].getsockname()[1])

    def stop_listening(self) -> None:
        """Take no new sockets; those that are open stay."""
        if self._server is not None:
            self._server.close()

    async def close(self) -> None:
        """Stop listening and wait for the sockets that the hub has closed to be gone."""
        self.stop_listening()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WAIT_S):
                while self._hub.connections:  # noqa: ASYNC110 (each leaves in a callback of its transport)
                    await asyncio.sleep(0.01)

    def _route(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener | None:
        path = request.path.partition(b"?")[0]
        if path == LIVE_PATH:
            return _answer(HTTPStatus.OK, b"live")
        if path != PATH:
            return None
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._origins:
            return _answer(HTTPStatus.FORBIDDEN, b"this origin is not served")
        return _MarketListener(self, request.headers.get("x-forwarded-for", ""))

    def enter(self, listener: "_MarketListener", transport: WSTransport) -> Connection | None:
        """Take on a socket; None if its address has too many."""
        line = transport.underlying_transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        peer = transport.underlying_transport.get_extra_info("peername")
        address = self._visitor(str(peer[0]) if peer else "", listener.forwarded)
        return self._hub.connect(_Socket(transport), address) if self._hub.has_room(address) else None

    def leave(self, connection: Connection) -> None:
        """The socket is gone."""
        self._hub.disconnect(connection)

    def _visitor(self, peer: str, forwarded: str) -> str:
        """Whose socket this is: the peer, or who the trusted proxies in front of us saw last."""
        hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
        address = peer
        while hops and self._is_trusted(address):
            address = hops.pop()
        return address

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


class _MarketListener(WSListener):
    """One socket's events."""

    def __init__(self, server: MarketServer, forwarded: str) -> None:
        super().__init__()
        self.forwarded = forwarded
        self._server = server
        self._connection: Connection | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._connection = self._server.enter(self, transport)
        if self._connection is None:
            transport.send_close(WSCloseCode.POLICY_VIOLATION, TOO_MANY_SOCKETS.encode())
            transport.disconnect()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif self._connection is not None and frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            if frame.fin:
                self._connection.receive(frame.get_payload_as_bytes())
            else:  # nobody needs more than one frame for a message of this protocol
                self._connection.close(1009, "message_too_large")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._connection is not None:
            self._server.leave(self._connection)


class _Socket:
    """`engine.live.Socket` over picows."""

    __slots__ = ("_closing", "_transport", "backlog")

    def __init__(self, transport: WSTransport) -> None:
        self._transport = transport
        self.backlog: Callable[[], int] = transport.underlying_transport.get_write_buffer_size
        """Unsent bytes."""
        self._closing = False

    def send(self, frame: Frame) -> None:
        """See `engine.live.Socket`."""
        self._transport.send(WSMsgType.TEXT, frame.body)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, and cut the line if that cannot be delivered."""
        if self._closing:
            return
        self._closing = True
        self._transport.send_close(WSCloseCode(code), reason.encode())
        self._transport.disconnect()
        asyncio.get_running_loop().call_later(CLOSE_WAIT_S, self._cut)

    def _cut(self) -> None:
        if not self._transport.is_disconnected:
            self._transport.disconnect(graceful=False)


def _answer(status: HTTPStatus, body: bytes) -> WSUpgradeResponseWithListener:
    response = WSUpgradeResponse.create_error_response(HTTPStatus.FORBIDDEN, body)
    response.status = status  # the library itself makes none but errors
    return WSUpgradeResponseWithListener(response, None)
