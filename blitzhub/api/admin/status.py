"""How the platform stands, in one line: what the strip above every operators' page shows."""

from fastapi import APIRouter
from pydantic import BaseModel

from blitzhub.api.dependencies import InServices
from blitzhub.api.staff import Viewing
from engine.operators.roles import Role, is_recent
from engine.operators.status import Status, status

router = APIRouter()


class AdminStatus(BaseModel):
    """The visitor's own role, whether they may act now, and the state of the platform."""

    account_id: str
    role: Role
    may_act: bool
    backend: str
    now_ms: int
    state: Status


@router.get("/status")
async def read(services: InServices, staff: Viewing) -> AdminStatus:
    """Asked every two seconds by each open page."""
    return AdminStatus(
        account_id=staff.account.account_id,
        role=staff.role,
        may_act=staff.role is Role.OPERATOR and is_recent(services, staff),
        backend=services.settings.backend,
        now_ms=services.clock.now_ms(),
        state=await services.database.read(status),
    )
