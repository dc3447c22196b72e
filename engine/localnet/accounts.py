"""Accounts as a node shows them: what token programs keep in an account's bytes, and the encodings of
answers.
"""

import base64
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import base58
from solders.account import Account
from solders.pubkey import Pubkey

from engine.localnet.failures import INVALID_REQUEST, RpcError, invalid_params
from engine.units import BaseUnits

TOKEN: Final = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022: Final = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
NATIVE_MINT: Final = Pubkey.from_string("So11111111111111111111111111111111111111112")
PROGRAM_NAMES: Final = {TOKEN: "spl-token", TOKEN_2022: "spl-token-2022"}
RENT_EXEMPT_EPOCH: Final = 2**64 - 1

_MINT_LENGTH: Final = 82
_HOLDING_LENGTH: Final = 165
_KIND_AT: Final = 165  # Token-2022 tells mints from holdings here once extensions follow
_KIND_MINT: Final = 1
_KIND_HOLDING: Final = 2
_BASE58_LIMIT: Final = 128
_STATES: Final = {1: "initialized", 2: "frozen"}


@dataclass(frozen=True, slots=True)
class Holding:
    """A token account: `amount` base units of `mint` under `owner`, kept by the token program `program`."""

    mint: Pubkey
    owner: Pubkey
    amount: BaseUnits
    program: Pubkey
    state: str


@dataclass(frozen=True, slots=True)
class Mint:
    """A mint: its supply in base units, its decimals, and who may still mint or freeze."""

    supply: BaseUnits
    decimals: int
    mint_authority: Pubkey | None
    freeze_authority: Pubkey | None


def _kind_fits(data: bytes, plain_length: int, kind: int) -> bool:
    if len(data) == plain_length:
        return True
    return len(data) > _KIND_AT and data[_KIND_AT] == kind


def holding(account: Account | None) -> Holding | None:
    """The token account in these bytes, or None if it is none."""
    if account is None or account.owner not in PROGRAM_NAMES:
        return None
    data = account.data
    if not _kind_fits(data, _HOLDING_LENGTH, _KIND_HOLDING) or data[108] not in _STATES:
        return None
    amount = BaseUnits(int.from_bytes(data[64:72], "little"))
    return Holding(Pubkey(data[:32]), Pubkey(data[32:64]), amount, account.owner, _STATES[data[108]])


def mint(account: Account | None) -> Mint | None:
    """The mint in these bytes, or None if it is none."""
    if account is None or account.owner not in PROGRAM_NAMES:
        return None
    data = account.data
    if not _kind_fits(data, _MINT_LENGTH, _KIND_MINT) or data[45] != 1:
        return None
    return Mint(
        BaseUnits(int.from_bytes(data[36:44], "little")),
        data[44],
        Pubkey(data[4:36]) if data[0] else None,
        Pubkey(data[50:82]) if data[46] else None,
    )


def native_mint_account() -> Account:
    """The mint of wrapped SOL, which every cluster has from its genesis."""
    data = bytes(36) + struct.pack("<QBB", 0, 9, 1) + bytes(36)
    return Account(1_000_000_000, data, TOKEN)


def ui_amount(amount: int, decimals: int) -> dict[str, Any]:
    """An amount of base units as `uiTokenAmount`. The protocol's `uiAmount` is a float, for show only."""
    whole, part = divmod(amount, 10**decimals)
    text = f"{whole}.{part:0{decimals}d}".rstrip("0").rstrip(".") if part else str(whole)
    return {"amount": str(amount), "decimals": decimals, "uiAmount": float(text), "uiAmountString": text}


def encode_account(
    account: Account, encoding: str, data_slice: tuple[int, int] | None, decimals_of: Callable[[Pubkey], int]
) -> dict[str, Any]:
    """The account as an RPC answer; `data_slice` is (offset, length) in bytes.

    Raises:
        RpcError: for an encoding this node does not speak, or base58 of more than 128 bytes.
    """
    return {
        "lamports": account.lamports,
        "owner": str(account.owner),
        "data": _encode_data(account, encoding, data_slice, decimals_of),
        "executable": account.executable,
        "rentEpoch": RENT_EXEMPT_EPOCH,
        "space": len(account.data),
    }


def _encode_data(
    account: Account, encoding: str, data_slice: tuple[int, int] | None, decimals_of: Callable[[Pubkey], int]
) -> Any:
    if encoding == "jsonParsed":
        parsed = _parsed(account, decimals_of)
        if parsed is not None:
            return parsed
        encoding = "base64"
    data = account.data
    if data_slice is not None:
        offset, length = data_slice
        data = data[offset : offset + length]
    return encode_bytes(data, encoding)


def encode_bytes(data: bytes, encoding: str) -> list[str]:
    """Bytes as `[text, encoding]`.

    Raises:
        RpcError: for an encoding other than base64 and base58, or base58 of more than 128 bytes.
    """
    if encoding == "base64":
        return [base64.b64encode(data).decode(), encoding]
    if encoding != "base58":
        raise invalid_params(f"Invalid params: unsupported encoding `{encoding}`")
    if len(data) > _BASE58_LIMIT:
        raise RpcError(
            INVALID_REQUEST,
            "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding.",
        )
    return [base58.b58encode(data).decode(), encoding]


def _parsed(account: Account, decimals_of: Callable[[Pubkey], int]) -> dict[str, Any] | None:
    held = holding(account)
    if held is not None:
        info: dict[str, Any] = {
            "isNative": held.mint == NATIVE_MINT,
            "mint": str(held.mint),
            "owner": str(held.owner),
            "state": held.state,
            "tokenAmount": ui_amount(held.amount, decimals_of(held.mint)),
        }
        kind = "account"
    else:
        minted = mint(account)
        if minted is None:
            return None
        info = {
            "decimals": minted.decimals,
            "freezeAuthority": str(minted.freeze_authority) if minted.freeze_authority else None,
            "isInitialized": True,
            "mintAuthority": str(minted.mint_authority) if minted.mint_authority else None,
            "supply": str(minted.supply),
        }
        kind = "mint"
    program = PROGRAM_NAMES[account.owner]
    return {"program": program, "parsed": {"info": info, "type": kind}, "space": len(account.data)}
