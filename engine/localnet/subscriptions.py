"""Who is told what over WebSocket: signatures that reach a commitment, and new slots."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from solders.signature import Signature

from engine.localnet.chain import Chain
from engine.localnet.failures import invalid_params
from engine.localnet.params import Params
from engine.localnet.timeline import ChainPoint, Commitment


class Subscriber(Protocol):
    """A connection that takes messages without making anybody wait."""

    def tell(self, message: dict[str, Any]) -> None:
        """Take a message to be sent."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    subscription: int
    subscriber: Subscriber
    signature: Signature
    commitment: Commitment


class Subscriptions:
    """All subscriptions of one node. Signature subscriptions end by themselves with their one
    notification.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._ids = itertools.count(1)
        self._signatures: dict[int, _Waiting] = {}
        self._by_signature: dict[Signature, set[int]] = {}
        self._slots: dict[int, Subscriber] = {}

    def methods(
        self, subscriber: Subscriber, after_answer: list[Callable[[], None]]
    ) -> dict[str, Callable[[Params], Any]]:
        """The methods of one connection; what must follow the answer is appended to `after_answer`."""

        def signature_subscribe(params: Params) -> int:
            waiting = _Waiting(next(self._ids), subscriber, params.signature(0), params.config(1).commitment())
            self._signatures[waiting.subscription] = waiting
            self._by_signature.setdefault(waiting.signature, set()).add(waiting.subscription)
            after_answer.append(lambda: self.reached(waiting.signature))
            return waiting.subscription

        def slot_subscribe(_: Params) -> int:
            subscription = next(self._ids)
            self._slots[subscription] = subscriber
            return subscription

        def unsubscribe(params: Params) -> bool:
            return self._unsubscribe(subscriber, params.number(0))

        return {
            "signatureSubscribe": signature_subscribe,
            "signatureUnsubscribe": unsubscribe,
            "slotSubscribe": slot_subscribe,
            "slotUnsubscribe": unsubscribe,
        }

    def _unsubscribe(self, subscriber: Subscriber, subscription: int) -> bool:
        waiting = self._signatures.get(subscription)
        if waiting is not None and waiting.subscriber is subscriber:
            self._drop(waiting)
        elif self._slots.get(subscription) is subscriber:
            del self._slots[subscription]
        else:
            raise invalid_params("Invalid subscription id.")
        return True

    def forget(self, subscriber: Subscriber) -> None:
        """The connection is gone."""
        for waiting in [w for w in self._signatures.values() if w.subscriber is subscriber]:
            self._drop(waiting)
        for subscription in [number for number, one in self._slots.items() if one is subscriber]:
            del self._slots[subscription]

    def reached(self, signature: Signature) -> None:
        """Tell those whose commitment the transaction has reached by now."""
        numbers = self._by_signature.get(signature)
        landed = self._chain.landed(signature, search_history=False) if numbers else None
        if not numbers or landed is None:
            return
        commitment = self._chain.timeline.commitment_of(landed.slot)
        for waiting in [self._signatures[number] for number in numbers]:
            if commitment.rank >= waiting.commitment.rank:
                self._drop(waiting)
                slot = self._chain.timeline.point(waiting.commitment).slot
                result = {"context": {"slot": slot}, "value": {"err": landed.error}}
                waiting.subscriber.tell(_notification("signatureNotification", waiting.subscription, result))

    def slot_opened(self, point: ChainPoint, root_slot: int) -> None:
        """Tell of a new slot."""
        result = {"parent": point.slot - 1, "root": root_slot, "slot": point.slot}
        for subscription, subscriber in list(self._slots.items()):
            subscriber.tell(_notification("slotNotification", subscription, result))

    def _drop(self, waiting: _Waiting) -> None:
        del self._signatures[waiting.subscription]
        numbers = self._by_signature[waiting.signature]
        numbers.discard(waiting.subscription)
        if not numbers:
            del self._by_signature[waiting.signature]


def _notification(method: str, subscription: int, result: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": {"result": result, "subscription": subscription}}
