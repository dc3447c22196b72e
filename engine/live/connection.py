"""One subscriber's socket: what it may send, and what happens when it reads too slowly.

A frame goes straight to the transport while that has room. When it has none, frames wait in a short outbox; when that
is full its frames are dropped and their topics get a fresh snapshot once the socket has caught up (conflation). A
socket that makes no progress for `slow_ms` is closed. No socket ever slows another.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from engine.live.protocol import OWN_ACCOUNT, BadMessage, Frame, Kind, Method, Request, Topic, error_frame, parse

SEND_BUFFER_BYTES: Final = 32 * 1024
"""The kernel's, for each socket. Left alone it takes megabytes for a reader that has stopped, and nobody notices."""

CLOSE_GOING_AWAY: Final = 1001
CLOSE_POLICY: Final = 1008
CLOSE_TOO_BIG: Final = 1009
CLOSE_SLOW: Final = 4008
CLOSE_IDLE: Final = 4009

TOO_MANY_SOCKETS: Final = "too_many_sockets"
"""Why a socket of an address that has enough is closed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one socket may do and how long it may do nothing; how long a token is followed that nobody watches."""

    subscriptions: int = 50
    sockets_per_address: int = 100
    sockets_per_account: int = 20
    message_bytes: int = 4096
    messages_per_s: float = 20.0
    message_burst: float = 60.0
    refused_messages: int = 100
    backlog_bytes: int = 32 * 1024
    outbox_frames: int = 50
    slow_ms: int = 10_000
    sweep_ms: int = 50
    idle_ms: int = 180_000
    heartbeat_ms: int = 5_000
    repair_ms: int = 1_000
    repair_window_ms: int = 10_000
    token_reload_ms: int = 200
    board_reload_ms: int = 1_000
    board_refresh_ms: int = 10_000
    account_repair_ms: int = 10_000
    linger_ms: int = 30_000
    lingering: int = 300


class Socket(Protocol):
    """A transport, as the web framework has it."""

    def send(self, frame: Frame) -> Awaitable[None] | None:
        """Write one text frame; what is returned is awaited, and does not wait while `backlog` is small.

        None says that it is written already: eighty thousand times a second a coroutine less counts.

        Raises:
            OSError, RuntimeError: the socket is gone.
        """
        ...

    def backlog(self) -> int:
        """Bytes written and not yet taken by the network."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Begin closing; harmless when already closed."""
        ...


class Connection:
    """A connected socket. `receive` never raises, whatever the client sends."""

    __slots__ = (
        "_allowance",
        "_clock_s",
        "_limits",
        "_missed",
        "_outbox",
        "_refilled_s",
        "_refused",
        "_request",
        "_say",
        "account",
        "address",
        "closed",
        "heard_s",
        "progress_s",
        "sent_s",
        "socket",
        "topics",
    )

    def __init__(
        self,
        socket: Socket,
        limits: Limits,
        clock_s: Callable[[], float],
        request: Callable[["Connection", Request], None],
        say: Callable[["Connection", Frame], None],
        address: str = "",
    ) -> None:
        self.socket = socket
        self.address = address
        self.account: str | None = None
        self.topics: set[Topic] = set()
        self.closed = False
        self.heard_s = self.sent_s = self.progress_s = self._refilled_s = clock_s()
        self._limits = limits
        self._clock_s = clock_s
        self._request = request
        self._say = say
        self._allowance = limits.message_burst
        self._refused = 0
        self._outbox: deque[tuple[Topic | None, Frame]] = deque()
        self._missed: set[Topic] = set()

    def receive(self, message: str | bytes) -> None:
        """Take in one message of the client; answered, refused with an error frame, or the end of the socket."""
        if self.closed:
            return
        self.heard_s = self._clock_s()
        if _size(message, self._limits.message_bytes) > self._limits.message_bytes:
            self.close(CLOSE_TOO_BIG, "message_too_large")
            return
        try:
            if not self._may_speak():
                raise BadMessage("rate_limited", "Too many messages.")
            request = parse(message)
            if request.method is Method.SUBSCRIBE and self._own(request.topic) not in self.topics:
                self._check_room()
        except BadMessage as refusal:
            self.refuse(refusal.code, refusal.detail)
            return
        self._request(self, request)

    def deliver(self, topic: Topic | None, frame: Frame, *, snapshot: bool = False) -> bool | Awaitable[bool]:
        """Send the frame or keep it for later; False, now or once awaited, says that this socket is slow now."""
        if self.closed:
            return True
        if self._missed and topic in self._missed and not snapshot:
            return False
        if self._outbox or self.socket.backlog() > self._limits.backlog_bytes:
            self._keep(topic, frame)
            return False
        return self._send(frame)

    async def catch_up(self) -> list[Topic] | None:
        """Send what waits. None while still slow, else the topics that need a snapshot now."""
        while self._outbox and not self.closed and self.socket.backlog() <= self._limits.backlog_bytes:
            sent = self._send(self._outbox.popleft()[1])
            if sent is not True:
                await sent
            self.progress_s = self._clock_s()
        if self.closed:
            return []
        if self._outbox or self.socket.backlog() > self._limits.backlog_bytes:
            if (self._clock_s() - self.progress_s) * 1000 > self._limits.slow_ms:
                self.close(CLOSE_SLOW, "too_slow")
            return None
        missed = [topic for topic in self._missed if topic in self.topics]
        self._missed.clear()
        return missed

    def close(self, code: int, reason: str) -> None:
        """End the socket; its subscriptions end when the transport reports it gone."""
        if not self.closed:
            self.closed = True
            self._outbox.clear()
            self.socket.close(code, reason)

    def _keep(self, topic: Topic | None, frame: Frame) -> None:
        if not self._outbox:
            self.progress_s = self._clock_s()
        self._outbox.append((topic, frame))
        if len(self._outbox) > self._limits.outbox_frames:
            self._missed.update(topic for topic, _ in self._outbox if topic is not None)
            self._outbox.clear()

    def _send(self, frame: Frame) -> Literal[True] | Awaitable[bool]:
        try:
            sending = self.socket.send(frame)
        except (OSError, RuntimeError):
            self.closed = True
            return True
        if sending is not None:
            return self._sent(sending)
        self.sent_s = self._clock_s()
        return True

    async def _sent(self, sending: Awaitable[None]) -> bool:
        try:
            await sending
        except (OSError, RuntimeError):
            self.closed = True
        else:
            self.sent_s = self._clock_s()
        return True

    def _may_speak(self) -> bool:
        now_s = self._clock_s()
        earned = (now_s - self._refilled_s) * self._limits.messages_per_s
        self._allowance = min(self._limits.message_burst, self._allowance + earned)
        self._refilled_s = now_s
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _own(self, topic: Topic | None) -> Topic | None:
        return Topic(Kind.ACCOUNT, self.account) if topic is OWN_ACCOUNT and self.account else topic

    def _check_room(self) -> None:
        if len(self.topics) >= self._limits.subscriptions:
            raise BadMessage("too_many_subscriptions", f"At most {self._limits.subscriptions} subscriptions.")

    def refuse(self, code: str, detail: str) -> None:
        """Say no to a message; whoever asks for it too often is closed."""
        self._refused += 1
        self._say(self, error_frame(code, detail))
        if self._refused >= self._limits.refused_messages:
            self.close(CLOSE_POLICY, "too_many_refused_messages")


def _size(message: str | bytes, limit: int) -> int:
    """Bytes of the message; a text that is too long in characters is not encoded just to be counted."""
    if isinstance(message, bytes) or len(message) > limit:
        return len(message)
    return len(message.encode(errors="surrogatepass"))
