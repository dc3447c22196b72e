"""An order as it travels: the message in the queue, its identity, and the closed sets of its life."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

import orjson

from engine.identifiers import AccountId, OrderId, TokenAddress, order_id


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderState(StrEnum):
    """What a user sees of an order. Only `filled` and `rejected` are rows; the rest is told from elsewhere."""

    QUEUED = "queued"
    FILLED = "filled"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why an order was rejected; recorded, and the code a client sees."""

    SLIPPAGE = "slippage"
    FUNDS = "funds"
    DEADLINE = "deadline"
    PAUSED = "paused"
    UNKNOWN_TOKEN = "unknown_token"
    NOT_TRADABLE = "not_tradable"
    GRADUATED = "graduated"
    BELOW_MINIMUM = "below_minimum"
    NOTHING_BOUGHT = "nothing_bought"
    NOTHING_RECEIVED = "nothing_received"
    ENGINE_ERROR = "engine_error"


@dataclass(frozen=True, slots=True)
class Order:
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


def decoded(body: bytes) -> Order:
    """The order in a message body; its id is computed, never trusted.

    Raises:
        ValueError, KeyError, TypeError: the body is not an order of ours.
    """
    raw = orjson.loads(body)
    if raw["v"] != 1:
        raise ValueError(f"message version was {raw['v']}, expected 1")
    return Order(
        order_id=order_id(raw["account"], raw["client_order_id"]),
        account_id=raw["account"],
        client_order_id=raw["client_order_id"],
        token=raw["token"],
        side=Side(raw["side"]),
        amount=raw["amount"],
        bound=raw["bound"],
        deadline_ms=raw["deadline_ms"],
        body_hash=raw["body_hash"],
        accepted_at_ms=raw["accepted_at_ms"],
        simulated=raw["simulated"],
    )


def body_hash(side: Side, token: str, amount: int, bound: int, deadline_ms: int | None) -> str:
    """The hash that tells whether two requests with one id ask the same; a deadline left out is not part of it."""
    body = f"{side}|{token}|{amount}|{bound}|{'' if deadline_ms is None else deadline_ms}"
    return hashlib.blake2b(body.encode(), digest_size=16).hexdigest()
