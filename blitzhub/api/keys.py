"""Bots' keys and signed-in browsers: what may act for the account, and the end of it."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from blitzhub.api import cookies
from blitzhub.api.bodies import NewKey
from blitzhub.api.dependencies import KEYS, READS, InServices, PerAccount, PerAddress, Person, own_origin
from blitzhub.api.models import PROBLEMS, ApiKeys, MadeKey, Sessions
from engine.accounts.api_keys import create_api_key, revoke_api_key
from engine.accounts.sessions import close_sessions, open_sessions
from engine.persistence.api_keys import keys_json

router = APIRouter(prefix="/auth", tags=["keys and sessions"], responses=PROBLEMS)

_READ = [Depends(PerAddress(READS))]
_CHANGING = [Depends(own_origin), Depends(PerAccount(KEYS))]


@router.post("/keys", status_code=201, response_model=MadeKey, dependencies=_CHANGING, summary="Make a key for a bot")
async def make(body: NewKey, services: InServices, account: Person) -> dict[str, Any]:
    """The answer's `secret` is shown this once; send it as `Authorization: Bearer bh_…`."""
    return await create_api_key(services, account, body.name, body.scopes)


@router.get("/keys", response_model=ApiKeys, dependencies=_READ, summary="The account's keys")
async def keys(services: InServices, account: Person) -> dict[str, Any]:
    """Without their secrets, which nobody knows; revoked ones too."""
    return {"keys": await services.database.read(partial(keys_json, account_id=account.account_id))}


@router.delete("/keys/{key_id}", status_code=204, dependencies=_CHANGING, summary="Revoke a key")
async def revoke(key_id: str, services: InServices, account: Person) -> Response:
    """It ends at once, on every backend."""
    await revoke_api_key(services, account, key_id)
    return Response(status_code=204)


@router.get("/sessions", response_model=Sessions, dependencies=_READ, summary="Where the account is signed in")
async def sessions(request: Request, services: InServices, account: Person) -> dict[str, Any]:
    """Every session that has not ended; `current` is this one."""
    cookie = cookies.session_cookie(request.headers.get("cookie", ""), services.settings)
    return {"sessions": await open_sessions(services, account.account_id, cookie)}


@router.post("/logout-everywhere", status_code=204, dependencies=_CHANGING, summary="Sign out everywhere")
async def logout_everywhere(services: InServices, account: Person) -> Response:
    """End every session of the account, this one included. Keys stay until they are revoked."""
    await close_sessions(services, account.account_id)
    response = Response(status_code=204)
    cookies.clear(response, services.settings)
    return response
