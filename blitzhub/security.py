"""Response headers of everything the app serves: security policy, caching, which backend answered; one ASGI wrapper."""

import json
import re
from pathlib import Path
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blitzhub.build_plugin import CSP_HASHES_FILE
from engine import settings

_BUILD_DIR: Final = Path(".web/build")
_HASHED_ASSET: Final = re.compile(r"/assets/(?!reflex-env-)[^/]+-[\w-]{8}\.\w+\Z")
_YEAR_S: Final = 31_536_000


def content_security_policy(script_hashes: list[str]) -> str:
    """Same origin only; inline scripts by hash, no eval. Styles stay open: the toaster and charts write them."""
    return "; ".join(
        [
            "default-src 'self'",
            " ".join(["script-src 'self'", *script_hashes]),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "report-uri /api/csp-report",
        ]
    )


def _built_hashes() -> list[str]:
    path = _BUILD_DIR / CSP_HASHES_FILE
    if not path.exists():
        return []  # compiling, or no frontend was built: there are no pages to run scripts in
    hashes: list[str] = json.loads(path.read_text())
    return hashes


def cache_control(path: str, status: int, content_type: str) -> str | None:
    """How long a browser may keep the answer; None leaves the answer's own rule.

    The environment script keeps its name when its content changes, so it is never kept unasked.
    """
    if status in (200, 206, 304) and _HASHED_ASSET.match(path):
        return f"public, max-age={_YEAR_S}, immutable"
    if content_type.startswith("text/html") or path.startswith("/assets/"):
        return "no-cache"
    return None


class SecurityHeaders:
    """Wraps the whole app: frontend, API and error answers alike."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = {
            "content-security-policy": content_security_policy(_built_hashes()),
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin-allow-popups",
            "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
            "x-blitzhub-backend": settings.load().backend,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through, adding the headers to every HTTP answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                rule = cache_control(scope["path"], message["status"], headers.get("content-type", ""))
                if rule is not None and "cache-control" not in headers:
                    headers["cache-control"] = rule
            await send(message)

        await self._app(scope, receive, send_with_headers)
