"""The two cookies: the session, and the pre-session that binds a sign-in to the browser that began it."""

from http.cookies import CookieError, SimpleCookie
from typing import Final

from fastapi import Response

from engine.settings import Settings

_SESSION: Final = "sid"
_PRESESSION: Final = "pre"
_MAX_LENGTH: Final = 100


def session_name(settings: Settings) -> str:
    """The session cookie's name; the `__Host-` prefix holds only for Secure cookies."""
    return f"__Host-{_SESSION}" if settings.secure_cookie else _SESSION


def presession_name(settings: Settings) -> str:
    """The pre-session cookie's name."""
    return f"__Host-{_PRESESSION}" if settings.secure_cookie else _PRESESSION


def session_cookie(header: str, settings: Settings) -> str | None:
    """The session's secret in a raw Cookie header, None where there is none."""
    return _value(header, session_name(settings))


def presession_cookie(header: str, settings: Settings) -> str | None:
    """The pre-session's secret in a raw Cookie header, None where there is none."""
    return _value(header, presession_name(settings))


def set_session(response: Response, settings: Settings, secret: str) -> None:
    """Hand out a session; the browser forgets it when the server would."""
    _set(response, settings, session_name(settings), secret, settings.session_absolute_ms // 1000)


def set_presession(response: Response, settings: Settings, secret: str) -> None:
    """Bind a sign-in to this browser for as long as its nonce is good."""
    _set(response, settings, presession_name(settings), secret, settings.nonce_ttl_ms // 1000)


def clear(response: Response, settings: Settings) -> None:
    """Make the browser forget both."""
    for name in (session_name(settings), presession_name(settings)):
        _set(response, settings, name, "", 0)


def _set(response: Response, settings: Settings, name: str, value: str, max_age_s: int) -> None:
    response.set_cookie(
        name, value, max_age=max_age_s, path="/", httponly=True, samesite="lax", secure=settings.secure_cookie
    )


def _value(header: str, name: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return morsel.value if morsel is not None and 0 < len(morsel.value) <= _MAX_LENGTH else None
