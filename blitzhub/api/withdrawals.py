"""Taking SOL and tokens out: what it costs, asking for it, where it stands, taking it back."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from blitzhub.api.bodies import Close, Withdraw
from blitzhub.api.dependencies import (
    READS,
    WITHDRAWALS,
    InServices,
    PerAccount,
    PerAddress,
    Reader,
    Withdrawer,
    own_origin,
)
from blitzhub.api.models import PROBLEMS, Withdrawal, WithdrawalQuote, Withdrawals
from engine.ledger import withdrawals as ledger
from engine.persistence import withdrawals as rows
from engine.persistence.paging import MAX_PAGE

router = APIRouter(prefix="/me/withdrawals", tags=["withdrawals"], responses=PROBLEMS)

_READ = [Depends(PerAddress(READS))]
_ASKING = [Depends(own_origin), Depends(PerAccount(WITHDRAWALS))]


@router.get("/quote", response_model=WithdrawalQuote, dependencies=_READ, summary="What a withdrawal would cost")
async def quote(services: InServices, asker: Withdrawer, asset: str, destination: str) -> dict[str, Any]:
    """Network fee and rent, the least and the most that can leave now, and whether the address is a new one."""
    return await ledger.quote(services, asker, asset, destination)


@router.post("", status_code=202, response_model=Withdrawal, dependencies=_ASKING, summary="Withdraw")
async def withdraw(body: Withdraw, services: InServices, asker: Withdrawer) -> dict[str, Any]:
    """Take SOL or tokens out; the same `client_id` is the same withdrawal, for ever.

    To the wallet you signed in with it goes at once. An address that was never paid before takes a sign-in of the last
    minutes and waits; until a withdrawal is signed it can be taken back.
    """
    wanted = ledger.Wanted(body.client_id, body.asset, body.amount, body.destination)
    return await ledger.request(services, asker, wanted)


@router.post(
    "/close",
    status_code=202,
    response_model=Withdrawal,
    dependencies=_ASKING,
    summary="Close an empty token account",
)
async def close(body: Close, services: InServices, asker: Withdrawer) -> dict[str, Any]:
    """Its rent, less the network's fee, comes back to your balance; the next purchase of the token pays rent again."""
    return await ledger.request(services, asker, ledger.Wanted(body.client_id, body.token, None, None, close=True))


@router.get("", response_model=Withdrawals, dependencies=_READ, summary="What was sent and received")
async def withdrawals(
    services: InServices,
    account: Reader,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, Any]:
    """The account's withdrawals and what other accounts transferred to it, newest first."""
    read = partial(rows.withdrawals_json, account_id=account.account_id, limit=limit, cursor=cursor)
    page, next_cursor = await services.database.read(read)
    return {"withdrawals": page, "next_cursor": next_cursor}


@router.get("/{withdrawal_id}", response_model=Withdrawal, dependencies=_READ, summary="Where a withdrawal stands")
async def withdrawal(withdrawal_id: str, services: InServices, account: Reader) -> dict[str, Any]:
    """One withdrawal of the account, or one transfer to it."""
    return await ledger.withdrawal(services, account, withdrawal_id)


@router.delete("/{withdrawal_id}", response_model=Withdrawal, dependencies=_ASKING, summary="Take a withdrawal back")
async def cancel(withdrawal_id: str, services: InServices, asker: Withdrawer) -> dict[str, Any]:
    """Everything comes back to the balance; 409 `too_late_to_cancel` once it is signed."""
    return await ledger.cancel(services, asker.account, withdrawal_id)
