"""Liveness and readiness for whoever runs the app, and the browsers' reports of security policy violations."""

import json
import logging
import time
from typing import Final, Literal

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel

from blitzhub.api.dependencies import InServices
from blitzhub.api.models import PROBLEMS
from engine.errors import Unavailable
from engine.readiness import Readiness

_log = logging.getLogger(__name__)
_MAX_REPORTS_PER_MINUTE: Final = 20
_REPORT_KEYS: Final = ("document-uri", "effective-directive", "blocked-uri", "source-file", "line-number")

router = APIRouter(tags=["health"])


class _ReportBudget:
    """How many reports may still be logged this minute: anybody can send them."""

    def __init__(self) -> None:
        self._minute = 0
        self._used = 0

    def take(self) -> bool:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._used = minute, 0
        self._used += 1
        return self._used <= _MAX_REPORTS_PER_MINUTE


_budget = _ReportBudget()


class Health(BaseModel):
    """A backend that answers."""

    status: Literal["ok"] = "ok"
    backend: str


class NotReady(Unavailable):
    """A part that the backend needs is out of reach."""

    code = "not_ready"


@router.get("/health/live")
async def live(services: InServices) -> Health:
    """The process answers; says nothing about the parts behind it."""
    return Health(backend=services.settings.backend)


@router.get("/health/ready", responses=PROBLEMS)
async def ready(request: Request, services: InServices) -> Health:
    """Every part behind it answers too; 503 names those that do not in `missing`."""
    state = request.app.state
    if getattr(state, "readiness", None) is None:
        state.readiness = Readiness(services)
    readiness: Readiness = state.readiness
    missing = ", ".join(await readiness.missing())
    if missing:
        raise NotReady(f"Out of reach: {missing}.", backend=services.settings.backend, missing=missing)
    return Health(backend=services.settings.backend)


@router.post("/csp-report", status_code=204, include_in_schema=False)
async def csp_report(request: Request) -> Response:
    """Log what a browser refused to load or run."""
    try:
        report = json.loads(await request.body())["csp-report"]
        seen = {key: str(report[key])[:200] for key in _REPORT_KEYS if key in report}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise HTTPException(400, "This is not a policy violation report.") from error
    if _budget.take():
        _log.warning("security policy violation %r", seen)
    return Response(status_code=204)
