"""What operators do, and the record of it."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel

from blitzhub.api.bodies import Request, Text
from blitzhub.api.dependencies import InServices, PerAccount
from blitzhub.api.staff import ACTIONS, Operating
from engine.operators import audit
from engine.operators.actions import Command, act
from engine.persistence import audit as rows
from engine.persistence import controls
from engine.persistence.database import Connection
from engine.persistence.paging import MAX_PAGE
from engine.units import MAX_AMOUNT

router = APIRouter()

_MEDIA: Final = {"csv": ("text/csv; charset=utf-8", audit.as_csv), "jsonl": ("application/x-ndjson", audit.as_jsonl)}


class Asked(Request):
    """One action: on what, why, and the word that was typed for it."""

    action: Text
    target: Text
    reason: Text
    typed: Text


class AuditEntry(BaseModel):
    """A row of the audit log; `before` and `after` are JSON."""

    seq: int
    at_ms: int
    operator: str
    action: str
    target: str
    reason: str
    before: str
    after: str
    previous_hash: str
    hash: str


class AuditPage(BaseModel):
    """Rows, newest first."""

    entries: list[AuditEntry]


class Switched(BaseModel):
    """Everything that is switched now."""

    platform_paused_since_ms: int | None
    switched: list[dict[str, Any]]


@router.post("/actions", dependencies=[Depends(PerAccount(ACTIONS))])
async def do(body: Asked, services: InServices, staff: Operating) -> AuditEntry:
    """On record before it is done; the answer is the row."""
    return AuditEntry(**await act(services, staff, Command(body.action, body.target, body.reason, body.typed)))


@router.get("/switched")
async def switched(services: InServices) -> Switched:
    """What operators have switched and not switched back, and what the chain's refusals have."""

    def read(connection: Connection) -> Switched:
        since_ms = controls.paused_since_ms(connection)
        return Switched(platform_paused_since_ms=since_ms, switched=controls.switched(connection))

    return await services.database.read(read)


@router.get("/audit")
async def log(
    services: InServices,
    before: Annotated[int, Query(ge=1, le=MAX_AMOUNT)] = MAX_AMOUNT,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> AuditPage:
    """The rows before that number, newest first."""
    found = await services.database.read(partial(rows.before, seq=before, limit=limit))
    return AuditPage(entries=[AuditEntry(**row) for row in found])


@router.get("/audit/export")
async def export(services: InServices, format: Literal["csv", "jsonl"] = "csv") -> Response:
    """Every row, oldest first, as a file."""
    media_type, written = _MEDIA[format]

    def read(connection: Connection) -> str:
        lines: Iterator[str] = written(audit.every_row(connection))
        return "".join(lines)

    body = await services.database.read(read)
    attachment = {"Content-Disposition": f'attachment; filename="audit.{format}"', "Cache-Control": "no-store"}
    return Response(body, media_type=media_type, headers=attachment)
