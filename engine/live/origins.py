"""Which pages may open a market socket: a plain WebSocket is not covered by the browser's same-origin rule."""

from typing import Final
from urllib.parse import urlsplit

LOCAL_HOSTS: Final = ("localhost", "127.0.0.1")


def allowed_origins(public_url: str) -> frozenset[str]:
    """The origin of our own pages; on this machine under both of its names."""
    url = urlsplit(public_url)
    port = "" if url.port is None else f":{url.port}"
    hosts = LOCAL_HOSTS if url.hostname in LOCAL_HOSTS else (url.hostname or "",)
    return frozenset(f"{url.scheme}://{host}{port}" for host in hosts)
