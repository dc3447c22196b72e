"""The two families of errors: refusals, which are answers, and everything else, which is a bug.

A refusal carries a stable code, an HTTP status and a sentence a person can act on; each concrete class stands
beside the code that raises it. Whatever is not a `Refusal` crashes loudly.
"""

from typing import ClassVar


class Refusal(Exception):
    """An expected no, shown to the user. `data` holds what the sentence was about, JSON-ready."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 400

    def __init__(self, detail: str, **data: str | int | bool | None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.data = data


class AccountFrozen(Refusal):
    """The chain refused what the account owes; it neither trades nor withdraws until an operator has looked at it."""

    code = "frozen"
    status = 403


class NotFound(Refusal):
    """There is nothing under that name."""

    code = "not_found"
    status = 404


class Unavailable(Refusal):
    """A part is out of reach for now; nothing was changed and the same request may be sent again."""

    code = "unavailable"
    status = 503
    retry_after_s: ClassVar[int] = 2


class OutcomeUnknown(Refusal):
    """The request may or may not have been taken; only asking again with the same id tells."""

    code = "outcome_unknown"
    status = 504


def last_words(error: BaseException) -> str:
    """What an error says on one line; of a server's many lines the one that tells."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL:" in line or "failed:" in line] or lines[:1]
    text = telling[-1] if telling else type(error).__name__
    return text.rpartition("FATAL:")[2].strip().rstrip(".")[:300]
