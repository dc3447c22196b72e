"""The HTTP API, mounted under /api: problem+json for every error, its own documentation page."""

from typing import Final

import fastapi

from blitzhub.api import (
    accounts,
    admin,
    auth,
    docs,
    health,
    images,
    keys,
    problems,
    proof,
    socket_docs,
    tokens,
    trading,
    withdrawals,
)
from blitzhub.api.limits import BodyLimit, TimeLimit
from blitzhub.api.rate import Limiter, RateHeaders
from blitzhub.api.watching import Watched

__all__ = ["PARTS", "create_api"]

PARTS: Final = (health, docs, socket_docs, auth, keys, accounts, withdrawals, tokens, trading, proof, images, admin)
"""The modules whose `router` make the API."""


def create_api() -> fastapi.FastAPI:
    """The API application, to be mounted under /api so that its errors never fall through to a page."""
    api = fastapi.FastAPI(
        title="BlitzHub",
        description="Launch and trade tokens. Amounts are decimal strings of base units, times epoch milliseconds.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    problems.install(api)
    api.add_middleware(BodyLimit)
    api.add_middleware(TimeLimit)
    api.add_middleware(RateHeaders)
    api.add_middleware(Watched)
    api.state.limiter = Limiter()
    for part in PARTS:
        api.include_router(part.router)
    return api
