"""The signer's door: a small HTTP service for the processes that may ask it something, and for nobody else.

Each caller has a secret of its own kind: the web processes may have keys made, the settlement worker may have
settlements signed. Whatever is refused is a line in the audit log. Batches wait in a bounded queue; when it is full the
answer is 503 at once, because a caller that waits in vain repeats itself.
"""

import asyncio
import base64
import binascii
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import orjson
from aiohttp import web

from engine.errors import Refusal, Unavailable
from engine.ports import Signed, Signer, SigningRequest

audit = logging.getLogger("blitzhub.audit")
log = logging.getLogger(__name__)

MAX_REQUESTS: Final = 100
MAX_BODY_BYTES: Final = 400_000
BATCHES_AT_ONCE: Final = 4
BATCHES_WAITING: Final = 16
ANSWER_LIMIT_S: Final = 20.0
READY_LIMIT_S: Final = 5.0
LEAST_SECRET_LENGTH: Final = 32

WEB, SETTLE = "web", "settle"


class Stranger(Refusal):
    """The caller has no secret of ours."""

    code: ClassVar[str] = "unauthorized"
    status: ClassVar[int] = 401


class NotYours(Refusal):
    """This caller may ask for other things, not for this one."""

    code = "forbidden"
    status = 403


class BadRequest(Refusal):
    """The body is not what this route takes."""

    code = "bad_request"
    status = 400


class Busy(Unavailable):
    """More batches wait than would be answered in time."""

    code = "signer_busy"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What each kind of caller proves itself with."""

    web: str
    settle: str

    def problem(self) -> str | None:
        """Why these secrets cannot be used, None when they can."""
        if min(len(self.web), len(self.settle)) < LEAST_SECRET_LENGTH:
            return f"both must have at least {LEAST_SECRET_LENGTH} characters"
        return "they must differ" if self.web == self.settle else None

    def role(self, authorization: str) -> str | None:
        """Whose secret a header carries."""
        given = authorization.encode()
        for role, secret in ((WEB, self.web), (SETTLE, self.settle)):
            if hmac.compare_digest(given, f"Bearer {secret}".encode()):
                return role
        return None


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(signer: Signer, secrets: Secrets) -> web.Application:
    """The service over a signer; both belong to one event loop."""
    door = _Door(signer, secrets)
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_answer_refusals])
    app.add_routes(
        [
            web.get("/ready", door.ready),
            web.get("/v1/fee-payer", door.fee_payer),
            web.post("/v1/keys", door.create_key),
            web.post("/v1/sign", door.sign),
        ]
    )
    return app


class _Door:
    def __init__(self, signer: Signer, secrets: Secrets) -> None:
        self._signer, self._secrets = signer, secrets
        self._signing = asyncio.Semaphore(BATCHES_AT_ONCE)
        self._batches = 0

    async def ready(self, _: web.Request) -> web.Response:
        """Whether something could be signed now."""
        async with asyncio.timeout(READY_LIMIT_S):
            await self._signer.check()
        return _json({"ready": True})

    async def fee_payer(self, request: web.Request) -> web.Response:
        """The platform's address that pays the network."""
        self._admit(request, WEB, SETTLE)
        return _json({"address": await self._signer.fee_payer()})

    async def create_key(self, request: web.Request) -> web.Response:
        """Make an account's, a mint's or a vault's key: `{"name": …}` → `{"address": …}`."""
        self._admit(request, WEB)
        body = await _body(request)
        name = body.get("name")
        if not isinstance(name, str):
            raise BadRequest("The name is a text.")
        return _json({"address": await self._signer.create_key(name)})

    async def sign(self, request: web.Request) -> web.Response:
        """Sign settlements: `{"requests": [{"settlement_id", "message"}]}` → an answer each, in order."""
        self._admit(request, SETTLE)
        if self._batches >= BATCHES_AT_ONCE + BATCHES_WAITING:
            raise Busy("The signer has more to do than it can do in time.")
        self._batches += 1
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                wanted = _requests(await _body(request))
                async with self._signing:
                    answers = await self._signer.sign(wanted)
        finally:
            self._batches -= 1
        return _json({"answers": [_told(answer) for answer in answers]})

    def _admit(self, request: web.Request, *roles: str) -> None:
        role = self._secrets.role(request.headers.get("Authorization", ""))
        if role is None or role not in roles:
            refusal = Stranger("The secret is none.") if role is None else NotYours("This is not for this caller.")
            audit.warning(
                "alert=signer_refused code=%s caller=%s path=%s from=%s",
                *(refusal.code, role, request.path, request.remote or "unix"),
            )
            raise refusal


@web.middleware
async def _answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except TimeoutError:
        return _problem(Unavailable("The signer took too long."))
    except Refusal as refusal:
        return _problem(refusal)
    except web.HTTPException:
        raise
    except Exception:
        log.exception("alert=signer_error a request ended with a bug")
        return _json({"code": "internal", "detail": "The signer failed."}, 500)


def _problem(refusal: Refusal) -> web.Response:
    return _json({"code": refusal.code, "detail": refusal.detail}, refusal.status)


def _json(body: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise BadRequest("The body is no JSON.") from error
    if not isinstance(body, dict):
        raise BadRequest("The body is an object.")
    return body


def _requests(body: dict[str, Any]) -> list[SigningRequest]:
    listed = body.get("requests")
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_REQUESTS:
        raise BadRequest(f"There are 1 to {MAX_REQUESTS} requests in a batch.")
    try:
        return [
            SigningRequest(_text(each["settlement_id"]), base64.b64decode(each["message"], validate=True))
            for each in listed
        ]
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise BadRequest("A request is a settlement_id and a message in base64.") from error


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 40:
        raise TypeError("no id")
    return value


def _told(answer: Signed | Refusal) -> dict[str, Any]:
    if isinstance(answer, Signed):
        return {"signature": answer.signature, "transaction": base64.b64encode(answer.transaction).decode()}
    return {"code": answer.code, "detail": answer.detail, "again": isinstance(answer, Unavailable)}
