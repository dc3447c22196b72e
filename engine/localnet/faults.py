"""What the node does wrong on purpose: transactions that are dropped or held back, answers that lag, requests refused.

A healthy node has none of it. Which request is hit is a matter of chance, drawn from one generator with a seed.
"""

import random
from dataclasses import dataclass, fields
from typing import Final

from engine.errors import Refusal


class FaultsRefused(Refusal):
    """Not a description of faults."""

    code = "localnet_faults"


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what goes wrong; everything 0 is a healthy node. Percentages are of the requests concerned."""

    drop_percent: int = 0
    """Transactions that are taken and never executed."""
    delay_percent: int = 0
    """Transactions that are executed only `delay_ms` later, if their block hash still is good then."""
    delay_ms: int = 1_000
    lag_percent: int = 0
    """Answers about slots, heights and the newest block hash's end that tell figures `lag_blocks` too low."""
    lag_blocks: int = 20
    refuse_percent: int = 0
    """HTTP requests answered 429 or 503, one as often as the other."""
    cut_ms: int = 0
    """Every WebSocket is cut this often; 0 for never."""


_NAMES: Final = tuple(field.name for field in fields(Faults))


def read_faults(values: dict[str, object]) -> Faults:
    """Faults by name, the others healthy.

    Raises:
        FaultsRefused: an unknown name, or a value that is no whole number in its range.
    """
    for name, value in values.items():
        most = 100 if name.endswith("_percent") else 3_600_000
        if name not in _NAMES:
            raise FaultsRefused(f"unknown fault {name!r}; known are {', '.join(_NAMES)}")
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise FaultsRefused(f"{name} must be a whole number from 0 to {most}")
    return Faults(**values)  # type: ignore[arg-type]


def parse_faults(text: str) -> Faults:
    """The command line's form: `drop_percent=20,cut_ms=3000`.

    Raises:
        FaultsRefused: as `read_faults`.
    """
    values: dict[str, object] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        values[name.strip()] = int(value) if value.isascii() and value.isdecimal() else value
    return read_faults(values)


class Dice:
    """Decides which request a fault hits. `faults` may be replaced while the node runs."""

    def __init__(self, faults: Faults, seed: int | None = None) -> None:
        self.faults = faults
        self._random = random.Random(seed)

    def drops(self) -> bool:
        """Whether this transaction is lost."""
        return self._hits(self.faults.drop_percent)

    def delay_ms(self) -> int:
        """For how long this transaction is held back."""
        return self.faults.delay_ms if self._hits(self.faults.delay_percent) else 0

    def lag_blocks(self) -> int:
        """By how much this answer's figures are too low."""
        return self.faults.lag_blocks if self._hits(self.faults.lag_percent) else 0

    def refusal(self) -> int | None:
        """The HTTP status this request is refused with."""
        return self._random.choice((429, 503)) if self._hits(self.faults.refuse_percent) else None

    def _hits(self, percent: int) -> bool:
        return percent > 0 and self._random.randrange(100) < percent
