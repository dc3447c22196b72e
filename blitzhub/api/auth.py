"""Signing in with a wallet, and out."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from blitzhub.api import cookies
from blitzhub.api.bodies import NonceRequest, Verify
from blitzhub.api.dependencies import SIGN_INS, InServices, PerAddress, own_origin
from blitzhub.api.models import PROBLEMS, Me, Nonce
from engine.accounts.accounts import Account
from engine.accounts.sessions import close_session
from engine.accounts.sign_in import Proof, challenge
from engine.accounts.sign_in import verify as verify_sign_in

_CHECKED = [Depends(own_origin), Depends(PerAddress(SIGN_INS))]

router = APIRouter(prefix="/auth", tags=["sign-in"], responses=PROBLEMS)


@router.post("/nonce", response_model=Nonce, dependencies=_CHECKED, summary="Begin to sign in")
async def nonce(body: NonceRequest, request: Request, response: Response, services: InServices) -> dict[str, Any]:
    """What the wallet has to sign, good once, for five minutes and for this browser only (by cookie)."""
    presession = cookies.presession_cookie(request.headers.get("cookie", ""), services.settings)
    made = await challenge(services, request.headers.get("origin"), body.address, presession)
    cookies.set_presession(response, services.settings, made.presession)
    return {"input": made.asked.json(), "message": made.message, "expires_at_ms": made.expires_at_ms}


@router.post("/verify", response_model=Me, dependencies=_CHECKED, summary="Finish signing in")
async def verify(body: Verify, request: Request, response: Response, services: InServices) -> dict[str, Any]:
    """Check the signature and begin a session in an HttpOnly cookie; the first sign-in makes the account."""
    header = request.headers.get("cookie", "")
    proof = Proof(body.nonce, body.address, body.message, body.signature, body.simulated)
    signed_in = await verify_sign_in(
        services,
        proof,
        cookies.presession_cookie(header, services.settings),
        cookies.session_cookie(header, services.settings),
    )
    cookies.set_session(response, services.settings, signed_in.cookie)
    return me_json(signed_in.account)


@router.post("/logout", status_code=204, dependencies=_CHECKED, summary="Sign out")
async def logout(request: Request, services: InServices) -> Response:
    """End the session, here and on every other backend."""
    await close_session(services, cookies.session_cookie(request.headers.get("cookie", ""), services.settings))
    response = Response(status_code=204)
    cookies.clear(response, services.settings)
    return response


def me_json(account: Account) -> dict[str, Any]:
    """The account as the API says it."""
    return {
        "account_id": account.account_id,
        "wallet": account.wallet,
        "simulated": account.simulated,
        "created_at_ms": account.created_at_ms,
    }
