"""Reading the parameters of a JSON-RPC request; whatever does not fit is refused with -32602 and a reason."""

from collections.abc import Sequence
from typing import Any

from solders.hash import Hash, ParseHashError
from solders.pubkey import Pubkey
from solders.signature import Signature

from engine.localnet.failures import invalid_params
from engine.localnet.timeline import Commitment


def read_pubkey(value: object) -> Pubkey:
    """An address.

    Raises:
        RpcError: -32602.
    """
    try:
        return Pubkey.from_string(_text(value))
    except ValueError as error:
        raise invalid_params(f"Invalid param: {error}") from error


def read_signature(value: object) -> Signature:
    """A transaction signature.

    Raises:
        RpcError: -32602.
    """
    try:
        return Signature.from_string(_text(value))
    except ValueError as error:
        raise invalid_params(f"Invalid param: {error}") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise invalid_params("Invalid params: expected a string")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**64:
        raise invalid_params("Invalid params: expected an unsigned integer")
    return value


class Config:
    """The options object at the end of a request."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options

    def commitment(self, default: Commitment = Commitment.FINALIZED) -> Commitment:
        """The asked commitment; finalized if none is asked for, as on a real node."""
        value = self._options.get("commitment")
        try:
            return default if value is None else Commitment(value)
        except ValueError as error:
            raise invalid_params(f"Invalid params: unknown commitment `{value}`") from error

    def encoding(self, default: str) -> str:
        """The asked encoding of accounts or transactions."""
        return self.text("encoding") or default

    def text(self, name: str) -> str | None:
        """An optional string."""
        value = self._options.get(name)
        return None if value is None else _text(value)

    def number(self, name: str) -> int | None:
        """An optional unsigned integer."""
        value = self._options.get(name)
        return None if value is None else _number(value)

    def flag(self, name: str) -> bool:
        """An option that is off unless it is true."""
        value = self._options.get(name)
        if value is not None and not isinstance(value, bool):
            raise invalid_params(f"Invalid params: `{name}` must be true or false")
        return bool(value)

    def signature(self, name: str) -> Signature | None:
        """An optional signature."""
        value = self._options.get(name)
        return None if value is None else read_signature(value)

    def data_slice(self) -> tuple[int, int] | None:
        """(offset, length) in bytes of the part of the data that is wanted."""
        part = self.nested("dataSlice")
        return None if part is None else (_number(part.required("offset")), _number(part.required("length")))

    def nested(self, name: str) -> "Config | None":
        """An optional object."""
        value = self._options.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise invalid_params(f"Invalid params: `{name}` must be an object")
        return Config(value)

    def required(self, name: str) -> Any:
        """A value that must be there."""
        if name not in self._options:
            raise invalid_params(f"Invalid params: missing field `{name}`")
        return self._options[name]

    def items(self, name: str) -> list[Any]:
        """A list that must be there."""
        value = self.required(name)
        if not isinstance(value, list):
            raise invalid_params(f"Invalid params: `{name}` must be a list")
        return value


class Params:
    """The positional parameters of a request."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values

    def _value(self, index: int) -> Any:
        if index >= len(self._values):
            raise invalid_params("`params` should have at least " + str(index + 1) + " argument(s)")
        return self._values[index]

    def pubkey(self, index: int) -> Pubkey:
        """An address."""
        return read_pubkey(self._value(index))

    def signature(self, index: int) -> Signature:
        """A signature."""
        return read_signature(self._value(index))

    def blockhash(self, index: int) -> Hash:
        """A block hash."""
        try:
            return Hash.from_string(self.text(index))
        except ParseHashError as error:
            raise invalid_params(f"Invalid param: {error}") from error

    def text(self, index: int) -> str:
        """A string."""
        return _text(self._value(index))

    def number(self, index: int) -> int:
        """An unsigned integer."""
        return _number(self._value(index))

    def items(self, index: int) -> list[Any]:
        """A list."""
        value = self._value(index)
        if not isinstance(value, list):
            raise invalid_params("Invalid params: expected a list")
        return value

    def members(self, index: int) -> dict[str, object]:
        """An object's members."""
        value = self._value(index)
        if not isinstance(value, dict):
            raise invalid_params("Invalid params: expected an object")
        return value

    def config(self, index: int) -> Config:
        """The options at this position, empty if they are left out."""
        value = self._values[index] if index < len(self._values) else None
        if value is None:
            return Config({})
        if isinstance(value, str):  # the old short form of an encoding
            return Config({"encoding": value})
        if not isinstance(value, dict):
            raise invalid_params("Invalid params: expected an options object")
        return Config(value)
