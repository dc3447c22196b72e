"""HTTP and WebSocket on 127.0.0.1: requests single and batched, subscriptions, and nothing the chain
itself knows.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Final

import orjson
from aiohttp import WSMsgType, web

from engine.localnet.failures import INTERNAL_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, RpcError
from engine.localnet.faults import Dice
from engine.localnet.params import Params
from engine.localnet.subscriptions import Subscriber, Subscriptions

_log = logging.getLogger(__name__)
_BODY_LIMIT_BYTES: Final = 16 * 1024 * 1024
_CALLS_PER_BREATH: Final = 16
_OUTBOX_LIMIT: Final = 20_000
_HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}

Methods = dict[str, Callable[[Params], Any]]


def _failure(request_id: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": error.body(), "id": request_id}


def _call(methods: Methods, request: Any) -> dict[str, Any]:
    """One request answered, whatever it is."""
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return _failure(None, RpcError(INVALID_REQUEST, "Invalid request"))
    request_id = request.get("id")
    method = methods.get(request["method"])
    if method is None:
        return _failure(request_id, RpcError(METHOD_NOT_FOUND, "Method not found"))
    values = request.get("params") or []
    if not isinstance(values, list):
        return _failure(request_id, RpcError(INVALID_REQUEST, "Invalid request: `params` must be a list"))
    try:
        return {"jsonrpc": "2.0", "result": method(Params(values)), "id": request_id}
    except RpcError as error:
        return _failure(request_id, error)
    except Exception:
        _log.exception("%s failed", request["method"])
        return _failure(request_id, RpcError(INTERNAL_ERROR, "Internal error"))


def _parse(text: bytes | str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RpcError(PARSE_ERROR, "Parse error") from error


class Outbox(Subscriber):
    """What one WebSocket has to be told, waiting in a queue so that a slow reader holds up nobody else."""

    def __init__(self, cut_off: Callable[[], None], limit: int = _OUTBOX_LIMIT) -> None:
        self._cut_off = cut_off
        self._waiting: asyncio.Queue[str] = asyncio.Queue(limit)

    def tell(self, message: dict[str, Any]) -> None:
        """Queue a message; a reader that lets the queue run full is cut off."""
        try:
            self._waiting.put_nowait(orjson.dumps(message).decode())
        except asyncio.QueueFull:
            _log.warning("a subscriber does not read its messages and is disconnected")
            self._cut_off()

    async def drain_into(self, response: web.WebSocketResponse) -> None:
        """Send what is queued until the socket is gone."""
        with contextlib.suppress(ConnectionError):
            while True:
                await response.send_str(await self._waiting.get())


class Server:
    """The node's two ports over a table of RPC methods and its subscriptions."""

    def __init__(self, methods: Methods, subscriptions: Subscriptions, dice: Dice) -> None:
        self._methods = methods
        self._dice = dice
        self._subscriptions = subscriptions
        self._sockets: set[web.WebSocketResponse] = set()
        self._transports: set[asyncio.Transport] = set()
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> None:
        """Serve on the port and, because clients look for the socket there, on the next one.

        Raises:
            OSError: if either port is taken.
        """
        application = web.Application(client_max_size=_BODY_LIMIT_BYTES)
        application.router.add_post("/", self._post)
        application.router.add_options("/", self._options)
        application.router.add_get("/", self._get)
        application.router.add_get("/health", self._health)
        application.on_shutdown.append(self._close_sockets)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=2)
        await self._runner.setup()
        for one in (port, port + 1):
            await web.TCPSite(self._runner, "127.0.0.1", one).start()

    async def stop(self) -> None:
        """Close every connection and both ports."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _close_sockets(self, _: web.Application) -> None:
        for socket in list(self._sockets):
            await socket.close(code=1001, message=b"the node is shutting down")

    async def _options(self, _: web.Request) -> web.Response:
        return web.Response(status=204, headers=_HEADERS)

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok", headers=_HEADERS)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve_socket(request)
        return web.Response(status=405, text="Used HTTP Method is not allowed. POST or OPTIONS is required\n")

    def cut_sockets(self) -> None:
        """End every WebSocket without a word, as a broken line does."""
        for transport in list(self._transports):
            transport.abort()

    async def _post(self, request: web.Request) -> web.Response:
        refusal = self._dice.refusal()
        if refusal is not None:
            return web.Response(status=refusal, text="refused on purpose\n", headers=_HEADERS)
        try:
            asked = _parse(await request.read())
            answer: Any = await self._batch(asked) if isinstance(asked, list) else _call(self._methods, asked)
        except RpcError as error:
            answer = _failure(None, error)
        return web.Response(
            body=orjson.dumps(answer), headers=_HEADERS, content_type="application/json", charset="utf-8"
        )

    async def _batch(self, requests: list[Any]) -> list[dict[str, Any]]:
        if not requests:
            raise RpcError(INVALID_REQUEST, "Invalid request: an empty batch")
        answers = []
        for index, request in enumerate(requests, 1):
            answers.append(_call(self._methods, request))
            if index % _CALLS_PER_BREATH == 0:  # slots and other clients do not wait for a long batch
                await asyncio.sleep(0)
        return answers

    async def _serve_socket(self, request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse(heartbeat=30, compress=False)
        await response.prepare(request)
        transport = request.transport
        outbox = Outbox(cut_off=transport.abort if transport is not None else lambda: None)
        self._sockets.add(response)
        if transport is not None:
            self._transports.add(transport)
        writer = asyncio.create_task(outbox.drain_into(response))
        try:
            async for message in response:
                if message.type is WSMsgType.TEXT:
                    self._socket_message(outbox, message.data)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            self._subscriptions.forget(outbox)
            self._sockets.discard(response)
            if transport is not None:
                self._transports.discard(transport)
        return response

    def _socket_message(self, outbox: Outbox, text: str) -> None:
        try:
            asked = _parse(text)
        except RpcError as error:
            outbox.tell(_failure(None, error))
            return
        for request in asked if isinstance(asked, list) else [asked]:
            follow_ups: list[Callable[[], None]] = []
            outbox.tell(_call(self._subscriptions.methods(outbox, follow_ups), request))
            for follow_up in follow_ups:  # after the answer: a client knows no subscription before it has its id
                follow_up()
