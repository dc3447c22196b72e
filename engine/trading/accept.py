"""Taking an order: checked against what is known now, queued durably, and only then answered.

Nothing is written to the database here. What is refused leaves the client's id unused; what is queued is decided by a
trade worker, by the very rules that are tried here first.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from engine import crash_points, logs, metrics
from engine.accounts.accounts import Account
from engine.crash_points import Point
from engine.errors import AccountFrozen, NotFound, Refusal
from engine.identifiers import OrderId, order_id
from engine.persistence import accounts as rows
from engine.persistence import orders
from engine.persistence.database import Connection
from engine.persistence.parked import parked_order
from engine.services import Services
from engine.settlement.programs import TOKEN_ACCOUNT_SIZE
from engine.trading.execution import Purse, Rejection, decide
from engine.trading.inputs import (
    DeadlinePassed,
    UnknownToken,
    read_amount,
    read_client_order_id,
    read_deadline_ms,
    read_token,
)
from engine.trading.orders import Order, OrderState, Reason, Side, body_hash, decoded
from engine.units import LOCKED_LAMPORTS

QUEUED_TTL_MS: Final = 3_600_000
"""How long an accepted order is known to be queued; afterwards only its decision tells."""


class OrderRefused(Refusal):
    """What a worker would reject, seen at once."""

    code = "order_refused"
    status = 422


class InsufficientFunds(OrderRefused):
    """More than the account can spend or sell."""

    code = "funds"


class SlippageExceeded(OrderRefused):
    """The price is worse than the bound already."""

    code = "slippage"


class BelowMinimumBuy(OrderRefused):
    """Less than the smallest buy."""

    code = "below_minimum"


class BuysNothing(OrderRefused):
    """Not even one base unit."""

    code = "nothing_bought"


class BringsNothing(OrderRefused):
    """Not even one lamport after the fee."""

    code = "nothing_received"


class OverOpeningCap(OrderRefused):
    """More than an account may hold while the opening lasts."""

    code = "opening_cap"


class PoolOutOfRange(OrderRefused):
    """The pool cannot hold that much."""

    code = "pool_out_of_range"


class Paused(OrderRefused):
    """Buying is paused."""

    code = "paused"
    status = 409


class Held(OrderRefused):
    """Trading is stopped: the chain refused what the token's vault owes."""

    code = "held"
    status = 409


class NotTradable(OrderRefused):
    """Not launched yet, or never."""

    code = "not_tradable"
    status = 409


class ConflictingOrder(OrderRefused):
    """The id belongs to another order of the same account."""

    code = "conflicting_order"
    status = 409


class NotSeenYet(NotFound):
    """No order of this account with that id is known here."""

    code = "not_seen_yet"


_REFUSALS: Final[dict[Reason, tuple[type[Refusal], str]]] = {
    Reason.FUNDS: (InsufficientFunds, "The balance is not enough"),
    Reason.SLIPPAGE: (SlippageExceeded, "The price is worse than the slippage bound"),
    Reason.BELOW_MINIMUM: (BelowMinimumBuy, "The buy is smaller than the minimum"),
    Reason.NOTHING_BOUGHT: (BuysNothing, "This much SOL does not buy the smallest unit of the token"),
    Reason.NOTHING_RECEIVED: (BringsNothing, "These tokens are worth nothing after the fee"),
    Reason.OPENING_CAP: (OverOpeningCap, "More than one account may hold while the opening lasts"),
    Reason.POOL_OUT_OF_RANGE: (PoolOutOfRange, "The pool cannot take a trade of this size"),
    Reason.HELD: (Held, "Trading this token is stopped"),
    Reason.FROZEN: (AccountFrozen, "The account is frozen"),
    Reason.PAUSED: (Paused, "Buying this token is paused"),
    Reason.NOT_TRADABLE: (NotTradable, "This token cannot be traded"),
    Reason.UNKNOWN_TOKEN: (UnknownToken, "There is no token at this address"),
    Reason.DEADLINE: (DeadlinePassed, "The deadline has passed"),
}


@dataclass(frozen=True, slots=True)
class TradeRequest:
    """An order as the client worded it, unchecked.

    `amount` is lamports to spend (buy) or base units to sell, `bound` the slippage bound, both decimal strings.
    """

    client_order_id: object
    token: object
    amount: object
    bound: object
    deadline_ms: object = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """An order that is in the queue, or was decided already when it was sent again. `order` is what the API says."""

    order: dict[str, Any]
    decided: bool


async def accept(services: Services, account: Account, side: Side, request: TradeRequest) -> Accepted:
    """Queue the order, or say what became of it when it was sent before.

    Raises:
        Refusal: one of this module or `engine.trading.inputs`; nothing was changed and the id is unused.
        ConflictingOrder: the id belongs to an order with another body.
        engine.errors.Unavailable: nothing was queued.
        engine.errors.OutcomeUnknown: it may be queued; the same request tells.
    """
    try:
        return await _accept(services, account, side, request)
    except Refusal as refusal:
        metrics.orders_refused.labels(refusal.code).inc()
        logs.step(
            "refused", code=refusal.code, account=account.account_id, client_order_id=str(request.client_order_id)[:36]
        )
        raise


async def _accept(services: Services, account: Account, side: Side, request: TradeRequest) -> Accepted:
    order = _read(services, account, side, request)
    crash_points.before(Point.ACCEPTED)
    queued = await _queued(services, order.order_id)
    seen = await services.database.read(
        partial(rows.position, account_id=order.account_id, token=order.token, order_id=order.order_id)
    )
    parked = decoded(bytes(seen.parked_body)) if seen.parked_body is not None else None
    waiting = parked or queued
    known_hash = seen.known_body_hash or (waiting.body_hash if waiting else None)
    if known_hash not in (None, order.body_hash):
        raise ConflictingOrder("This client_order_id belongs to another order.", client_order_id=order.client_order_id)
    if seen.known_body_hash is not None:
        decided = await services.database.read(partial(orders.order_json, order_id=order.order_id))
        assert decided is not None
        return Accepted(decided, True)
    if waiting is not None:
        return Accepted(orders.queued_json(waiting, OrderState.PARKED if parked else OrderState.QUEUED), False)
    _check(services, order, seen, await account_rent_lamports(services))
    crash_points.before(Point.PUBLISHED)
    await services.broker.publish(order.token, order.encoded())
    crash_points.after(Point.PUBLISHED)
    metrics.orders_accepted.labels(side).inc()
    logs.step(
        "queued", order_id=order.order_id, client_order_id=order.client_order_id, account=order.account_id,
        token=order.token, side=side,
    )  # fmt: skip
    await services.cache.set(_cache_key(order.order_id), order.encoded(), QUEUED_TTL_MS)
    crash_points.after(Point.ACCEPTED)
    return Accepted(orders.queued_json(order), False)


async def order_state(services: Services, account: Account, client_order_id: str) -> dict[str, Any]:
    """Where an order of this account stands, as the API says it.

    Raises:
        ClientIdRefused: not an id.
        NotSeenYet: nobody has decided it and it is not known to be queued.
    """
    wanted = order_id(account.account_id, read_client_order_id(client_order_id))

    def known(connection: Connection) -> dict[str, Any] | None:
        decided = orders.order_json(connection, wanted)
        if decided is not None or (parked := parked_order(connection, wanted)) is None:
            return decided
        return orders.queued_json(parked, OrderState.PARKED)

    found = await services.database.read(known)
    if found is not None:
        return found
    queued = await _queued(services, wanted)
    if queued is None:
        raise NotSeenYet("No order with this client_order_id has been seen yet.")
    return orders.queued_json(queued)


def purse_of(position: rows.Position) -> Purse:
    """What the account can use of a position."""
    has_token_account = position.tokens is not None
    return Purse(position.lamports - LOCKED_LAMPORTS, position.tokens or 0, has_token_account, position.frozen)


async def account_rent_lamports(services: Services) -> int:
    """What a token account costs by the chain, which the trade worker asks too.

    Raises:
        engine.errors.Unavailable: the chain was never asked yet, and cannot be.
    """
    return await services.chain.rent_lamports(TOKEN_ACCOUNT_SIZE)


def rent_of(purse: Purse, account_rent_lamports: int) -> int:
    """What the first purchase of a token costs on top of it, in lamports; 0 for a later one."""
    return 0 if purse.has_token_account else account_rent_lamports


def _read(services: Services, account: Account, side: Side, request: TradeRequest) -> Order:
    now_ms = services.clock.now_ms()
    names = ("lamports", "min_tokens_out") if side is Side.BUY else ("tokens", "min_lamports_out")
    client_order_id = read_client_order_id(request.client_order_id)
    token = read_token(request.token)
    amount = read_amount(request.amount, names[0])
    bound = read_amount(request.bound, names[1])
    deadline_ms = read_deadline_ms(request.deadline_ms, now_ms)
    return Order(
        order_id=order_id(account.account_id, client_order_id),
        account_id=account.account_id,
        client_order_id=client_order_id,
        token=token,
        side=side,
        amount=amount,
        bound=bound,
        deadline_ms=now_ms + services.settings.order_deadline_ms if deadline_ms is None else deadline_ms,
        body_hash=body_hash(side, token, amount, bound, deadline_ms),
        accepted_at_ms=now_ms,
        simulated=account.simulated,
    )


def _check(services: Services, order: Order, seen: rows.Position, account_rent_lamports: int) -> None:
    purse = purse_of(seen)
    decision = decide(order, seen.token, purse, services.clock.now_ms(), account_rent_lamports)
    if isinstance(decision, Rejection):
        refusal, sentence = _REFUSALS[decision.reason]
        raise refusal(f"{sentence}: {decision.detail}." if decision.detail else f"{sentence}.")
    # The worker charges what the fill takes; an offer beyond the balance is refused even if the curve ends before it.
    if order.side is Side.BUY and order.amount + rent_of(purse, account_rent_lamports) > purse.free_lamports:
        raise InsufficientFunds(f"The balance is not enough: {max(purse.free_lamports, 0)} lamports are free.")


async def _queued(services: Services, wanted: OrderId) -> Order | None:
    body = await services.cache.get(_cache_key(wanted))
    return None if body is None else decoded(body)


def _cache_key(wanted: OrderId) -> str:
    return f"order:{wanted}"
