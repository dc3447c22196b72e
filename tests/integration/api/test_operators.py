"""The operators' routes: all of them, found in the app itself, refuse everybody without the role for it."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.routing import Mount

from blitzhub.api import create_api
from blitzhub.api.staff import operating
from engine.operators import roles
from engine.persistence import roles as role_rows
from engine.services import Services
from tests.integration.api.client import Browser, assert_problem, row_counts

OPERATOR, VIEWER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PUBLIC: Final = (
    "/auth", "/buy", "/creator", "/csp-report", "/docs", "/faucet", "/health", "/images", "/me", "/orders", "/proof",
    "/sell", "/tokens", "/withdrawals",
)  # fmt: skip
"""What is not the operators': a route of any other name must be guarded."""
CHANGING: Final = {"POST", "PUT", "PATCH", "DELETE"}


def wallet(key: Ed25519PrivateKey) -> str:
    return Browser(Starlette(), key).address


@pytest.fixture
def staffed(services: Services) -> Services:
    settings = replace(services.settings, operators=wallet(OPERATOR), viewers=wallet(VIEWER))
    return replace(services, settings=settings)


@pytest.fixture
def desk(staffed: Services) -> Starlette:
    api = create_api()
    api.state.services = staffed
    return Starlette(routes=[Mount("/api", api)])


@pytest.fixture
async def operator(desk: Starlette) -> AsyncIterator[Browser]:
    async with Browser(desk, OPERATOR) as browser:
        await browser.sign_in()
        yield browser


@pytest.fixture
async def viewer(desk: Starlette) -> AsyncIterator[Browser]:
    async with Browser(desk, VIEWER) as browser:
        await browser.sign_in()
        yield browser


def found(routes: Sequence[Any], prefix: str = "") -> Iterator[tuple[str, APIRoute]]:
    """Every route with its path, through routers that are included lazily."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield prefix + route.path, route
        elif hasattr(route, "original_router"):
            yield from found(route.original_router.routes, prefix + route.include_context.prefix)


def admin_routes() -> Iterator[tuple[str, str, APIRoute]]:
    for path, route in found(create_api().routes):
        if not path.startswith(PUBLIC):
            for method in sorted(route.methods):
                yield method, "/api" + re.sub(r"\{\w+(:\w+)?\}", "x", path), route


ROUTES: Final = [pytest.param(*each, id=f"{each[0]} {each[1]}") for each in admin_routes()]


def dependencies(dependant: Any) -> set[Any]:
    return {dependant.call}.union(*(dependencies(each) for each in dependant.dependencies))


def test_the_operators_routes_are_found() -> None:
    assert "GET /api/admin/status" in {each.id for each in ROUTES}


@pytest.mark.parametrize(("method", "path", "route"), ROUTES)
def test_whoever_changes_something_must_be_an_operator(method: str, path: str, route: APIRoute) -> None:
    assert operating in dependencies(route.dependant) or method not in CHANGING


@pytest.mark.parametrize(("method", "path", "route"), ROUTES)
async def test_nobody_else_gets_an_answer(
    method: str, path: str, route: APIRoute, desk: Starlette, staffed: Services, viewer: Browser
) -> None:
    async with Browser(desk) as anonymous, Browser(desk) as trader:
        await trader.sign_in()
        key = (await trader.post("/api/auth/keys", json={"name": "bot", "scopes": ["read", "trade"]})).json()["secret"]
        before = row_counts(staffed)
        assert_problem(await anonymous.request(method, path, json={}), 401, "not_signed_in")
        assert_problem(await trader.request(method, path, json={}), 403, "staff_only")
        bot = {"Authorization": f"Bearer {key}"}
        assert_problem(await anonymous.request(method, path, json={}, headers=bot), 403, "person_needed")
        if method in CHANGING:
            assert_problem(await viewer.request(method, path, json={}), 403, "operators_only")
    assert row_counts(staffed) == before


@pytest.mark.parametrize(("method", "path", "route"), [each for each in ROUTES if each.values[0] in CHANGING])
async def test_an_operator_acts_only_shortly_after_a_sign_in_and_from_our_own_pages(
    method: str, path: str, route: APIRoute, staffed: Services, operator: Browser
) -> None:
    foreign = await operator.request(method, path, json={}, headers={"Origin": "https://evil.example"})
    assert_problem(foreign, 403, "foreign_origin")
    staffed.clock.advance(staffed.settings.operator_reauthentication_ms + 1)  # type: ignore[attr-defined]
    assert_problem(await operator.request(method, path, json={}), 403, "sign_in_again")


async def test_the_status_says_who_asks_and_whether_they_may_act(
    staffed: Services, operator: Browser, viewer: Browser
) -> None:
    of_viewer = (await viewer.get("/api/admin/status")).json()
    assert (of_viewer["account_id"], of_viewer["role"], of_viewer["may_act"]) == (viewer.address, "viewer", False)
    of_operator = (await operator.get("/api/admin/status")).json()
    assert (of_operator["role"], of_operator["may_act"]) == ("operator", True)
    staffed.clock.advance(staffed.settings.operator_reauthentication_ms + 1)  # type: ignore[attr-defined]
    assert (await operator.get("/api/admin/status")).json()["may_act"] is False


async def test_a_role_in_the_database_begins_and_ends_at_once(desk: Starlette, staffed: Services) -> None:
    async with Browser(desk) as browser:
        await browser.sign_in()
        assert_problem(await browser.get("/api/admin/status"), 403, "staff_only")
        for role in ("viewer", "operator"):
            with staffed.database.transaction() as connection:
                role_rows.set_role(connection, browser.address, role, 1)
            assert (await browser.get("/api/admin/status")).json()["role"] == role
        with staffed.database.transaction() as connection:
            role_rows.take_role(connection, browser.address)
        assert_problem(await browser.get("/api/admin/status"), 403, "staff_only")


async def test_a_word_in_the_database_that_is_no_role_opens_nothing(staffed: Services) -> None:
    with staffed.database.transaction() as connection:
        role_rows.set_role(connection, wallet(Ed25519PrivateKey.generate()), "viewer", 1)
        role_rows.set_role(connection, "eve", "root", 1)
    assert await roles.role_of(staffed, "eve") is None


async def test_the_public_documentation_names_no_operators_route(visitor: Browser) -> None:
    described = (await visitor.get("/api/openapi.json")).json()
    assert described["paths"]
    assert not [path for path in described["paths"] if "admin" in path]
