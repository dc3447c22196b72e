"""Every error of the API leaves as a problem document with a stable code."""

import asyncio
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount

from blitzhub.api import health, limits, problems
from blitzhub.api.limits import MAX_BODY_BYTES, MAX_IMAGE_BODY_BYTES, BodyLimit, TimeLimit
from engine.errors import Refusal, Unavailable
from engine.persistence.database import CommitUnknown


class _Paused(Refusal):
    code = "token_paused"
    status = 409


class _Order(BaseModel):
    lamports: str


_DATABASE_ERRORS: dict[str, SQLAlchemyError] = {
    "away": OperationalError("SELECT secret", {}, Exception("secret-host is away")),
    "pool": PoolTimeout("all connections are in use"),
    "commit": CommitUnknown("secret-host broke during a commit"),
    "row": IntegrityError("INSERT secret", {}, Exception("secret key")),
    "statement": ProgrammingError("SELEKT secret", {}, Exception("syntax")),
}


def _api_of_errors() -> FastAPI:
    """The API's own error handling and limits around routes that fail in every way."""
    api = FastAPI()
    problems.install(api)
    api.add_middleware(BodyLimit)
    api.add_middleware(TimeLimit)
    api.include_router(health.router)

    @api.post("/order")
    async def order(body: _Order) -> dict[str, str]:
        return {"lamports": body.lamports}

    @api.post("/images")
    async def images(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @api.get("/refused")
    async def refused() -> None:
        raise _Paused("Trading is paused.", since_ms=5)

    @api.get("/unavailable")
    async def unavailable() -> None:
        raise Unavailable("The queue is out of reach.")

    @api.get("/database/{kind}")
    async def database(kind: str) -> None:
        raise _DATABASE_ERRORS[kind]

    @api.get("/hang")
    @api.post("/hang")
    async def hang() -> None:
        await asyncio.Event().wait()

    @api.get("/crash")
    async def crash() -> None:
        raise RuntimeError("secret detail")

    return api


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client of that API, mounted as the real one is."""
    outer = Starlette(routes=[Mount("/api", _api_of_errors())])
    with TestClient(outer, raise_server_exceptions=False) as client:
        yield client


def test_a_refusal_keeps_its_status_code_words_and_data(client: TestClient) -> None:
    answer = client.get("/api/refused")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "code": "token_paused",
        "detail": "Trading is paused.",
        "data": {"since_ms": 5},
    }


def test_an_unavailable_part_says_when_to_ask_again(client: TestClient) -> None:
    answer = client.get("/api/unavailable")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("away", 503, "database_unavailable"),
        ("pool", 503, "database_unavailable"),
        ("commit", 504, "outcome_unknown"),
        ("row", 500, "internal_error"),
        ("statement", 500, "internal_error"),
    ],
)
def test_a_database_that_is_away_is_told_from_a_bug(
    client: TestClient, caplog: pytest.LogCaptureFixture, kind: str, status: int, code: str
) -> None:
    answer = client.get(f"/api/database/{kind}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("retry-after" in answer.headers) == (status == 503)
    assert "secret" not in answer.text
    assert ("alert=database_error" in caplog.text) == (status != 500)


def test_what_hangs_is_answered_for(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "ANSWER_LIMIT_S", 0.05)
    read, done = client.get("/api/hang"), client.post("/api/hang")
    assert (read.status_code, read.json()["code"]) == (503, "unavailable")
    assert "retry-after" in read.headers
    assert (done.status_code, done.json()["code"]) == (504, "outcome_unknown")
    assert caplog.text.count("alert=no_answer") == 2


def test_a_crash_tells_nothing_of_its_inside(client: TestClient) -> None:
    answer = client.get("/api/crash")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "body",
    [b'{"lamports": 5}', b'{"lamports": ' + b"9" * 5_000 + b"}", b"{", b"[]", b"", b'{"lamports": NaN}', b"\xff"],
)
def test_an_invalid_body_is_refused_without_being_echoed(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/order", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] == ("invalid_request" if answer.status_code == 422 else "bad_request")
    assert len(answer.content) < 1_500


def test_unknown_paths_and_methods_are_told_apart(client: TestClient) -> None:
    missing, wrong = client.get("/api/nope"), client.get("/api/order")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


def test_a_body_over_its_limit_is_refused_announced_or_streamed(client: TestClient) -> None:
    def streamed(size: int) -> Iterator[bytes]:
        for _ in range(size // 65_536 + 1):
            yield b" " * 65_536

    announced = client.post("/api/order", content=b" " * (MAX_BODY_BYTES + 1))
    unannounced = client.post("/api/order", content=streamed(MAX_BODY_BYTES))
    image = client.post("/api/images", content=streamed(MAX_IMAGE_BODY_BYTES))
    for answer in (announced, unannounced, image):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert client.post("/api/images", content=b" " * MAX_IMAGE_BODY_BYTES).json() == {"bytes": MAX_IMAGE_BODY_BYTES}


def test_reports_cannot_flood_the_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(60):
        sent = client.post("/api/csp-report", json={"csp-report": {"blocked-uri": "eval\nforged line"}})
        assert sent.status_code == 204
    lines = [record.getMessage() for record in caplog.records if "policy violation" in record.getMessage()]
    assert 0 < len(lines) <= 40  # at most 20 a minute, and the minute may turn meanwhile
    assert all("\n" not in line for line in lines)
