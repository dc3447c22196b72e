"""What an operators' route is given: who of the staff asks. `Viewing` may look, `Operating` may act, now.

Every route of `blitzhub.api.admin` stands behind the first by its router, and each that changes something behind the
second; a test goes over all of them.
"""

from typing import Annotated, Final

from fastapi import Depends

from blitzhub.api.dependencies import InServices, Known, PersonNeeded, own_origin
from blitzhub.api.rate import Policy
from engine.accounts.sessions import Session
from engine.operators.roles import Staff, check_operator, viewer

ACTIONS: Final = Policy("operator-actions", burst=30, refill_ms=1_000)


async def viewing(services: InServices, caller: Known) -> Staff:
    """The member of staff, signed in with a wallet; no key looks behind the scenes."""
    if caller.signed_in_at_ms is None:
        raise PersonNeeded("This takes a person who is signed in, not an API key.")
    return await viewer(services, Session(caller.account, caller.signed_in_at_ms))


Viewing = Annotated[Staff, Depends(viewing)]


def operating(services: InServices, staff: Viewing, _: Annotated[None, Depends(own_origin)]) -> Staff:
    """The operator, signed in of late, on one of our own pages."""
    check_operator(services, staff)
    return staff


Operating = Annotated[Staff, Depends(operating)]
