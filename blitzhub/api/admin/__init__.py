"""The operators' routes, under /api/admin: one router, guarded once for all of them, in no public document."""

from typing import Final

from fastapi import APIRouter, Depends

from blitzhub.api.admin import actions, activity, engine, status
from blitzhub.api.dependencies import READS, PerAddress
from blitzhub.api.models import PROBLEMS
from blitzhub.api.staff import viewing

PARTS: Final = (status, actions, engine, activity)
"""The modules whose `router` make the operators' API."""

router = APIRouter(
    prefix="/admin",
    tags=["operators"],
    responses=PROBLEMS,
    include_in_schema=False,
    dependencies=[Depends(PerAddress(READS)), Depends(viewing)],
)
for part in PARTS:
    router.include_router(part.router)
