"""Time on the chain: slots, heights, when each slot reaches a commitment, and the block hashes still
usable. Pure.

Commitment moves by whole slots, never by single transactions: only then is "everything up to slot S" one
state, and a balance read at slot S can be compared with the slot a transaction landed in.
"""

import hashlib
import struct
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from solders.hash import Hash
from solders.signature import Signature

MAX_BLOCKHASH_AGE: Final = 150
"""A block hash is usable in its own block and in this many after it: a window of 151."""
REMEMBERED_BLOCKHASHES: Final = 1_000


class Commitment(StrEnum):
    """How certain a view is."""

    PROCESSED = "processed"
    CONFIRMED = "confirmed"
    FINALIZED = "finalized"

    @property
    def rank(self) -> int:
        """0 for processed, 1 for confirmed, 2 for finalized."""
        return _RANKS[self]


_RANKS: Final = {Commitment.PROCESSED: 0, Commitment.CONFIRMED: 1, Commitment.FINALIZED: 2}


@dataclass(frozen=True, slots=True)
class ChainPoint:
    """A slot and the height of the block in it."""

    slot: int
    height: int


@dataclass(frozen=True, slots=True)
class SealedSlot:
    """A slot that takes no more transactions; its clock towards commitment started at `since_ms`."""

    point: ChainPoint
    since_ms: float
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Timing:
    """The delays in milliseconds, to confirmed, to finalized, and from one slot to the next; a block hash's life."""

    confirm_ms: int = 350
    finalize_ms: int = 2_000
    slot_ms: int = 100
    blockhash_blocks: int = MAX_BLOCKHASH_AGE


class Timeline:
    """Which slot is current, which are on their way, which is confirmed and which finalized.

    Times are milliseconds of any monotonic clock. A slot's delay counts from its last transaction, so none is
    confirmed early; and no slot gets past processed before it is stored (`stored`).
    """

    def __init__(self, timing: Timing, root: ChainPoint, current: ChainPoint, now_ms: float) -> None:
        self._timing = timing
        self._points = {Commitment.CONFIRMED: root, Commitment.FINALIZED: root}
        self._unconfirmed: deque[SealedSlot] = deque()
        self._unfinalized: deque[SealedSlot] = deque()
        self._stored_slot = root.slot
        self._since_ms = now_ms
        self._signatures: list[Signature] = []
        self.current = current

    def point(self, commitment: Commitment) -> ChainPoint:
        """The newest slot that has reached the commitment."""
        return self.current if commitment is Commitment.PROCESSED else self._points[commitment]

    def commitment_of(self, slot: int) -> Commitment:
        """The highest commitment the slot has reached."""
        for commitment in (Commitment.FINALIZED, Commitment.CONFIRMED):
            if slot <= self._points[commitment].slot:
                return commitment
        return Commitment.PROCESSED

    def landed(self, signature: Signature, now_ms: float) -> None:
        """A transaction was executed in the current slot."""
        self._signatures.append(signature)
        self._since_ms = now_ms

    def seal(self, now_ms: float) -> SealedSlot:
        """Close the current slot and open the next one."""
        sealed = SealedSlot(self.current, self._since_ms, tuple(self._signatures))
        self._unconfirmed.append(sealed)
        self._unfinalized.append(sealed)
        self._signatures = []
        self._since_ms = now_ms
        self.current = ChainPoint(self.current.slot + 1, self.current.height + 1)
        return sealed

    def stored(self, slot: int) -> None:
        """Everything up to this slot is on disk."""
        self._stored_slot = slot

    def advance(self, now_ms: float) -> dict[Commitment, list[SealedSlot]]:
        """Move the commitments on; returns the slots that newly reached each."""
        return {
            Commitment.CONFIRMED: self._reach(
                Commitment.CONFIRMED, self._unconfirmed, now_ms - self._timing.confirm_ms
            ),
            Commitment.FINALIZED: self._reach(
                Commitment.FINALIZED, self._unfinalized, now_ms - self._timing.finalize_ms
            ),
        }

    def next_due_ms(self) -> float | None:
        """When a stored slot reaches its next commitment; None if there is none on its way."""
        heads = ((self._unconfirmed, self._timing.confirm_ms), (self._unfinalized, self._timing.finalize_ms))
        due = [
            waiting[0].since_ms + delay_ms
            for waiting, delay_ms in heads
            if waiting and waiting[0].point.slot <= self._stored_slot
        ]
        return min(due, default=None)

    def _reach(self, commitment: Commitment, waiting: deque[SealedSlot], until_ms: float) -> list[SealedSlot]:
        reached = []
        while waiting and waiting[0].since_ms <= until_ms and waiting[0].point.slot <= self._stored_slot:
            reached.append(waiting.popleft())
        if reached:
            self._points[commitment] = reached[-1].point
        return reached


class BlockhashWindow:
    """The hashes a transaction may name. They derive from a salt of this chain and the height, so a
    restarted chain gives a height the same hash again and no other height or chain ever the same.

    Hashes are remembered for longer than they are good: an older state than the newest may be asked about them."""

    def __init__(self, salt: bytes, heights: Iterable[int], age_blocks: int = MAX_BLOCKHASH_AGE) -> None:
        self._salt = salt
        self.age_blocks = age_blocks
        self._newest = 0
        self._heights: OrderedDict[Hash, int] = OrderedDict()
        for height in heights:
            self.open(height)

    def open(self, height: int) -> None:
        """A block of this height begins: its hash becomes the latest, the oldest one expires."""
        self.latest = Hash(hashlib.sha256(self._salt + struct.pack("<Q", height)).digest())
        self._heights[self.latest] = self._newest = height
        while len(self._heights) > REMEMBERED_BLOCKHASHES:
            self._heights.popitem(last=False)

    def __contains__(self, blockhash: Hash) -> bool:
        return self.usable_at(blockhash, self._newest)

    def usable_at(self, blockhash: Hash, height: int) -> bool:
        """Whether a block of that height would take a transaction that names the hash."""
        made = self._heights.get(blockhash)
        return made is not None and 0 <= height - made <= self.age_blocks
