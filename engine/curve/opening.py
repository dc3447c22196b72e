"""The rules of a token's first moments, against whoever is faster than everybody else: a dearer buy, and a cap.

Its creator chooses them within the platform's bounds; they hold for everybody, the creator included.
"""

from typing import Final, NamedTuple

from engine.curve.fees import FeeSchedule
from engine.curve.power import CurveRefusal
from engine.units import BPS_PER_ONE

MAX_FEE_BPS: Final = 5_000
MAX_FEE_MS: Final = 60_000
MIN_CAP_BPS: Final = 10
MAX_CAP_MS: Final = 3_600_000


class OpeningRefused(CurveRefusal):
    """The opening's rules are outside the platform's bounds."""

    code = "invalid_opening"


class Opening(NamedTuple):
    """What holds from the moment a token is tradable. Zeros are no rule.

    A buy on the curve pays `fee_bps` more than the token's fee at first, and less from moment to moment until `fee_ms`
    have passed. Until `cap_ms` have passed no buy may leave an account with more than `cap_tokens` base units.
    """

    fee_bps: int = 0
    fee_ms: int = 0
    cap_tokens: int = 0
    cap_ms: int = 0

    def extra_fee_bps(self, elapsed_ms: int) -> int:
        """The fee on top after so long, rounded up to the basis point: straight from `fee_bps` down to nothing."""
        left_ms = min(self.fee_ms - elapsed_ms, self.fee_ms)
        return -(-self.fee_bps * left_ms // self.fee_ms) if left_ms > 0 else 0

    def fees(self, usual: FeeSchedule, elapsed_ms: int) -> FeeSchedule:
        """What a buy pays after so long; it is shared as the usual fee is."""
        extra_bps = self.extra_fee_bps(elapsed_ms)
        return FeeSchedule(usual.fee_bps + extra_bps, usual.creator_share_percent) if extra_bps else usual

    def cap_after(self, elapsed_ms: int) -> int | None:
        """The most base units one account may hold after so long, None for any."""
        return self.cap_tokens if elapsed_ms < self.cap_ms else None


NO_OPENING: Final = Opening()


def chosen_opening(fee_bps: int, fee_ms: int, cap_bps: int, cap_ms: int, total_supply: int) -> Opening:
    """The rules a creator chose, the cap as a share of the total supply. A rule is given whole or not at all.

    Raises:
        OpeningRefused: half a rule, or one outside the platform's bounds.
    """
    if not (fee_bps == fee_ms == 0 or (0 < fee_bps <= MAX_FEE_BPS and 0 < fee_ms <= MAX_FEE_MS)):
        raise OpeningRefused(
            f"The opening fee is at most {MAX_FEE_BPS // 100}% and falls within {MAX_FEE_MS // 1000} seconds.",
            field="opening_fee",
        )
    if not (cap_bps == cap_ms == 0 or (MIN_CAP_BPS <= cap_bps < BPS_PER_ONE and 0 < cap_ms <= MAX_CAP_MS)):
        raise OpeningRefused(
            f"The cap is from 0.10% of the supply up and ends within {MAX_CAP_MS // 60_000} minutes.",
            field="opening_cap",
        )
    return Opening(fee_bps, fee_ms, total_supply * cap_bps // BPS_PER_ONE, cap_ms)
