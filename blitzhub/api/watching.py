"""Each request of the API under an id of its own, and timed: in every line logged about it, and told in its answer."""

import time
import uuid
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine import logs, metrics

HEADER: Final = "X-Request-Id"
CLASSES: Final = ("2xx", "4xx", "5xx")


class Watched:
    """Around everything else of the API. The id is made here: one that a client sends is nobody's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._routes: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = uuid.uuid4().hex
        token = logs.request_id.set(request)
        began_s, status = time.monotonic(), 500

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        finally:
            logs.request_id.reset(token)
            route = getattr(scope.get("route"), "path", "none")
            if route not in self._routes:  # what begins with 1 has no increase
                self._routes.add(route)
                for each in CLASSES:
                    metrics.requests.labels(route, each)
            metrics.requests.labels(route, f"{status // 100}xx").observe(time.monotonic() - began_s)
