"""The accounts' recent past: what each looked like at every slot that is not finalized yet. Pure.

A read at `confirmed` must not show what is only processed, so each change is kept beside the state before
it until nobody can ask for the older one any more.
"""

from solders.account import Account
from solders.pubkey import Pubkey

_BEFORE_ALL = -1


class AccountVersions:
    """Per account, its states by slot, oldest first; an account without an entry has not changed since the
    root.
    """

    def __init__(self) -> None:
        self._states: dict[Pubkey, list[tuple[int, Account | None]]] = {}
        self._changed: dict[int, set[Pubkey]] = {}

    def record(self, key: Pubkey, slot: int, before: Account | None, after: Account | None) -> None:
        """The account went from `before` to `after` in this slot (None: there is no such account)."""
        states = self._states.setdefault(key, [(_BEFORE_ALL, before)])
        if states[-1][0] == slot:
            states[-1] = (slot, after)
        else:
            states.append((slot, after))
        self._changed.setdefault(slot, set()).add(key)

    def changed_in(self, slot: int) -> list[tuple[Pubkey, Account | None]]:
        """The accounts changed in the slot, with their newest state. Ask for the current slot only."""
        return [(key, self._states[key][-1][1]) for key in self._changed.get(slot, ())]

    def at(self, key: Pubkey, slot: int, newest: Account | None) -> Account | None:
        """The account as of the end of a slot at or after the root; `newest` is its state now."""
        for changed_slot, account in reversed(self._states.get(key, ())):
            if changed_slot <= slot:
                return account
        return newest

    def finalize(self, slot: int) -> None:
        """Nobody will ask for a slot before this one any more: forget what only such a reader could see."""
        for key in self._changed.pop(slot, ()):
            states = self._states[key]
            while len(states) > 1 and states[1][0] <= slot:
                states.pop(0)
            if len(states) == 1:
                del self._states[key]
