"""What is said on the market socket: topics, the messages a client may send, and the frames it gets.

A frame is `{"channel", "from_seq", "seq", "data"}`. `from_seq` 0 marks a snapshot, which contains everything up to
`seq`; a delta continues it when its `from_seq` is the last `seq` + 1 (then `seq` may equal the last one: figures
without a movement). Anything else is a gap, and the client subscribes again.

`data` by channel, a snapshot / a delta; trades, figures and candles read as in the HTTP API, trades newest first:

* `token:<address>`: `token` (all of it), `trades` (10), `candle` (the running minute or null) / the figures that
  changed, and after a trade `trades` and `candle`;
* `trades:<address>`: `trades` (50) / `trades` (at most 100) and `omitted`, how many older ones the frame left out;
* `candles:<address>:<interval>`: `candles` (3, oldest first) / the candles that changed, each whole;
* `board`: `tokens` (summaries) and `columns` (name to addresses) / `tokens` (by `address`, the fields that changed, or
  a whole summary of one newly listed) and `columns` whose members changed. Its `seq` counts this hub's frames;
* `account:<account>`, for that account's own sockets: `lamports`, `free_lamports`, `tokens` (all by address), `frozen`
  and `orders` (50, newest first) / `lamports`, `free_lamports`, the `tokens` that moved, and the `orders` and
  `withdrawals` that stand elsewhere now. Its `seq` is the account's `account_seq`, which numbers movements: rejections
  and confirmations leave it as it is;
* `error`: `code`, `detail`, `channel`; `heartbeat`: `at_ms`; `pong`: `at_ms` and `seqs`, the last `seq` said on each of
  the socket's channels, so that a client whose last frame was lost finds out; `reconnect`: `after_ms`, when this client
  shall come back, because the server is about to stop. These have no `seq`.

A client that comes back says with `subscribe` the last `seq` it knows as `after_seq`. It gets a delta with exactly the
trades it missed while the hub still has them all, else a snapshot. The first subscription of a socket to its account
shows a `ticket`; later ones of the same socket need none.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from engine.identifiers import is_address
from engine.indicators.candles import Interval
from engine.units import MAX_AMOUNT


class Kind(StrEnum):
    """What can be subscribed to."""

    TOKEN = "token"
    TRADES = "trades"
    CANDLES = "candles"
    BOARD = "board"
    ACCOUNT = "account"


class Method(StrEnum):
    """What a client can ask."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    PING = "ping"


@dataclass(frozen=True, slots=True)
class Topic:
    """One subscription. `of` is a token's address or an account, empty for the board; `interval` is the candles'."""

    kind: Kind
    of: str = ""
    interval: Interval | None = None

    @property
    def channel(self) -> str:
        """The name that frames of this topic carry: `board`, `trades:<address>`, `candles:<address>:1m`."""
        return ":".join(part for part in (self.kind, self.of, self.interval) if part)


BOARD_TOPIC = Topic(Kind.BOARD)
OWN_ACCOUNT = Topic(Kind.ACCOUNT)
"""As a client asks for it; which account that is, its ticket says."""

MAX_TICKET: Final = 100

_TEXT: Final = 0x81
_LENGTH_16, _LENGTH_64, _MOST_16 = 126, 127, 0xFFFF
"""A final text frame's first byte, and how its second one says that the length follows in two bytes, or in eight."""


@dataclass(frozen=True, slots=True)
class Request:
    """A client's message, checked. `topic` is None for a ping, `after_seq` unless the client comes back.

    `ticket` says whose the socket is, for its account's channel.
    """

    method: Method
    topic: Topic | None
    after_seq: int | None = None
    ticket: str | None = None


class Frame:
    """One serialised message; the same object goes to every subscriber, so no form of it is made twice."""

    __slots__ = ("_wire", "body")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._wire = b""

    @property
    def wire(self) -> bytes:
        """The message as one unmasked, uncompressed WebSocket frame (RFC 6455, 5.2)."""
        if not self._wire:
            length = len(self.body)
            if length < _LENGTH_16:
                head = bytes((_TEXT, length))
            elif length <= _MOST_16:
                head = bytes((_TEXT, _LENGTH_16)) + length.to_bytes(2, "big")
            else:
                head = bytes((_TEXT, _LENGTH_64)) + length.to_bytes(8, "big")
            self._wire = head + self.body
        return self._wire


class BadMessage(Exception):
    """A client's message that cannot be understood; answered with an error frame."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def parse(message: str | bytes) -> Request:
    """Read a client's message.

    Raises:
        BadMessage: with the code the client is told.
    """
    try:
        content = orjson.loads(message)
    except ValueError as error:
        raise BadMessage("invalid_json", "A message is one JSON object.") from error
    if not isinstance(content, dict):
        raise BadMessage("invalid_message", "A message is one JSON object.")
    try:
        method = Method(str(content.get("method")))
    except ValueError as error:
        raise BadMessage("unknown_method", "The method is subscribe, unsubscribe or ping.") from error
    if method is Method.PING:
        return Request(method, None)
    topic, after_seq = _topic(content.get("subscription")), _after_seq(content.get("after_seq"))
    return Request(method, topic, after_seq, _ticket(content.get("ticket")) if topic is OWN_ACCOUNT else None)


def _ticket(content: Any) -> str | None:
    if content is not None and (not isinstance(content, str) or len(content) > MAX_TICKET):
        raise BadMessage("invalid_ticket", "This is no ticket.")
    return content


def _after_seq(content: Any) -> int | None:
    if content is None:
        return None
    if type(content) is not int or not 0 <= content <= MAX_AMOUNT:
        raise BadMessage("invalid_after_seq", "`after_seq` is the last seq that was received, a whole number.")
    return content


def _topic(content: Any) -> Topic:
    if not isinstance(content, dict):
        raise BadMessage("invalid_message", "`subscription` is an object with a `type`.")
    try:
        kind = Kind(str(content.get("type")))
    except ValueError as error:
        raise BadMessage("unknown_type", "The type is token, trades, candles, board or account.") from error
    if kind is Kind.BOARD:
        return BOARD_TOPIC
    if kind is Kind.ACCOUNT:
        return OWN_ACCOUNT
    token = content.get("token")
    if not is_address(token):
        raise BadMessage("invalid_token", "`token` is the base58 address of a token.")
    if kind is not Kind.CANDLES:
        return Topic(kind, str(token))
    try:
        return Topic(kind, str(token), Interval(str(content.get("interval"))))
    except ValueError as error:
        raise BadMessage("invalid_interval", "The interval is 1s, 15s, 1m, 5m, 15m, 1h, 4h or 1d.") from error


def encode(content: dict[str, Any]) -> Frame:
    """Serialise once for everybody."""
    return Frame(orjson.dumps(content))


def data_frame(topic: Topic, from_seq: int, seq: int, data: dict[str, Any]) -> Frame:
    """A snapshot (`from_seq` 0) or a delta of a topic."""
    return encode({"channel": topic.channel, "from_seq": from_seq, "seq": seq, "data": data})


def error_frame(code: str, detail: str, topic: Topic | None = None) -> Frame:
    """What was wrong with a message; `channel` inside `data` names the subscription where there was one."""
    channel = None if topic is None else topic.channel
    return encode({"channel": "error", "data": {"code": code, "detail": detail, "channel": channel}})


def heartbeat_frame(now_ms: int) -> Frame:
    """Says that a silent socket still lives."""
    return encode({"channel": "heartbeat", "data": {"at_ms": now_ms}})


def pong_frame(now_ms: int, seqs: dict[str, int]) -> Frame:
    """Answers a ping: the last `seq` that was said on each of the socket's channels."""
    return encode({"channel": "pong", "data": {"at_ms": now_ms, "seqs": seqs}})


def reconnect_frame(after_ms: int) -> Frame:
    """Asks one client to come back after so many milliseconds."""
    return encode({"channel": "reconnect", "data": {"after_ms": after_ms}})
