"""How often somebody may ask: one token bucket per account or address, told in the RateLimit headers."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.errors import Refusal

_MAX_BUCKETS: Final = 50_000
_STATE_KEY: Final = "rate_limit"


class TooManyRequests(Refusal):
    """Asked too often; the answer's Retry-After says when to come back."""

    code = "too_many_requests"
    status = 429


@dataclass(frozen=True, slots=True)
class Policy:
    """`burst` requests at once, and one more every `refill_ms`."""

    name: str
    burst: int
    refill_ms: int

    @property
    def header(self) -> str:
        """As the RateLimit-Policy header says it; the window is the time in which an empty bucket fills."""
        return f'"{self.name}";q={self.burst};w={max(1, self.burst * self.refill_ms // 1000)}'


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may go on. `wait_s`: until the bucket is full again, or after a no, until it has one more."""

    policy: Policy
    allowed: bool
    remaining: int
    wait_s: int

    @property
    def headers(self) -> dict[str, str]:
        """The RateLimit headers, and Retry-After for a no."""
        told = {
            "RateLimit-Policy": self.policy.header,
            "RateLimit": f'"{self.policy.name}";r={self.remaining};t={self.wait_s}',
        }
        return told if self.allowed else {**told, "Retry-After": str(self.wait_s)}


class Limiter:
    """The buckets of one process; the one unused for longest goes first, which only ever helps its owner."""

    def __init__(self) -> None:
        self._full_at_ms: OrderedDict[tuple[str, str], int] = OrderedDict()

    def take(self, policy: Policy, who: str, now_ms: int) -> Verdict:
        """Use up one request of `who` under that policy.

        A bucket is the moment at which it will be full again: a request moves it by one refill.
        """
        key = (policy.name, who)
        full_at_ms = max(self._full_at_ms.pop(key, now_ms), now_ms)
        missing_ms = full_at_ms - now_ms
        room_ms = policy.burst * policy.refill_ms - missing_ms
        allowed = room_ms >= policy.refill_ms
        self._full_at_ms[key] = full_at_ms + policy.refill_ms if allowed else full_at_ms
        if len(self._full_at_ms) > _MAX_BUCKETS:
            self._full_at_ms.popitem(last=False)
        used_ms = policy.refill_ms if allowed else 0
        remaining = (room_ms - used_ms) // policy.refill_ms
        wait_ms = missing_ms + used_ms if allowed else policy.refill_ms - room_ms
        return Verdict(policy, allowed, remaining, -(-wait_ms // 1000))


def remember(scope: Scope, verdict: Verdict) -> None:
    """Have the answer carry this verdict's headers."""
    scope["state"][_STATE_KEY] = verdict


class RateHeaders:
    """Adds the RateLimit headers to whatever answer a limited request gets, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and _STATE_KEY in state:
                MutableHeaders(scope=message).update(state[_STATE_KEY].headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)
