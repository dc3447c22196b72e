"""What concerns the signed-in account: who it is, what it has, what it ordered, and the local chain's faucet."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from blitzhub.api.auth import me_json
from blitzhub.api.dependencies import (
    FAUCET,
    READS,
    TICKETS,
    InServices,
    PerAccount,
    PerAddress,
    Reader,
    Trader,
    own_origin,
)
from blitzhub.api.models import PROBLEMS, Balances, CreatorFees, Faucet, Me, Orders, SocketTicket
from engine.accounts.tickets import issue
from engine.errors import NotFound
from engine.persistence import accounts as rows
from engine.persistence import claims
from engine.persistence.orders import orders_json
from engine.persistence.paging import MAX_PAGE
from engine.trading.inputs import read_token
from engine.units import LOCKED_LAMPORTS

_READ = [Depends(PerAddress(READS))]

router = APIRouter(tags=["account"], responses=PROBLEMS)


class NoFaucet(NotFound):
    """Only a local chain gives SOL away."""

    code = "no_faucet"


@router.get("/me", response_model=Me, dependencies=_READ, summary="Who is signed in")
async def me(account: Reader) -> dict[str, Any]:
    """The account; deposits go to `wallet`."""
    return me_json(account)


@router.get("/me/balances", response_model=Balances, dependencies=_READ, summary="What the account has")
async def balances(services: InServices, account: Reader) -> dict[str, Any]:
    """SOL and tokens, of one moment."""
    read = partial(rows.balances_json, account_id=account.account_id, locked_lamports=LOCKED_LAMPORTS)
    return await services.database.read(read)


@router.get("/me/orders", response_model=Orders, dependencies=_READ, summary="The account's decided orders")
async def orders(
    services: InServices,
    account: Reader,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    token: str | None = None,
) -> dict[str, Any]:
    """Filled, confirmed and rejected orders, newest first, perhaps of one token only."""
    of = None if token is None else read_token(token)
    read = partial(orders_json, account_id=account.account_id, limit=limit, cursor=cursor, token=of)
    page, next_cursor = await services.database.read(read)
    return {"orders": page, "next_cursor": next_cursor}


@router.get("/me/creator-fees", response_model=CreatorFees, dependencies=_READ, summary="What own tokens have earned")
async def creator_fees(services: InServices, account: Reader) -> dict[str, Any]:
    """What waits to be claimed from each token this account launched, and what was claimed."""
    read = partial(claims.creator_fees_json, account_id=account.account_id)
    return {"tokens": await services.database.read(read)}


@router.post(
    "/me/socket-ticket",
    status_code=201,
    response_model=SocketTicket,
    dependencies=[Depends(own_origin), Depends(PerAccount(TICKETS))],
    summary="A ticket for the market socket",
)
async def socket_ticket(services: InServices, account: Reader) -> dict[str, Any]:
    """Good once, for half a minute, on every backend: `subscribe` to `account` with it. See docs/asyncapi.yaml."""
    ticket, expires_at_ms = await issue(services, account.account_id)
    return {"ticket": ticket, "expires_at_ms": expires_at_ms}


@router.post(
    "/faucet",
    status_code=202,
    response_model=Faucet,
    dependencies=[Depends(own_origin), Depends(PerAccount(FAUCET))],
    summary="SOL for trying things out",
)
async def faucet(services: InServices, account: Trader) -> dict[str, Any]:
    """On a local chain only: SOL is on its way to the trading wallet and arrives like any deposit."""
    if not services.settings.localnet:
        raise NoFaucet("There is no faucet on this chain.")
    lamports = services.settings.faucet_lamports
    signature = await services.chain.airdrop(account.wallet, lamports)
    return {"signature": signature, "lamports": str(lamports)}
