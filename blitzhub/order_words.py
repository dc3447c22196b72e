"""What a person is told of their orders: the words of each state and of each reason, and the figures in them.

The browser says the same words before an order is sent; what the worker decided is told from here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from blitzhub import figures
from blitzhub.components.browser import NoticeKind

REASONS: Final[Mapping[str, str]] = {
    "slippage": "the price moved past your limit",
    "funds": "not enough on your balance",
    "deadline": "the order waited past its time limit",
    "paused": "trading in this token is paused",
    "held": "trading in this token is stopped, and operators know",
    "frozen": "your account is frozen, and operators know",
    "unknown_token": "there is no such token",
    "not_tradable": "the token cannot be traded yet",
    "opening_cap": "more than one account may hold while the opening lasts",
    "pool_out_of_range": "more than the pool can take",
    "below_minimum": "less than the smallest order",
    "nothing_bought": "too little to buy the smallest amount",
    "nothing_received": "too little to receive anything",
    "engine_error": "our engine could not process it, and operators know",
}
_STEPS: Final = ("queued", "filled", "rejected", "confirmed")


@dataclass(frozen=True, slots=True)
class Words:
    """A toast: its text, a second line, and its kind."""

    text: str
    detail: str
    kind: NoticeKind


def latest_of_each_order(events: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The furthest `order` event of each order, in the order in which the orders first appear."""
    latest: dict[str, Mapping[str, Any]] = {}
    for event in events:
        if event.get("type") != "order" or event.get("state") not in _STEPS:
            continue
        known = latest.get(event["order_id"])
        if known is None or _STEPS.index(event["state"]) >= _STEPS.index(known["state"]):
            latest[event["order_id"]] = event
    return list(latest.values())


def toast(event: Mapping[str, Any], symbol: str) -> Words:
    """The toast of an `order` event about the token called `symbol`."""
    if event["state"] == "rejected":
        bought = "bought" if event["side"] == "buy" else "sold"
        because = REASONS.get(event["reason"] or "", event["detail"] or "it was refused")
        kept = "Nothing was spent." if event["side"] == "buy" else "Your tokens are untouched."
        return Words(f"Not {bought}: {because}. {kept}", f"Order for {symbol}", "error")
    fill = _fill(event, symbol)
    if event["state"] == "confirmed":
        done = "Bought" if event["side"] == "buy" else "Sold"
        signature = figures.short_address(event["signature"] or "")
        return Words(f"Confirmed on Solana {signature}", f"{done} {fill}", "success")
    return Words(f"Filled: {fill if event['side'] == 'buy' else f'sold {fill}'}", "Waiting for Solana", "info")


def _fill(event: Mapping[str, Any], symbol: str) -> str:
    tokens = figures.own_tokens(int(event["tokens"] or 0))
    return f"{tokens} {symbol} at {figures.price(int(event['price'] or 0))}"
