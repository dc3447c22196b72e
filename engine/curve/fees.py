"""The trading fee: how much of a trade's SOL it takes and who it belongs to."""

from dataclasses import dataclass
from typing import NamedTuple

from engine.units import BPS_PER_ONE


class Fees(NamedTuple):
    """One trade's fee in lamports; `total_lamports` is exactly creator plus platform."""

    total_lamports: int
    creator_lamports: int
    platform_lamports: int


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """The fee in basis points of the gross lamports, and the creator's part of it in percent.

    Raises:
        ValueError: fee_bps outside 0..9999 or creator_share_percent outside 0..100.
    """

    fee_bps: int = 100
    creator_share_percent: int = 30

    def __post_init__(self) -> None:
        if not 0 <= self.fee_bps < BPS_PER_ONE:
            raise ValueError("a fee is from 0 to 9999 bps")
        if not 0 <= self.creator_share_percent <= 100:
            raise ValueError("the creator's share is from 0 to 100 percent")

    def split(self, gross_lamports: int) -> Fees:
        """The fee on these lamports, rounded up; of it the creator gets the floor, the platform the rest."""
        total = -(-gross_lamports * self.fee_bps // BPS_PER_ONE)
        creator = total * self.creator_share_percent // 100
        return Fees(total, creator, total - creator)

    def gross_for(self, net_lamports: int) -> int:
        """The smallest gross lamports of which, after the fee, `net_lamports` are left.

        gross - ceil(gross x bps / 10^4) = floor(gross x (10^4 - bps) / 10^4), and the smallest gross whose
        floor reaches a whole number is that number divided and rounded up.
        """
        return -(-net_lamports * BPS_PER_ONE // (BPS_PER_ONE - self.fee_bps))
