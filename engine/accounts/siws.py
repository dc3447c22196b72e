"""Sign-In With Solana: the text a wallet signs, and the proof that it signed it. Pure.

The text is always rebuilt from what this server asked for, so nothing a client says about it is trusted.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final

import base58
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from engine.identifiers import Address

_SIGNATURE_BYTES: Final = 64
_SMALL_ORDER_Y: Final = frozenset(
    bytes.fromhex(y)
    for y in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)
"""Every encoding, the sign bit cleared, of a point whose order divides 8: anybody can sign for such a key."""


@dataclass(frozen=True, slots=True)
class SignInInput:
    """What a wallet is asked to sign. `address` is None where the wallet itself chooses the account."""

    domain: str
    address: str | None
    statement: str
    uri: str
    version: str
    chain_id: str
    nonce: str
    issued_at: str
    expiration_time: str

    def json(self) -> dict[str, str]:
        """The input as wallets take it (`solana:signIn`), without what is left open."""
        return {_WALLET_NAMES.get(name, name): value for name, value in asdict(self).items() if value is not None}


_WALLET_NAMES: Final = {"chain_id": "chainId", "issued_at": "issuedAt", "expiration_time": "expirationTime"}
_OWN_NAMES: Final = {wallets: own for own, wallets in _WALLET_NAMES.items()}


def from_json(stored: dict[str, Any]) -> SignInInput:
    """The input that `SignInInput.json` gave."""
    values = {_OWN_NAMES.get(name, name): value for name, value in stored.items()}
    return SignInInput(**{"address": None, **values})


def message(asked: SignInInput, address: str) -> str:
    """The text that a wallet holding `address` signs for this input, fields in the order of the standard's ABNF."""
    return "\n".join(
        [
            f"{asked.domain}{_FIRST_LINE}",
            address,
            "",
            asked.statement,
            "",
            f"URI: {asked.uri}",
            f"Version: {asked.version}",
            f"Chain ID: {asked.chain_id}",
            f"Nonce: {asked.nonce}",
            f"Issued At: {asked.issued_at}",
            f"Expiration Time: {asked.expiration_time}",
        ]
    )


_FIRST_LINE: Final = " wants you to sign in with your Solana account:"


def domain_of(text: str) -> str | None:
    """The domain a sign-in text names, None when it is no such text."""
    first = text.split("\n", 1)[0]
    return first.removesuffix(_FIRST_LINE) if first.endswith(_FIRST_LINE) else None


def is_weak(address: Address) -> bool:
    """Whether the key has a small order, so that a signature by it proves nothing."""
    key = bytearray(base58.b58decode(address))
    key[31] &= 0x7F
    return bytes(key) in _SMALL_ORDER_Y


def is_signed(address: Address, text: bytes, signature: bytes) -> bool:
    """Whether the signature is that address's over exactly these bytes; never for a weak key."""
    if len(signature) != _SIGNATURE_BYTES or is_weak(address):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(base58.b58decode(address)).verify(signature, text)
    except InvalidSignature:
        return False
    return True
