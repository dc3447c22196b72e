"""The HTTP API, mounted under /api: problem+json for every error, its own documentation page."""

import fastapi

from blitzhub.api import accounts, auth, docs, health, images, problems, proof, tokens, trading
from blitzhub.api.limits import BodyLimit
from blitzhub.api.rate import Limiter, RateHeaders

__all__ = ["create_api"]


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
    api.add_middleware(RateHeaders)
    api.state.limiter = Limiter()
    for part in (health, docs, auth, accounts, tokens, trading, proof, images):
        api.include_router(part.router)
    return api
