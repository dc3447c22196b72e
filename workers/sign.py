"""The signer as a service: the one process that has keys, behind the address in `BLITZ_SIGNER_URL`."""

import argparse
import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from engine.bootstrap import open_signer
from engine.errors import Unavailable
from engine.settings import InvalidSettings, Settings
from engine.settlement.signer_server import Secrets, application
from workers.service import serve_alone

log = logging.getLogger(__name__)

RETRY_S: Final = 2.0
STOP_LIMIT_S: Final = 10.0
SOCKET_MODE: Final = 0o660
"""Who is in the socket's group may connect; what he may ask for, his secret decides."""


def main(arguments: Sequence[str]) -> int:
    """Sign as a process of its own; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers sign", description=__doc__.splitlines()[0])
    parser.add_argument("--host", help="where to listen, if not at the host of BLITZ_SIGNER_URL")
    host = parser.parse_args(arguments).host
    return serve_alone("sign", lambda settings, stop: run(settings, stop, host), check)


def check(settings: Settings) -> None:
    """Refuse settings under which nobody could reach the signer, or everybody could use it."""
    if settings.signer_url == "local":
        raise InvalidSettings(
            "BLITZ_SIGNER_URL is 'local': then every process signs for itself. Set it to unix:/PATH or https://…"
        )
    if not settings.keys_url:
        raise InvalidSettings("BLITZ_KEYS_URL is not set: the signer is the process that has the keys")
    problem = _secrets(settings).problem()
    if problem is not None:
        raise InvalidSettings(f"BLITZ_SIGNER_WEB_TOKEN and BLITZ_SIGNER_SETTLE_TOKEN: {problem}")
    if settings.signer_url.startswith("https:") and not settings.signer_certificate_file:
        raise InvalidSettings("BLITZ_SIGNER_CERTIFICATE_FILE is not set: certificate and key of an https:// signer")


async def run(settings: Settings, stop: asyncio.Event, host: str | None = None) -> None:
    """Answer until `stop` is set. A key store or database that is away is waited for: `/ready` says so."""
    async with open_signer(settings) as signer:
        runner = web.AppRunner(application(signer, _secrets(settings)), access_log=None, shutdown_timeout=STOP_LIMIT_S)
        await runner.setup()
        try:
            await _site(runner, settings, host).start()
            if settings.signer_url.startswith("unix:"):
                os.chmod(urlsplit(settings.signer_url).path, SOCKET_MODE)
            log.info("answers at %s", settings.signer_url)
            while not stop.is_set():
                try:
                    log.info("the fee payer is %s", await signer.fee_payer())
                    break
                except Unavailable as error:
                    log.warning("alert=signer_waits %s", error)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), RETRY_S)
            await stop.wait()
        finally:
            await runner.cleanup()


def _secrets(settings: Settings) -> Secrets:
    return Secrets(settings.signer_web_token, settings.signer_settle_token)


def _site(runner: web.AppRunner, settings: Settings, host: str | None) -> web.BaseSite:
    address = urlsplit(settings.signer_url)
    if address.scheme == "unix":
        Path(address.path).parent.mkdir(parents=True, exist_ok=True)
        return web.UnixSite(runner, address.path)
    context = None
    if address.scheme == "https":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(settings.signer_certificate_file)
    port = address.port or (443 if context else 80)
    return web.TCPSite(runner, host or address.hostname, port, ssl_context=context)
