"""Identifiers: a type per thing that is named, how each is made, and how outside text becomes one."""

import hashlib
import re
import secrets
import uuid
from typing import NewType

import base58

AccountId = NewType("AccountId", str)
"""A trader's account: the base58 address of the wallet they sign in with."""

Address = NewType("Address", str)
"""Any base58 Solana address of 32 bytes."""

TokenAddress = NewType("TokenAddress", str)
"""A token's mint address."""

OrderId = NewType("OrderId", str)
"""32 hex digits: the hash of account and client order id, so the same request can never be two orders."""

Asset = NewType("Asset", str)
"""`SOL` or a token's address: what a balance is counted in."""

SOL = Asset("SOL")

_ADDRESS = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}\Z")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")


def is_address(text: object) -> bool:
    """Whether the text is the base58 form of exactly 32 bytes."""
    if not isinstance(text, str) or not _ADDRESS.match(text):
        return False
    return len(base58.b58decode(text)) == 32


def is_client_order_id(text: object) -> bool:
    """Whether the text is a UUID in its canonical lower-case form."""
    return isinstance(text, str) and bool(_UUID.match(text))


def order_id(account_id: AccountId, client_order_id: str) -> OrderId:
    """The order's id: BLAKE2b-128 over account and client order id."""
    return OrderId(hashlib.blake2b(f"{account_id}:{client_order_id}".encode(), digest_size=16).hexdigest())


def first_buy_client_order_id(token: str) -> str:
    """The client order id of a launch's first buy: a UUID that only this token has."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"blitzhub:first-buy:{token}"))


def new_id() -> str:
    """A new random identifier of 32 hex digits for rows nobody outside names."""
    return uuid.uuid4().hex


def new_secret() -> str:
    """256 random bits, URL-safe: session ids, nonces' entropy, tickets."""
    return secrets.token_urlsafe(32)
