"""What a route is given: the services, who is signed in, and the checks that come before any work."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request

from blitzhub.api.cookies import session_cookie
from blitzhub.api.rate import Limiter, Policy, TooManyRequests, remember
from engine.accounts.accounts import Account
from engine.accounts.api_keys import InvalidApiKey, Scope, holder_of
from engine.accounts.sessions import session_of
from engine.accounts.sign_in import allowed_origins
from engine.errors import Refusal
from engine.ledger.withdrawals import Requester
from engine.services import Services

READS: Final = Policy("reads", burst=300, refill_ms=10)
SIGN_INS: Final = Policy("sign-ins", burst=200, refill_ms=50)
UPLOADS: Final = Policy("uploads", burst=10, refill_ms=6_000)
LAUNCHES: Final = Policy("launches", burst=10, refill_ms=6_000)
CLAIMS: Final = Policy("claims", burst=5, refill_ms=10_000)
FAUCET: Final = Policy("faucet", burst=3, refill_ms=20_000)
WITHDRAWALS: Final = Policy("withdrawals", burst=60, refill_ms=10_000)
TICKETS: Final = Policy("tickets", burst=60, refill_ms=1_000)
KEYS: Final = Policy("keys", burst=20, refill_ms=10_000)


class NotSignedIn(Refusal):
    """The route is about an account and nobody is signed in."""

    code = "not_signed_in"
    status = 401


class MissingScope(Refusal):
    """An API key that may not do this."""

    code = "missing_scope"
    status = 403


class PersonNeeded(Refusal):
    """An API key, where only somebody who is signed in may act."""

    code = "person_needed"
    status = 403


class ForeignOrigin(Refusal):
    """A page of another site sent this with the visitor's cookie."""

    code = "foreign_origin"
    status = 403


def services_of(request: Request) -> Services:
    """The services that the app opened at its start."""
    services: Services = request.app.state.services
    return services


InServices = Annotated[Services, Depends(services_of)]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is and what it may do. `signed_in_at_ms` is None for a bot's key."""

    account: Account
    scopes: frozenset[Scope]
    signed_in_at_ms: int | None


async def caller_of(request: Request, services: InServices) -> Caller | None:
    """Who calls: by the key in the Authorization header where there is one, else by the session's cookie."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise InvalidApiKey("The Authorization header takes an API key: 'Bearer bh_…'.")
        holder = await holder_of(services, secret.strip())
        return Caller(holder.account, holder.scopes, None)
    session = await session_of(services, session_cookie(request.headers.get("cookie", ""), services.settings))
    return None if session is None else Caller(session.account, frozenset(Scope), session.signed_in_at_ms)


def known_caller(caller: Annotated[Caller | None, Depends(caller_of)]) -> Caller:
    """Who calls, or a refusal."""
    if caller is None:
        raise NotSignedIn("Sign in with your wallet first.")
    return caller


Known = Annotated[Caller, Depends(known_caller)]


def visitor_of(caller: Annotated[Caller | None, Depends(caller_of)]) -> Account | None:
    """Whose request it is, if anybody's: for public routes that say more to an account."""
    return caller.account if caller is not None and Scope.READ in caller.scopes else None


Visitor = Annotated[Account | None, Depends(visitor_of)]


class Needs:
    """A dependency that gives the caller whose scopes hold this one."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __call__(self, caller: Known) -> Caller:
        """The caller, or a refusal."""
        if self.scope not in caller.scopes:
            raise MissingScope(f"This API key may not do that: it takes the scope '{self.scope}'.", scope=self.scope)
        return caller


_NEEDS: Final = {scope: Needs(scope) for scope in Scope}


def reader(caller: Annotated[Caller, Depends(_NEEDS[Scope.READ])]) -> Account:
    """The account, to be looked at."""
    return caller.account


def trader(caller: Annotated[Caller, Depends(_NEEDS[Scope.TRADE])]) -> Account:
    """The account, to trade and launch with."""
    return caller.account


def withdrawer(caller: Annotated[Caller, Depends(_NEEDS[Scope.WITHDRAW])]) -> Requester:
    """The account, to take money out of."""
    return Requester(caller.account, caller.signed_in_at_ms)


def person(caller: Known) -> Account:
    """The account, signed in with its wallet: no key makes keys or ends sessions."""
    if caller.signed_in_at_ms is None:
        raise PersonNeeded("This takes a person who is signed in, not an API key.")
    return caller.account


Reader = Annotated[Account, Depends(reader)]
Trader = Annotated[Account, Depends(trader)]
Withdrawer = Annotated[Requester, Depends(withdrawer)]
Person = Annotated[Account, Depends(person)]


def own_origin(request: Request, services: InServices) -> None:
    """Refuse what another site's page makes a browser send.

    Browsers say where a POST comes from; a client that says nothing is no browser and carries nobody's cookie.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin not in allowed_origins(services.settings):
        raise ForeignOrigin("This request came from another site's page.")
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise ForeignOrigin("This request came from another site's page.")


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

    def __call__(self, request: Request, caller: Known) -> None:
        limit(request, self._policy, caller.account.account_id)


def orders_per_account(request: Request, services: InServices, caller: Known) -> None:
    """Count an order: as many a second as the settings say, twice that at once."""
    per_second = services.settings.requests_per_s
    limit(request, Policy("orders", 2 * per_second, max(1, 1000 // per_second)), caller.account.account_id)
