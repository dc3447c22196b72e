"""How a process of ours logs: one line an event, and libraries only where they say what nobody else says.

At a terminal a line is text. In production it is a JSON object, and then the trail is written too: the steps of every
order, each with the ids that lead from the request that brought it to the signature of its transaction.
"""

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from engine import metrics

_SAID_BY_THE_ADAPTERS: Final = ("aiormq", "aio_pika")
"""What the adapters say in one line, these say in a traceback."""

_CHATTY: Final = ("httpx", "httpx2", "alembic")
"""A line per request to the chain, three per start."""

_ALERT: Final = re.compile(r"\balert=(\w+)")
_PLAIN: Final = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being answered; in every line that is logged meanwhile."""

_trail: Final = logging.getLogger("blitzhub.trail")
_trail.setLevel(logging.WARNING)


def configure(name: str, level: int = logging.INFO, *, as_json: bool = False) -> None:
    """Log to stderr under that process's name; as JSON every level from INFO on, and the trail."""
    handler = logging.StreamHandler()
    text = logging.Formatter(f"%(asctime)s {name} %(levelname)s %(name)s %(message)s")
    handler.setFormatter(JsonFormatter(name) if as_json else text)
    logging.basicConfig(level=logging.INFO if as_json else level, handlers=[handler, AlertCounter()])
    _trail.setLevel(logging.INFO if as_json else logging.WARNING)
    for library in _SAID_BY_THE_ADAPTERS:
        logging.getLogger(library).setLevel(logging.CRITICAL)
    for library in _CHATTY:
        logging.getLogger(library).setLevel(logging.WARNING)


def is_followed() -> bool:
    """Whether the trail is written: who would make many ids for it asks first."""
    return _trail.isEnabledFor(logging.INFO)


def step(what: str, **ids: Any) -> None:
    """A step of the trail: `what` happened to whom. The ids are JSON-ready."""
    if is_followed():
        _trail.info(what, extra=ids)


class JsonFormatter(logging.Formatter):
    """A line as one JSON object: `time`, `level`, `process`, `logger`, `message`, and what the line itself carries."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        message = record.getMessage()
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "message": message,
        }
        alert = _ALERT.search(message)
        if alert is not None:
            line["alert"] = alert.group(1)
        if (request := request_id.get()) is not None:
            line["request_id"] = request
        line |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class AlertCounter(logging.Handler):
    """Counts what is logged with `alert=NAME`: whatever the code complains of can be watched."""

    def emit(self, record: logging.LogRecord) -> None:
        """Count the line, if it is one."""
        if record.levelno >= logging.WARNING and (found := _ALERT.search(record.getMessage())):
            metrics.alerts.labels(found.group(1)).inc()
