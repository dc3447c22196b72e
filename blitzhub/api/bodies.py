"""What requests may say, strictly: no unknown fields, no value of another type.

Fields typed `Any` are read by the engine, whose refusals have codes of their own; the schema says what they are.
"""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from engine.trading.inputs import read_amount

_TOKEN: Final = "7RyBeyuCcTFuYaUkd1YwTSSHwVJDhTjrC4VvDqzs6ghp"
_TRADER: Final = "FZyDdnJLfC3ioPVxBzMVLWTp9iSUe4wvBK3y4Dqi4Tf4"
_ID: Final = "8c1f0c6e-6d1c-4f27-8d7c-2f5f5a0a5b11"


def _amount(value: object, info: ValidationInfo) -> object:
    read_amount(value, info.field_name or "amount")
    return value


Amount = Annotated[
    str,
    BeforeValidator(_amount),
    Field(description="Base units as a string of digits, from 1 to 2^63 - 1.", examples=["100000000"]),
]
"""An amount in a request; whatever is none is refused as `invalid_amount`."""


def _encodable(text: str) -> str:
    text.encode()
    return text


Text = Annotated[str, AfterValidator(_encodable)]
"""A text in a request; JSON can spell halves of characters, which nothing behind us could store."""


_WHOLE: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}


class Request(BaseModel):
    """A request body: no unknown fields, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NonceRequest(Request):
    """Ask to sign in. Without an address the wallet chooses the account."""

    address: Text | None = Field(None, examples=[_TRADER])


class Verify(Request):
    """The signed sign-in: the text as the wallet signed it, and the signature in base64."""

    nonce: Text
    address: Text = Field(examples=[_TRADER])
    message: Text
    signature: Text
    simulated: bool = Field(False, description="A program that says so of itself; shown beside its trades.")


class Buy(Request):
    """Spend lamports, fee included. Rent of a new token account comes on top."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "client_order_id": _ID,
                "token": _TOKEN,
                "lamports": "1000000000",
                "min_tokens_out": "44000000000",
            }
        }
    )
    client_order_id: Any = Field(json_schema_extra={"type": "string", "format": "uuid"})
    token: Any = Field(json_schema_extra={"type": "string"})
    lamports: Amount
    min_tokens_out: Amount
    deadline_ms: Any = Field(None, json_schema_extra={"type": "integer", "nullable": True})


class Sell(Request):
    """Sell base units of a token."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "client_order_id": _ID,
                "token": _TOKEN,
                "tokens": "44000000000",
                "min_lamports_out": "950000000",
            }
        }
    )
    client_order_id: Any = Field(json_schema_extra={"type": "string", "format": "uuid"})
    token: Any = Field(json_schema_extra={"type": "string"})
    tokens: Amount
    min_lamports_out: Amount
    deadline_ms: Any = Field(None, json_schema_extra={"type": "integer", "nullable": True})


class Launch(Request):
    """A token to launch. The same `client_id` is the same token, for ever."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"client_id": _ID, "name": "Blue Whale", "symbol": "WHALE"}}
    )
    client_id: Any = Field(json_schema_extra={"type": "string", "format": "uuid"})
    name: Any = Field(json_schema_extra={"type": "string", "maxLength": 32})
    symbol: Any = Field(json_schema_extra={"type": "string", "pattern": "^[A-Z0-9]{1,10}$"})
    description: Any = Field(None, json_schema_extra={"type": "string", "maxLength": 500})
    image: Any = Field(None, json_schema_extra={"type": "string"}, description="The hash an upload answered with.")
    first_buy_lamports: Any = Field(None, json_schema_extra={"type": "string"}, description="Absent or 0: none.")
    first_buy_min_tokens_out: Any = Field(None, json_schema_extra={"type": "string"})
    opening_fee_bps: Any = Field(
        None, json_schema_extra=_WHOLE, description="Added to the fee of every buy at first; falls to nothing."
    )
    opening_fee_ms: Any = Field(None, json_schema_extra=_WHOLE, description="After so long it is gone.")
    opening_cap_bps: Any = Field(
        None, json_schema_extra=_WHOLE, description="Share of the total supply that one account may hold at first."
    )
    opening_cap_ms: Any = Field(None, json_schema_extra=_WHOLE, description="After so long it may hold any.")


class Withdraw(Request):
    """Take an asset out: `SOL` in lamports, a token in base units. Network fee and rent come on top."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"client_id": _ID, "asset": "SOL", "amount": "1000000000", "destination": _TRADER}
        }
    )
    client_id: Any = Field(json_schema_extra={"type": "string", "format": "uuid"})
    asset: Any = Field(json_schema_extra={"type": "string"}, description="`SOL` or a token's address.")
    amount: Amount
    destination: Any = Field(json_schema_extra={"type": "string"})


class Close(Request):
    """Close the empty account of a token."""

    model_config = ConfigDict(json_schema_extra={"example": {"client_id": _ID, "token": _TOKEN}})
    client_id: Any = Field(json_schema_extra={"type": "string", "format": "uuid"})
    token: Any = Field(json_schema_extra={"type": "string"})


class NewKey(Request):
    """A key for a bot, by what it may do."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "market maker", "scopes": ["read", "trade"]}})
    name: Text = Field(max_length=80)
    scopes: list[Text] = Field(max_length=10, description="Some of `read`, `trade`, `withdraw`.")
