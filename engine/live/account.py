"""What a hub knows of one account: its balances, its newest orders, and what changed since the last frame. Pure.

`account_seq` numbers movements only. A rejection and a confirmation move nothing, so their frames repeat the last
number, and whoever comes back gets those since its number once more: an order's state never goes backwards.
"""

from collections import deque
from typing import Final

from engine.live.feed import Applied, Data, Event, Update
from engine.live.protocol import Topic
from engine.live.source import ORDERS_SHOWN, AccountSnapshot
from engine.trading.orders import OrderState
from engine.units import LOCKED_LAMPORTS

CHANGES_KEPT: Final = 200
"""Changes of an account that a client which comes back can be told of, if it missed no more."""

ORDER: Final = (
    "order_id",
    "client_order_id",
    "token",
    "side",
    "state",
    "reason",
    "detail",
    "lamports",
    "tokens",
    "price",
    "signature",
    "at_ms",
)
_STEPS: Final = [each.value for each in (OrderState.FILLED, OrderState.REJECTED, OrderState.CONFIRMED)]


class AccountFeed:
    """One account, for its own sockets."""

    def __init__(self, snapshot: AccountSnapshot) -> None:
        balances = snapshot.balances
        self._seq = self._flushed_seq = self._known_after_seq = int(balances["account_seq"])
        self._lamports = int(balances["lamports"])
        self._frozen: str | None = balances["frozen"]
        self._tokens = {held["token"]: int(held["amount"]) for held in balances["tokens"]}
        self._orders = {order["order_id"]: _shown(order) for order in reversed(snapshot.orders)}
        self._moved_at: dict[str, int] = {}
        """The number of each token's last movement."""
        self._changes: deque[tuple[int, str, Data]] = deque(maxlen=CHANGES_KEPT)
        """What came and when: the number then, `orders` or `withdrawals`, and its JSON."""
        self._new: list[tuple[str, Data]] = []
        self._changed = False

    @property
    def seq(self) -> int:
        """The last `account_seq` applied."""
        return self._seq

    def apply(self, event: Event) -> Applied:
        """Take in an event of the account; RELOAD when a movement before it is not known."""
        kind = event.get("type")
        if kind == "withdrawal":
            self._note("withdrawals", {key: event[key] for key in event if key not in ("type", "account")})
            return Applied.CHANGED
        if kind not in ("order", "balance"):
            return Applied.NOTHING
        number, moves = int(event["account_seq"]), kind == "balance" or event["state"] == OrderState.FILLED.value
        if not moves:
            if number > self._seq:
                return Applied.RELOAD
        elif number <= self._seq:
            return Applied.NOTHING
        elif number != self._seq + _numbers(event) or not self._move(event):
            return Applied.RELOAD
        if kind == "order":
            self._order(event)
        self._changed = True
        return Applied.CHANGED

    def flush(self) -> Update | None:
        """What happened since the last flush, None for nothing."""
        if not self._changed:
            return None
        moved = {token for token, at in self._moved_at.items() if at > self._flushed_seq}
        update = Update(self._flushed_seq + 1, self._seq, self._data(moved, self._new), [], {})
        self._flushed_seq, self._new, self._changed = self._seq, [], False
        return update

    def snapshot(self, _: Topic) -> Data:
        """Balances, and the newest orders, newest first."""
        shown = list(self._orders.values())[-ORDERS_SHOWN:][::-1]
        return {**self._data(set(self._tokens), []), "frozen": self._frozen, "orders": shown}

    def missed(self, _: Topic, after_seq: int) -> Data | None:
        """What came since that number, as a delta; None when not all of it is known any more."""
        # At the very number this feed began with, something without a number may have come before it began.
        if not self._known_after_seq < after_seq <= self._seq:
            return None
        moved = {token for token, at in self._moved_at.items() if at > after_seq}
        return self._data(moved, [(kind, data) for at, kind, data in self._changes if at >= after_seq])

    def _data(self, tokens: set[str], changes: list[tuple[str, Data]]) -> Data:
        data: Data = {
            "lamports": str(self._lamports),
            "free_lamports": str(max(0, self._lamports - LOCKED_LAMPORTS)),
            "tokens": {token: str(self._tokens[token]) for token in sorted(tokens)},
        }
        for kind, key in (("orders", "order_id"), ("withdrawals", "withdrawal_id")):
            latest = {change[key]: change for name, change in changes if name == kind}
            if latest:
                data[kind] = list(latest.values())[::-1]
        return data

    def _move(self, event: Event) -> bool:
        """Book the movement; False if the event does not say all of it."""
        lamports = int(event["lamports"])
        if event["type"] == "balance":
            self._lamports += lamports
            self._seq = int(event["account_seq"])
            return lamports != 0  # what moves no SOL moves tokens that the event does not name
        sign, token = (1 if event["side"] == "buy" else -1), event["token"]
        self._lamports -= sign * lamports + int(event["rent_lamports"])
        self._tokens[token] = self._tokens.get(token, 0) + sign * int(event["tokens"])
        self._seq = self._moved_at[token] = int(event["account_seq"])
        return True

    def _order(self, event: Event) -> None:
        order = {key: event[key] for key in ORDER}
        known = self._orders.get(event["order_id"])
        if known is not None and _STEPS.index(known["state"]) > _STEPS.index(order["state"]):
            return
        self._orders[event["order_id"]] = order
        if len(self._orders) > CHANGES_KEPT:
            del self._orders[next(iter(self._orders))]
        self._note("orders", order)

    def _note(self, kind: str, data: Data) -> None:
        if len(self._changes) == CHANGES_KEPT:
            self._known_after_seq = max(self._known_after_seq, self._changes[0][0])
        self._changes.append((self._seq, kind, data))
        self._new.append((kind, data))
        self._changed = True


def _numbers(event: Event) -> int:
    """How many numbers the movement takes: a first buy also pays for its token account."""
    return 2 if int(event.get("rent_lamports") or 0) else 1


def _shown(order: Data) -> Data:
    """An order as the API says it, as it is said here."""
    at_ms = order["confirmed_at_ms"] or order["decided_at_ms"]
    return {**{key: order[key] for key in ORDER if key != "at_ms"}, "at_ms": at_ms}
