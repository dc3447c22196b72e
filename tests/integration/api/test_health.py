"""Liveness and readiness as a load balancer asks for them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.routing import Mount

from blitzhub.api import create_api
from engine import readiness
from engine.errors import Unavailable
from engine.services import Services
from tests.integration.api.client import Browser


@pytest.fixture
async def asking(services: Services, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Browser]:
    monkeypatch.setattr(readiness, "KEPT_S", 0)
    api = create_api()
    api.state.services = replace(services, settings=replace(services.settings, backend="EU-BE-01"))
    async with Browser(Starlette(routes=[Mount("/api", api)])) as browser:
        yield browser


async def away(error: Exception) -> None:
    raise error


PARTS = {
    "database": ("database", "check", OperationalError("SELECT 1", {}, Exception("secret-host is away"))),
    "broker": ("broker", "check", Unavailable("secret-host is away")),
    "bus": ("bus", "check", Unavailable("secret-host is away")),
    "chain": ("chain", "slot", Unavailable("secret-host is away")),
}


async def test_a_backend_with_everything_is_ready_and_says_its_name(asking: Browser) -> None:
    for path in ("live", "ready"):
        answer = await asking.get(f"/api/health/{path}")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "backend": "EU-BE-01"})


@pytest.mark.parametrize("part", PARTS)
async def test_a_missing_part_is_named_until_it_is_back(
    asking: Browser, services: Services, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    field, method, error = PARTS[part]
    known = getattr(type(getattr(services, field)), method)
    broken = True

    async def asked(of: object) -> object:
        return await (away(error) if broken else known(of))

    monkeypatch.setattr(type(getattr(services, field)), method, asked)
    answer = await asking.get("/api/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert answer.json()["data"] == {"backend": "EU-BE-01", "missing": part}
    assert "Retry-After" in answer.headers
    assert "secret" not in answer.text
    assert (await asking.get("/api/health/live")).status_code == 200
    broken = False
    assert (await asking.get("/api/health/ready")).status_code == 200


async def test_a_part_that_hangs_is_missing_and_not_asked_twice(
    asking: Browser, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "ANSWER_LIMIT_S", 0.5)
    asked: list[int] = []
    answering = asyncio.Event()

    async def hang(_: object) -> None:
        asked.append(1)
        await answering.wait()

    monkeypatch.setattr(type(services.broker), "check", hang)
    ask = partial(asking.get, "/api/health/ready")
    for _ in range(3):
        assert (await ask()).json()["data"]["missing"] == "broker"
    assert len(asked) == 1
    answering.set()
    while (await ask()).status_code != 200:
        assert len(asked) < 3
    assert len(asked) <= 2


async def test_many_questions_at_once_are_one(
    services: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[int] = []

    async def count(_: object) -> int:
        asked.append(1)
        await asyncio.sleep(0)
        return 0

    monkeypatch.setattr(type(services.chain), "slot", count)
    ready = readiness.Readiness(services)
    answers = await asyncio.gather(*(ready.missing() for _ in range(50)))
    assert answers == [[]] * 50
    assert len(asked) == 1
