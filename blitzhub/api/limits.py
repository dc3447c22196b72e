"""How large a request may be: refused before it is read whole, whatever its length header says."""

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blitzhub.api.problems import problem

MAX_BODY_BYTES: Final = 1024 * 1024
MAX_IMAGE_BODY_BYTES: Final = 5 * 1024 * 1024


def body_limit_bytes(method: str, path: str) -> int:
    """The largest body of a request, in bytes; `path` is below the mount."""
    if method == "POST" and path == "/images":
        return MAX_IMAGE_BODY_BYTES
    return MAX_BODY_BYTES


class BodyLimit:
    """Answers 413 `body_too_large` to a body over its limit, announced or streamed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        limit = body_limit_bytes(scope["method"], path)
        detail = f"The body is larger than {limit // 1024} KiB."
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > limit:
            await problem(413, "body_too_large", detail)(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, detail)
            return message

        await self._app(scope, receive_counted, send)
