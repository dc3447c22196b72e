"""Runs the built web application: `python -m blitzhub --port 8600`.

The frontend is served as it was built and not compiled again; the framework's switches for that are internal
names, so they stand here alone and a test starts the app through here.
"""

import argparse
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvicorn

from blitzhub.build_plugin import CSP_HASHES_FILE
from engine import logs, settings

_BUILD_FINISHED: Final = Path(".web/build") / CSP_HASHES_FILE  # the last thing a build writes
WRONG_SETTINGS: Final = 2
"""The exit status that no new start can change; a server that is away ends the start with 1."""

_GRACEFUL_SHUTDOWN_S: Final = 3
_FRAMEWORK_SWITCHES: Final = {
    "__REFLEX_SKIP_COMPILE": "true",
    "__REFLEX_MOUNT_FRONTEND_COMPILED_APP": "true",
    "REFLEX_ENV_MODE": "prod",
    "REFLEX_STATE_MANAGER_MODE": "memory",
    "REFLEX_TELEMETRY_ENABLED": "false",
    "REFLEX_CHECK_LATEST_VERSION": "0",
}


class _Server(uvicorn.Server):
    """Says where the page is once it can be opened."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(f"BlitzHub is ready: {self._address}\n")
            sys.stdout.flush()


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m blitzhub", description="Run the built web application.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8600, help="port to listen on")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C. Returns the exit status."""
    options = _arguments(arguments)
    if not _BUILD_FINISHED.exists():
        sys.stderr.write("The web frontend is not built yet: run `make build` first.\n")
        return 1
    os.environ.update(_FRAMEWORK_SWITCHES)
    os.environ.setdefault("BLITZ_PUBLIC_URL", f"http://localhost:{options.port}")
    try:
        loaded = settings.load()
    except settings.InvalidSettings as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_SETTINGS
    logs.configure("app", logging.WARNING, as_json=loaded.logs_json)
    config = uvicorn.Config(
        "blitzhub.blitzhub:app",
        factory=True,
        host=options.host,
        port=options.port,
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        log_config=None if loaded.logs_json else uvicorn.config.LOGGING_CONFIG,  # None: its lines are ours too
        proxy_headers=bool(loaded.trusted_proxies),  # uvicorn's own default believes everything on this machine
        forwarded_allow_ips=loaded.trusted_proxies,
        timeout_graceful_shutdown=_GRACEFUL_SHUTDOWN_S,
    )
    server = _Server(config, loaded.public_url)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
