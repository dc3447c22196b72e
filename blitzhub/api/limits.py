"""How large a request may be and how long its answer may take.

A body over its limit is refused before it is read whole, whatever its length header says.
"""

import asyncio
import logging
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blitzhub.api.problems import problem, refused
from engine.errors import OutcomeUnknown, Unavailable

_log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 1024 * 1024
MAX_IMAGE_BODY_BYTES: Final = 5 * 1024 * 1024

ANSWER_LIMIT_S: Final = 10.0
"""The longest limit of any part behind the API is five seconds: whatever takes longer hangs."""


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


class TimeLimit:
    """Answers for a part that hangs: 503 to what only reads, 504 `outcome_unknown` to what may have done something.

    The time in which the client sends its body does not count, nor does what follows the answer's beginning.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on for a limited time."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        limit = asyncio.timeout(ANSWER_LIMIT_S)

        async def receive_untimed() -> Message:
            limit.reschedule(None)
            message = await receive()
            limit.reschedule(loop.time() + ANSWER_LIMIT_S)
            return message

        async def send_untimed(message: Message) -> None:
            limit.reschedule(None)
            await send(message)

        try:
            async with limit:
                await self._app(scope, receive_untimed, send_untimed)
        except TimeoutError:
            if not limit.expired():
                raise
            _log.error("alert=no_answer %s %s: a part behind the API hangs", scope["method"], scope["path"])
            await _hanging(scope["method"])(scope, receive, send)


def _hanging(method: str) -> Response:
    refusal = (
        Unavailable("A part behind the API does not answer; nothing was changed.")
        if method in ("GET", "HEAD")
        else OutcomeUnknown("We could not tell whether this was done; ask before you send it again.")
    )
    return refused(refusal)
