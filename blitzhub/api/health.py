"""Liveness for whoever runs the app, and the browsers' reports of security policy violations."""

import json
import logging
import time
from typing import Final, Literal

from fastapi import APIRouter, HTTPException, Request, Response

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


@router.get("/health/live")
async def live() -> dict[Literal["status"], Literal["ok"]]:
    """The process answers; says nothing about the parts behind it."""
    return {"status": "ok"}


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
