"""A launch's terms: its curve, fees and supplies, checked once so that no later figure can leave a BIGINT."""

from dataclasses import dataclass
from typing import Final

from engine.curve.fees import FeeSchedule
from engine.curve.power import LaunchRefused, PowerCurve, Rounding
from engine.units import LAMPORTS_PER_SOL, MAX_AMOUNT, PRICE_UNITS_PER_SOL

MINIMUM_BUY_LAMPORTS: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What a token trades under until it graduates. Supplies are base units.

    Raises:
        LaunchRefused: no pool could open, the supplies do not fit into the total supply, or a figure the
            launch can reach (supplies, gross raise, price, market cap at graduation) exceeds 2^63 - 1.
        ValueError: a negative minimum buy.
    """

    curve: PowerCurve
    fees: FeeSchedule
    curve_supply: int
    total_supply: int
    minimum_buy_lamports: int = MINIMUM_BUY_LAMPORTS

    def __post_init__(self) -> None:
        if self.minimum_buy_lamports < 0:
            raise ValueError("the minimum buy is zero or more lamports")
        if not 0 < self.total_supply <= MAX_AMOUNT:
            raise LaunchRefused("The total supply is out of range.", total_supply=str(self.total_supply))
        if self.curve_supply <= 0 or self.pool_tokens <= 0:
            raise LaunchRefused("Too few tokens are sold on the curve to open a pool afterwards.")
        if self.curve_supply + self.pool_tokens > self.total_supply:
            raise LaunchRefused("The curve and the pool need more tokens than the total supply.")
        price = self.curve.spot_price_units(self.curve_supply)
        lamports_per_price = PRICE_UNITS_PER_SOL // LAMPORTS_PER_SOL
        market_cap = price * self.total_supply // (10**self.curve.decimals * lamports_per_price)
        if max(price, market_cap, self.fees.gross_for(self.raise_lamports)) > MAX_AMOUNT:
            raise LaunchRefused("The price or the SOL raised at graduation would exceed what an amount can be.")

    @property
    def raise_lamports(self) -> int:
        """Lamports that the whole curve raises, fees apart; with them the pool opens."""
        return self.curve.cost(0, self.curve_supply, Rounding.UP)

    @property
    def pool_tokens(self) -> int:
        """Base units that open the pool beside the raised SOL at the price the curve ended with."""
        return self.curve_supply // (self.curve.n + 1)
