"""Buying, selling, and what became of an order."""

from typing import Any, Final

from fastapi import APIRouter, Depends, Response

from blitzhub.api.bodies import Buy, Sell
from blitzhub.api.dependencies import READS, InServices, PerAddress, Reader, Trader, orders_per_account, own_origin
from blitzhub.api.models import PROBLEMS, Order
from engine.trading.accept import Accepted, TradeRequest, accept, order_state
from engine.trading.orders import Side

router = APIRouter(tags=["trading"], responses=PROBLEMS)

_ORDERING = [Depends(own_origin), Depends(orders_per_account)]
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": Order, "description": "Sent before, and decided already."},
    503: {"description": "`unavailable`: not queued; try again after Retry-After."},
    504: {"description": "`outcome_unknown`: perhaps queued; send the very same request again."},
}


@router.post(
    "/buy",
    status_code=202,
    response_model=Order,
    responses=_ANSWERS,
    dependencies=_ORDERING,
    summary="Buy a token",
)
async def buy(body: Buy, response: Response, services: InServices, account: Trader) -> dict[str, Any]:
    """Queue a buy. 202: it will reach exactly one final state. 200: it was sent before and is decided already.

    503 means it was not queued; 504 `outcome_unknown` means: send the same request again.
    """
    request = TradeRequest(body.client_order_id, body.token, body.lamports, body.min_tokens_out, body.deadline_ms)
    return _answer(response, await accept(services, account, Side.BUY, request))


@router.post(
    "/sell",
    status_code=202,
    response_model=Order,
    responses=_ANSWERS,
    dependencies=_ORDERING,
    summary="Sell a token",
)
async def sell(body: Sell, response: Response, services: InServices, account: Trader) -> dict[str, Any]:
    """Queue a sell. The answers are those of a buy."""
    request = TradeRequest(body.client_order_id, body.token, body.tokens, body.min_lamports_out, body.deadline_ms)
    return _answer(response, await accept(services, account, Side.SELL, request))


@router.get(
    "/orders/{client_order_id}",
    response_model=Order,
    dependencies=[Depends(PerAddress(READS))],
    summary="What became of an order",
)
async def order(client_order_id: str, services: InServices, account: Reader) -> dict[str, Any]:
    """The order's state; 404 `not_seen_yet` while nobody has decided it and it is not known to be queued."""
    return await order_state(services, account, client_order_id)


def _answer(response: Response, accepted: Accepted) -> dict[str, Any]:
    if accepted.decided:
        response.status_code = 200
    return accepted.order
