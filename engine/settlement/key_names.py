"""The names of the platform's keys: whose key an address is follows from its name, never from a row alone."""

import hashlib
import re
from typing import Final

FEE_PAYER: Final = "fee-payer"

_CREATED_ON_REQUEST: Final = re.compile(r"(?:wallet/|vault/)[1-9A-HJ-NP-Za-km-z]{32,44}|mint/[0-9a-f]{32}")


def wallet(account_id: str) -> str:
    """The key of an account's trading wallet."""
    return f"wallet/{account_id}"


def vault(token: str) -> str:
    """The key of a token's vault."""
    return f"vault/{token}"


def mint(account_id: str, client_id: str) -> str:
    """The key of the token that an account launches under an id of its client's."""
    return "mint/" + hashlib.blake2b(f"{account_id}:{client_id}".encode(), digest_size=16).hexdigest()


def is_created_on_request(name: str) -> bool:
    """Whether a caller may ask for that key to be made."""
    return _CREATED_ON_REQUEST.fullmatch(name) is not None
