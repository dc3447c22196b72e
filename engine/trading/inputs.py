"""What a client says, read strictly: the one way from outside values to amounts, ids and deadlines.

The HTTP API and the trade panel both come through here, so neither can be laxer than the other.
"""

from typing import Final

from engine.errors import NotFound, Refusal
from engine.identifiers import TokenAddress, is_address, is_client_order_id
from engine.units import InvalidAmount, parse_amount

MAX_DEADLINE_AHEAD_MS: Final = 3_600_000
MAX_SLIPPAGE_BPS: Final = 9_999


class AmountRefused(Refusal):
    """Not a positive whole number of base units in range."""

    code = "invalid_amount"
    status = 422


class ClientIdRefused(Refusal):
    """Not a UUID in its canonical form."""

    code = "invalid_client_order_id"
    status = 422


class RequestIdRefused(Refusal):
    """Not a UUID in its canonical form."""

    code = "invalid_client_id"
    status = 422


class TokenRefused(Refusal):
    """Not an address."""

    code = "invalid_token"
    status = 422


class UnknownToken(NotFound):
    """There is no token at that address."""

    code = "unknown_token"


class DeadlineRefused(Refusal):
    """A deadline that is no time, or too far away to mean anything."""

    code = "invalid_deadline"
    status = 422


class DeadlinePassed(Refusal):
    """The order would be late already."""

    code = "deadline"
    status = 422


class SlippageRefused(Refusal):
    """Not a slippage in basis points."""

    code = "invalid_slippage"
    status = 422


def read_amount(value: object, field: str) -> int:
    """Lamports or base units from their decimal string.

    Raises:
        AmountRefused: for anything but a positive whole number up to 2^63 - 1 in plain digits.
    """
    try:
        return parse_amount(value)
    except InvalidAmount as error:
        raise AmountRefused(f"{field}: {error}.", field=field) from error


def read_client_order_id(value: object) -> str:
    """The client's own id of an order.

    Raises:
        ClientIdRefused: not a lower-case UUID.
    """
    if not isinstance(value, str) or not is_client_order_id(value):
        raise ClientIdRefused("client_order_id is a UUID in lower case, made by the client before it sends.")
    return value


def read_client_id(value: object) -> str:
    """The client's own id of a launch or a withdrawal.

    Raises:
        RequestIdRefused: not a lower-case UUID.
    """
    if not isinstance(value, str) or not is_client_order_id(value):
        raise RequestIdRefused("client_id is a UUID in lower case, made by the client before it sends.")
    return value


def read_token(value: object) -> TokenAddress:
    """A token's address.

    Raises:
        TokenRefused: not the base58 form of 32 bytes.
    """
    if not isinstance(value, str) or not is_address(value):
        raise TokenRefused("token is the address of a token.")
    return TokenAddress(value)


def read_deadline_ms(value: object, now_ms: int) -> int | None:
    """The moment after which an order must not be executed, epoch milliseconds; None where it was left out.

    Whether it has passed is not asked here: an order that was accepted in time may be asked about later.

    Raises:
        DeadlineRefused: not a whole number, or more than an hour away.
    """
    if value is None:
        return None
    if type(value) is not int or not 0 < value <= now_ms + MAX_DEADLINE_AHEAD_MS:
        raise DeadlineRefused("deadline_ms is a time in epoch milliseconds, at most an hour ahead.")
    return value


def read_slippage_bps(value: object) -> int:
    """How much worse than quoted a trade may be, in basis points.

    Raises:
        SlippageRefused: not a whole number from 0 to 9,999.
    """
    if type(value) is not int or not 0 <= value <= MAX_SLIPPAGE_BPS:
        raise SlippageRefused(f"The slippage is a whole number of basis points from 0 to {MAX_SLIPPAGE_BPS}.")
    return value
