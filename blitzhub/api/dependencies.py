"""What a route is given: the services, who is signed in, and the checks that come before any work."""

from typing import Annotated, Final

from fastapi import Depends, Request

from blitzhub.api.cookies import session_cookie
from blitzhub.api.rate import Limiter, Policy, TooManyRequests, remember
from engine.accounts.accounts import Account
from engine.accounts.sessions import account_of
from engine.accounts.sign_in import allowed_origins
from engine.errors import Refusal
from engine.services import Services

READS: Final = Policy("reads", burst=300, refill_ms=10)
SIGN_INS: Final = Policy("sign-ins", burst=200, refill_ms=50)
UPLOADS: Final = Policy("uploads", burst=10, refill_ms=6_000)
LAUNCHES: Final = Policy("launches", burst=10, refill_ms=6_000)
CLAIMS: Final = Policy("claims", burst=5, refill_ms=10_000)
FAUCET: Final = Policy("faucet", burst=3, refill_ms=20_000)


class NotSignedIn(Refusal):
    """The route is about an account and nobody is signed in."""

    code = "not_signed_in"
    status = 401


class ForeignOrigin(Refusal):
    """A page of another site sent this with the visitor's cookie."""

    code = "foreign_origin"
    status = 403


def services_of(request: Request) -> Services:
    """The services that the app opened at its start."""
    services: Services = request.app.state.services
    return services


InServices = Annotated[Services, Depends(services_of)]


async def visitor_of(request: Request, services: InServices) -> Account | None:
    """Who is signed in with this request's cookie, if anybody."""
    return await account_of(services, session_cookie(request.headers.get("cookie", ""), services.settings))


Visitor = Annotated[Account | None, Depends(visitor_of)]


def own_origin(request: Request, services: InServices) -> None:
    """Refuse what another site's page makes a browser send.

    Browsers say where a POST comes from; a client that says nothing is no browser and carries nobody's cookie.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin not in allowed_origins(services.settings):
        raise ForeignOrigin("This request came from another site's page.")
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise ForeignOrigin("This request came from another site's page.")


def signed_in(visitor: Visitor) -> Account:
    """The account, or a refusal."""
    if visitor is None:
        raise NotSignedIn("Sign in with your wallet first.")
    return visitor


SignedIn = Annotated[Account, Depends(signed_in)]


def limit(request: Request, policy: Policy, who: str) -> None:
    """Count this request against a bucket, or refuse it."""
    limiter: Limiter = request.app.state.limiter
    verdict = limiter.take(policy, who, services_of(request).clock.now_ms())
    remember(request.scope, verdict)
    if not verdict.allowed:
        raise TooManyRequests("Too many requests; try again later.", retry_after_s=verdict.wait_s)


def address_of(request: Request) -> str:
    """The address a request came from.

    Told by X-Forwarded-For only where the peer is one of `BLITZ_TRUSTED_PROXIES`: the server has seen to that.
    """
    return request.client.host if request.client else "unknown"


class PerAddress:
    """A dependency that counts requests by the address they come from."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __call__(self, request: Request) -> None:
        limit(request, self._policy, address_of(request))


class PerAccount:
    """A dependency that counts requests by account."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __call__(self, request: Request, account: SignedIn) -> None:
        limit(request, self._policy, account.account_id)


def orders_per_account(request: Request, services: InServices, account: SignedIn) -> None:
    """Count an order: as many a second as the settings say, twice that at once."""
    per_second = services.settings.requests_per_s
    limit(request, Policy("orders", 2 * per_second, max(1, 1000 // per_second)), account.account_id)
