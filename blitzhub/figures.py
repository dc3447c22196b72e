"""How figures read: integers in, text out. `blitzhub/feed/figures.js` says the same in the browser.

Both are checked against one table of cases, `tests/unit/figures.json`. No float is used: every rounding is on
integers and says which way it goes. `None` is a figure nobody knows and reads "—"; only a known nothing is a zero.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from engine.units import BPS_PER_ONE, LAMPORTS_PER_SOL

NONE: Final = "—"
MINUS: Final = "−"
_SOL_DECIMALS: Final = 9
_PRICE_DECIMALS: Final = 15
_TOO_MANY: Final = ">999%"
_SUBSCRIPT: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SECOND_MS: Final = 1_000
_MINUTE_MS: Final = 60 * _SECOND_MS
_HOUR_MS: Final = 60 * _MINUTE_MS
_DAY_MS: Final = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class PriceText:
    """A price in parts: HTML writes `lead`, `zeros` as `<sub>` unless it is 0, then `digits`; `exact` is for copies."""

    lead: str
    zeros: int
    digits: str
    exact: str

    def __str__(self) -> str:
        """The price in one line, for canvas and plain text."""
        subscript = str(self.zeros).translate(_SUBSCRIPT) if self.zeros else ""
        return f"{self.lead}{subscript}{self.digits}"


def price(units: int | None) -> PriceText:
    """A price in 10^-15 SOL per whole token: four significant digits, half up. 0 is no trade yet."""
    if not units:
        return PriceText(NONE, 0, "", NONE)
    exact = _decimal(units, _PRICE_DECIMALS).rstrip("0").rstrip(".")
    drop = max(len(str(units)) - 4, 0)
    rounded = _half_up(units, 10**drop) * 10**drop
    places = max(_PRICE_DECIMALS - len(str(rounded)) + 4, 0)
    text = _rounded(rounded, _PRICE_DECIMALS, min(places, _PRICE_DECIMALS))
    whole, _, fraction = text.partition(".")
    zeros = len(fraction) - len(fraction.lstrip("0"))
    if whole == "0" and zeros >= 4:
        return PriceText("0.0", zeros, f"{str(rounded)[:4]:0<4}", exact)
    return PriceText(text, 0, "", exact)


def market_sol(lamports: int | None) -> str:
    """Market cap, volume, liquidity, tape: about three digits, half up."""
    return _compact(lamports, _SOL_DECIMALS)


def own_sol(lamports: int | None, *, pays: bool = False) -> str:
    """A person's own SOL: four decimals, never flattering: what one has rounds down, what one pays up.

    Less than 0.0001 SOL shows all nine decimals.
    """
    if lamports is None:
        return NONE
    sign, size = _split(lamports)
    if 0 < size < LAMPORTS_PER_SOL // 10_000:
        return sign + _decimal(size, _SOL_DECIMALS)
    step = LAMPORTS_PER_SOL // 10_000
    away = pays != (lamports < 0)
    return sign + _decimal(-(-size // step) if away else size // step, 4)


def exact_sol(lamports: int | None) -> str:
    """All nine decimals."""
    return NONE if lamports is None else _exact(lamports, _SOL_DECIMALS)


def exact_tokens(base_units: int | None, decimals: int = 6) -> str:
    """All decimals of a token."""
    return NONE if base_units is None else _exact(base_units, decimals)


def compact_tokens(base_units: int | None, decimals: int = 6) -> str:
    """Tokens in lists: about three digits, half up."""
    return _compact(base_units, decimals)


def own_tokens(base_units: int | None, decimals: int = 6) -> str:
    """A person's own tokens: two decimals, rounded down; less than one token shows six."""
    if base_units is None:
        return NONE
    sign, size = _split(base_units)
    places = min(6 if size < 10**decimals else 2, decimals)
    return sign + _decimal(size // 10 ** (decimals - places), places)


def change_bps(base: int | None, now: int | None) -> int | None:
    """The change from `base` to `now` in bps, half up; None without a base."""
    if not base or now is None:
        return None
    return _half_up((now - base) * BPS_PER_ONE, base)


def percent(bps: int | None) -> str:
    """A change: always with its sign; from 1,000% on as the multiple that `now` is of the base."""
    if bps is None:
        return NONE
    if bps == 0:
        return "0.00%"
    sign = "+" if bps > 0 else MINUS
    text = share(abs(bps))
    if text == _TOO_MANY:
        return _multiple(bps)
    return sign + text


def share(bps: int | None) -> str:
    """A part, fee or slippage in percent, without sign."""
    if bps is None:
        return NONE
    for places in (2, 1, 0):
        rounded = _half_up(bps, 10 ** (2 - places))
        if rounded < (10, 100, 1_000)[2 - places] * 10**places:
            return _decimal(rounded, places) + "%"
    return _TOO_MANY


def _multiple(bps: int) -> str:
    tenths = _half_up(bps + BPS_PER_ONE, BPS_PER_ONE // 10)
    if tenths < 1_000:
        return _decimal(tenths, 1) + "×"
    whole = _half_up(bps + BPS_PER_ONE, BPS_PER_ONE)
    return f"{whole}×" if whole <= 999 else ">999×"


def graduation_percent(raised_lamports: int, needed_lamports: int, *, graduated: bool = False) -> str:
    """SOL raised over SOL needed, rounded down; 100% only once it has graduated."""
    if graduated:
        return "100%"
    tenths = min(raised_lamports * 1_000 // needed_lamports, 999)
    return _decimal(tenths, 1) + "%"


def graduation_amounts(raised_lamports: int, needed_lamports: int) -> str:
    """ "22.90 of 80 SOL". What is raised rounds down where rounding up would say that all of it is."""
    raised, needed = market_sol(raised_lamports), market_sol(needed_lamports)
    if raised == needed and raised_lamports < needed_lamports:
        raised = _compact(raised_lamports, _SOL_DECIMALS, up=False)
    return f"{raised} of {_trimmed(needed)} SOL"


def age(then_ms: int, now_ms: int) -> str:
    """How long ago, in its largest unit; from 30 days on the date. A clock that runs ahead reads "now"."""
    passed = now_ms - then_ms
    if passed < _SECOND_MS:
        return "now"
    for limit, unit, letter in (
        (_MINUTE_MS, _SECOND_MS, "s"),
        (_HOUR_MS, _MINUTE_MS, "m"),
        (_DAY_MS, _HOUR_MS, "h"),
        (30 * _DAY_MS, _DAY_MS, "d"),
    ):
        if passed < limit:
            return f"{passed // unit}{letter}"
    moment = datetime.fromtimestamp(then_ms // 1_000, UTC)
    return f"{moment.day} {moment:%b %Y}"


def clock(ms: int) -> str:
    """The time of day, 24 h, in UTC: only the browser knows the reader's own zone."""
    return f"{datetime.fromtimestamp(ms // 1_000, UTC):%H:%M:%S}"


def short_address(text: str) -> str:
    """The first four and the last four characters."""
    return f"{text[:4]}…{text[-4:]}" if len(text) > 8 else text


def grouped_address(text: str) -> str:
    """The whole address in groups of four, for where money leaves."""
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def count(number: int | None) -> str:
    """A number of things: commas, compact from 10,000 on."""
    if number is None:
        return NONE
    return f"{number:,}" if number < 10_000 else _compact(number, 0)


def _half_up(value: int, divisor: int) -> int:
    return (2 * value + divisor) // (2 * divisor)


def _split(value: int) -> tuple[str, int]:
    return (MINUS, -value) if value < 0 else ("", value)


def _decimal(value: int, places: int) -> str:
    whole, fraction = divmod(value, 10**places)
    return f"{whole:,}.{fraction:0{places}}" if places else f"{whole:,}"


def _rounded(value: int, decimals: int, places: int) -> str:
    return _decimal(_half_up(value, 10 ** (decimals - places)), places)


def _exact(value: int, decimals: int) -> str:
    sign, size = _split(value)
    return sign + _decimal(size, decimals)


def _trimmed(text: str) -> str:
    """Without the zeros after the point, unless a letter follows them."""
    return text.rstrip("0").rstrip(".") if "." in text and text[-1].isdigit() else text


def _compact(value: int | None, decimals: int, *, up: bool = True) -> str:
    """< 1 three decimals, < 100 two, < 1,000 one, then K, M and B with three digits. The step follows the rounding."""
    if value is None:
        return NONE
    sign, size = _split(value)
    if 0 < size * 1_000 < 10**decimals:
        return f"{sign}<0.001"
    for limit, places in ((1, 3), (100, 2), (1_000, 1)):
        scaled = _scaled(size, places - decimals, up=up)
        if scaled < limit * 10**places:
            return sign + _decimal(scaled, places)
    for letter, shift in (("K", 3), ("M", 6), ("B", 9)):
        for limit, places in ((10, 2), (100, 1), (1_000, 0)):
            scaled = _scaled(size, places - decimals - shift, up=up)
            if scaled < limit * 10**places:
                return f"{sign}{_decimal(scaled, places)}{letter}"
    return f"{sign}{_decimal(_scaled(size, -decimals - 9, up=up), 0)}B"


def _scaled(size: int, power: int, *, up: bool) -> int:
    """`size` times 10^`power`, rounded half up or down."""
    if power >= 0:
        return size * 10**power
    return _half_up(size, 10**-power) if up else size // 10**-power
