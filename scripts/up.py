"""Starts the full stack on this machine, against running servers: `python -m scripts.up`.

RabbitMQ, PostgreSQL and Redis are asked first, because a clear sentence is worth more than one traceback per process.
Unlike the embedded mode, a process that dies is started again (scripts/keep.py): the others go on without it.
"""

import asyncio
import os
import secrets
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from engine import settings
from scripts import servers, start

ROOT = Path(__file__).resolve().parents[1]
PROCFILE = "Procfile.up"
HAPROXY_DIR = ROOT / "deploy" / "haproxy"
PROCESSES = (
    "eu",
    "na",
    "eu_stream",
    "na_stream",
    "proxy",
    "trade1",
    "trade2",
    "sign",
    "settle",
    "indicators",
    "reconcile",
)
PORTS = ("BLITZ_PORT", "BLITZ_EU_PORT", "BLITZ_NA_PORT", "BLITZ_EU_STREAM_PORT", "BLITZ_NA_STREAM_PORT")
"""The door's, then those behind it."""

WATCHED = 10
"""Processes that answer at BLITZ_METRICS_PORTS + 1 and so on, in the order of the Procfile."""

DEFAULTS = {
    "BLITZ_PORT": "8600",
    "BLITZ_EU_PORT": "8611",
    "BLITZ_NA_PORT": "8612",
    "BLITZ_EU_STREAM_PORT": "8613",
    "BLITZ_NA_STREAM_PORT": "8614",
    "BLITZ_METRICS_PORTS": "8620",
    "BLITZ_LOCALNET_PORT": "8899",
    "BLITZ_LOCALNET_CONFIRM_MS": "350",
    "BLITZ_DATA_DIR": ".blitz/up",
    "BLITZ_DATABASE_URL": servers.OWN_DATABASE_URL,
    "BLITZ_BROKER_URL": "amqp://guest:guest@127.0.0.1:5672/",
    "BLITZ_REDIS_URL": "redis://127.0.0.1:6379/0",
    "BLITZ_TRUSTED_PROXIES": "127.0.0.1",
}


def find_haproxy() -> str | None:
    """Where HAProxy is; Debian keeps it where only root's PATH looks."""
    places = (os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")
    return shutil.which("haproxy", path=os.pathsep.join(places))


def haproxy_environment(
    public_url: str, port: int, eu_port: int, na_port: int, eu_stream_port: int, na_stream_port: int
) -> dict[str, str]:
    """What deploy/haproxy/haproxy.cfg reads, with everything on this machine."""
    return {
        "BLITZ_PROXY_BIND": f"127.0.0.1:{port}",
        "BLITZ_PROXY_EU": f"127.0.0.1:{eu_port}",
        "BLITZ_PROXY_NA": f"127.0.0.1:{na_port}",
        "BLITZ_PROXY_EU_STREAM": f"127.0.0.1:{eu_stream_port}",
        "BLITZ_PROXY_NA_STREAM": f"127.0.0.1:{na_stream_port}",
        "BLITZ_PROXY_SECURE": "1" if urlsplit(public_url).scheme == "https" else "0",
        "BLITZ_PROXY_EDGES": str(HAPROXY_DIR / "cloudflare.lst"),
    }


def prepare_environment() -> list[str]:
    """Fill in the settings that the processes read, check the ports; returns the names of the processes to start.

    The local chain is one of them unless another chain's address is set.

    Raises:
        CannotStart: a port is taken or none, or HAProxy is missing.
    """
    haproxy = find_haproxy()
    if haproxy is None:
        raise start.CannotStart("HAProxy is missing: install it (on Debian: apt install haproxy).")
    for name, value in DEFAULTS.items():
        if not os.environ.get(name):
            os.environ[name] = value
    prepare_signer()
    ports = {name: start.read_port(name) for name in PORTS}
    for name, port in ports.items():
        start.check_free(port, name)
    first = start.read_port("BLITZ_METRICS_PORTS")
    for port in range(first + 1, first + 1 + WATCHED):
        start.check_free(port, "BLITZ_METRICS_PORTS")
    names = [*PROCESSES]
    if not os.environ.get("BLITZ_SOLANA_RPC_URL"):
        start.prepare_localnet()
        names.insert(0, "localnet")
    if not os.environ.get("BLITZ_PUBLIC_URL"):
        os.environ["BLITZ_PUBLIC_URL"] = f"http://localhost:{ports['BLITZ_PORT']}"
    os.environ |= haproxy_environment(os.environ["BLITZ_PUBLIC_URL"], *ports.values())
    os.environ["BLITZ_HAPROXY"] = haproxy
    start.prepare_processes()
    return names


def prepare_signer() -> None:
    """A socket for the signer, and secrets of this start for those who may ask it; what is set already stays."""
    socket = (ROOT / os.environ["BLITZ_DATA_DIR"]).resolve() / "signer.sock"
    os.environ.setdefault("BLITZ_SIGNER_URL", f"unix:{socket}")
    for name in ("BLITZ_SIGNER_WEB_TOKEN", "BLITZ_SIGNER_SETTLE_TOKEN"):
        os.environ.setdefault(name, secrets.token_urlsafe(32))


def main() -> int:
    """Start backends and stream processes behind HAProxy, the workers, the signer and the local chain."""
    os.chdir(ROOT)
    try:
        names = prepare_environment()
        missing = asyncio.run(servers.missing(settings.load(), with_chain="localnet" not in names))
    except (start.CannotStart, settings.InvalidSettings) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if missing:
        sys.stderr.write("".join(f"{sentence}\n" for sentence in missing))
        return 1
    start.run_processes(names, PROCFILE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
