"""Errors as RFC 9457 problem documents with a stable `code`; every error of the API leaves through here."""

import http
import logging
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from engine.errors import OutcomeUnknown, Refusal, Unavailable
from engine.persistence.database import CommitUnknown, DatabaseError, DatabaseUnavailable, is_outage, told

_log = logging.getLogger(__name__)

_CODES: Final = {413: "body_too_large", 422: "invalid_request", 500: "internal_error"}
_DETAILS: Final = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
}
_MAX_FIELD_ERRORS: Final = 20
_MAX_TEXT: Final = 200


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> JSONResponse:
    """A problem document: `type`, `title`, `status`, `code`, `detail` and the given further members."""
    body = {
        "type": "about:blank",
        "title": _phrase(status),
        "status": status,
        "code": code,
        "detail": detail,
        **members,
    }
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    phrase = _phrase(error.status_code)
    code = _CODES.get(error.status_code, phrase.lower().replace(" ", "_").replace("-", "_"))
    said_nothing = error.detail == phrase
    detail = _DETAILS.get(error.status_code, phrase) if said_nothing else str(error.detail)
    return problem(error.status_code, code, detail, headers=error.headers)


def _invalid_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        {
            "field": ".".join(str(part) for part in item["loc"])[:_MAX_TEXT],
            "message": item["msg"][:_MAX_TEXT],
        }
        for item in error.errors()[:_MAX_FIELD_ERRORS]
    ]
    detail = f"{errors[0]['field']}: {errors[0]['message']}" if errors else "The request is not valid."
    return problem(422, "invalid_request", detail, errors=errors)


def refused(refusal: Refusal) -> JSONResponse:
    """The problem document of an expected no."""
    headers = {"Retry-After": str(refusal.retry_after_s)} if isinstance(refusal, Unavailable) else None
    return problem(refusal.status, refusal.code, refusal.detail, headers=headers, data=refusal.data)


def _refusal(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    return refused(error)


def _database_error(request: Request, error: Exception) -> JSONResponse:
    """A database that is away is told as such; what a statement did wrong is a bug and crashes."""
    assert isinstance(error, DatabaseError)
    if isinstance(error, CommitUnknown):
        refusal: Refusal = OutcomeUnknown("We could not tell whether this was done; ask before you send it again.")
    elif is_outage(error):
        refusal = DatabaseUnavailable("The database does not take this now; nothing was changed.")
    else:
        raise error
    _log.error("alert=database_error %s %s: %s", request.method, request.url.path, told(error))
    return refused(refusal)


def _crash(request: Request, _: Exception) -> JSONResponse:
    _log.error("%s %s crashed", request.method, request.url.path)  # the server logs the traceback itself
    return problem(500, "internal_error", "Something broke on our side. The operators can see it.")


def install(api: FastAPI) -> None:
    """Answer every error of this application with a problem document."""
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(RequestValidationError, _invalid_request)
    api.add_exception_handler(Refusal, _refusal)
    api.add_exception_handler(DatabaseError, _database_error)
    api.add_exception_handler(Exception, _crash)
