"""An order as it travels: the message in the queue, its identity, and the closed sets of its life."""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from engine.identifiers import AccountId, OrderId, TokenAddress, order_id
from engine.units import MAX_AMOUNT


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderState(StrEnum):
    """What a user sees of an order. Only `filled` and `rejected` are its rows; the rest is told from elsewhere."""

    QUEUED = "queued"
    PARKED = "parked"
    FILLED = "filled"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why an order was rejected; recorded, and the code a client sees."""

    SLIPPAGE = "slippage"
    FUNDS = "funds"
    DEADLINE = "deadline"
    PAUSED = "paused"
    HELD = "held"
    FROZEN = "frozen"
    UNKNOWN_TOKEN = "unknown_token"
    NOT_TRADABLE = "not_tradable"
    BELOW_MINIMUM = "below_minimum"
    NOTHING_BOUGHT = "nothing_bought"
    NOTHING_RECEIVED = "nothing_received"
    OPENING_CAP = "opening_cap"
    POOL_OUT_OF_RANGE = "pool_out_of_range"
    ENGINE_ERROR = "engine_error"


class Order(NamedTuple):
    """A request to trade.

    `amount` is lamports to spend, fee included (buy), or base units to sell; `bound` is the slippage bound:
    `min_tokens_out` or `min_lamports_out`. The deadline counts even when the client left it out.
    """

    order_id: OrderId
    account_id: AccountId
    client_order_id: str
    token: TokenAddress
    side: Side
    amount: int
    bound: int
    deadline_ms: int
    body_hash: str
    accepted_at_ms: int
    simulated: bool = False

    def encoded(self) -> bytes:
        """The message body in the token's queue."""
        return orjson.dumps(
            {
                "v": 1,
                "account": self.account_id,
                "client_order_id": self.client_order_id,
                "token": self.token,
                "side": self.side,
                "amount": self.amount,
                "bound": self.bound,
                "deadline_ms": self.deadline_ms,
                "body_hash": self.body_hash,
                "accepted_at_ms": self.accepted_at_ms,
                "simulated": self.simulated,
            }
        )


class UnreadableOrder(ValueError):
    """A message body is not an order of ours."""


def decoded(body: bytes) -> Order:
    """The order in a message body, every field of the form its column takes; its id is computed, never trusted.

    Raises:
        UnreadableOrder: the body is not an order of ours.
    """
    try:
        return _decoded(orjson.loads(body))
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableOrder(f"not an order: {error!r}") from error


def _decoded(raw: Mapping[str, Any]) -> Order:
    if raw["v"] != 1:
        raise ValueError(f"message version was {raw['v']}, expected 1")
    account_id, client_order_id = AccountId(_text(raw, "account", 44)), _text(raw, "client_order_id", 36)
    return Order(
        order_id=order_id(account_id, client_order_id),
        account_id=account_id,
        client_order_id=client_order_id,
        token=TokenAddress(_text(raw, "token", 44)),
        side=Side(raw["side"]),
        amount=_whole(raw, "amount"),
        bound=_whole(raw, "bound"),
        deadline_ms=_whole(raw, "deadline_ms"),
        body_hash=_text(raw, "body_hash", 32),
        accepted_at_ms=_whole(raw, "accepted_at_ms"),
        simulated=raw["simulated"] is True,
    )


def _text(raw: Mapping[str, Any], name: str, limit: int) -> str:
    value = raw[name]
    if not isinstance(value, str) or not 0 < len(value) <= limit:
        raise ValueError(f"{name} was {str(value)[:80]!r}, expected 1 to {limit} characters")
    return value


def _whole(raw: Mapping[str, Any], name: str) -> int:
    value = raw[name]
    if type(value) is not int or not 0 <= value <= MAX_AMOUNT:
        raise ValueError(f"{name} was {str(value)[:80]!r}, expected a whole number from 0 to 2^63 - 1")
    return value


def body_hash(side: Side, token: str, amount: int, bound: int, deadline_ms: int | None) -> str:
    """The hash that tells whether two requests with one id ask the same; a deadline left out is not part of it."""
    body = f"{side}|{token}|{amount}|{bound}|{'' if deadline_ms is None else deadline_ms}"
    return hashlib.blake2b(body.encode(), digest_size=16).hexdigest()
