"""How a process of ours logs: one line an event, and libraries only where they say what nobody else says."""

import logging
from typing import Final

_SAID_BY_THE_ADAPTERS: Final = ("aiormq", "aio_pika")
"""What the adapters say in one line, these say in a traceback."""

_CHATTY: Final = ("httpx", "httpx2", "alembic")
"""A line per request to the chain, three per start."""


def configure(name: str, level: int = logging.INFO) -> None:
    """Log to stderr under that process's name."""
    logging.basicConfig(level=level, format=f"%(asctime)s {name} %(levelname)s %(name)s %(message)s")
    for library in _SAID_BY_THE_ADAPTERS:
        logging.getLogger(library).setLevel(logging.CRITICAL)
    for library in _CHATTY:
        logging.getLogger(library).setLevel(logging.WARNING)
