"""What a person is told of their withdrawals: the words of each state, told once it is reached."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from blitzhub import figures
from blitzhub.order_words import Words
from engine.identifiers import SOL
from engine.settlement.settlement import Kind

_STEPS: Final = ("waiting", "queued", "sent", "confirmed", "cancelled", "failed")
_TOLD: Final = ("sent", "confirmed", "failed")


def latest_of_each_withdrawal(events: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The furthest `withdrawal` event of each withdrawal that there is something to say about."""
    latest: dict[str, Mapping[str, Any]] = {}
    for event in events:
        if event.get("type") != "withdrawal":
            continue
        known = latest.get(event["withdrawal_id"])
        if known is None or _STEPS.index(event["state"]) >= _STEPS.index(known["state"]):
            latest[event["withdrawal_id"]] = event
    return [event for event in latest.values() if event["state"] in _TOLD]


def toast(event: Mapping[str, Any]) -> Words:
    """The toast of a `withdrawal` event."""
    what = _what(event)
    if event["state"] == "confirmed":
        return Words(f"Confirmed on Solana {figures.short_address(event['signature'] or '')}", what, "success")
    if event["state"] == "failed" and event["kind"] != Kind.TRANSFER:
        return Words(f"{what}: Solana refused it. Everything is back on your balance.", "", "error")
    if event["state"] == "failed":
        return Words(f"{what}: Solana refused it. Nothing is lost; operators know.", "", "error")
    return Words(f"{what}: sent", "Waiting for Solana", "info")


def _what(event: Mapping[str, Any]) -> str:
    if event["kind"] == Kind.CLOSE:
        return f"Token account of {event['symbol']} closed"
    amount = int(event["amount"])
    told = figures.own_sol(amount) if event["asset"] == SOL else figures.own_tokens(amount)
    done = "Received" if event["direction"] == "in" else "Withdrawal of"
    return f"{done} {told} {event['symbol']}"
