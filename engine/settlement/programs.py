"""The on-chain programs a settlement may call, where a token account lies, and how big our accounts are."""

from functools import lru_cache
from typing import Final

from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address

SYSTEM: Final = Pubkey.from_string("11111111111111111111111111111111")
COMPUTE_BUDGET: Final = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
TOKEN_2022: Final = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED_TOKEN: Final = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
MEMO: Final = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")

TOKEN_ACCOUNT_SIZE: Final = 170
"""Bytes of a Token-2022 associated token account: 165, the account type and the immutable-owner extension."""

MINT_BASE_SIZE: Final = 82 + 83 + 1 + 4 + 64
"""Bytes a mint is created with: the mint padded to an account's length, account type, metadata pointer extension."""

MAX_TRANSACTION_BYTES: Final = 1232
"""The network's packet limit for a serialised transaction."""

MAX_METADATA_BYTES: Final = 331
"""Bytes of name, symbol and uri together (UTF-8) that a launch transaction has room for."""

LAMPORTS_PER_SIGNATURE: Final = 5_000


def mint_size_bytes(name: str, symbol: str, uri: str) -> int:
    """Bytes of a finished mint that carries these texts: what its rent must be paid for.

    The metadata extension is type and length (4), update authority and mint (64), three length-prefixed texts and the
    length of an empty list (4); see spl-token-metadata-interface.
    """
    texts = sum(4 + len(text.encode()) for text in (name, symbol, uri))
    return MINT_BASE_SIZE + 4 + 64 + texts + 4


def is_on_curve(address: str) -> bool:
    """Whether a key can exist for the address: a program's derived addresses have none."""
    return bool(Pubkey.from_string(address).is_on_curve())


@lru_cache(maxsize=65_536)
def token_account(owner: str, mint: str) -> Pubkey:
    """The associated Token-2022 account of that owner for that mint (cached: deriving costs 35 µs)."""
    return get_associated_token_address(Pubkey.from_string(owner), Pubkey.from_string(mint), TOKEN_2022)
