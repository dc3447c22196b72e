"""Keys in HashiCorp Vault's transit engine: the production key store.

One ed25519 key a name, made there and not exportable. Its first version is the address for ever: it alone is asked
for a signature, and a key that is anything else than it must be is not used. Vault is trusted to keep keys, not to be
right: each signature is verified here before it is given out.
"""

import base64
import binascii
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from hvac.exceptions import InvalidPath, InvalidRequest
from solders.pubkey import Pubkey
from solders.signature import Signature

from engine.adapters.vault_session import KeysUnavailable, VaultSession
from engine.errors import Refusal
from engine.identifiers import Address
from engine.settlement.signing import SignerRefused

VERSION: Final = 1
SIGNED_AT_ONCE: Final = 100
"""Messages of one key in one request."""

_PREFIX: Final = f"vault:v{VERSION}:"
_MUST_BE: Final = {"type": "ed25519", "exportable": False, "allow_plaintext_backup": False, "derived": False}


class UnsafeKey(SignerRefused):
    """A key is not what it must be, or what it signed does not verify: an operator must look at it."""

    code = "unsafe_key"


class VaultKeyStore:
    """`KeyStore` over one mount of the transit engine. Calls block; they may be made from any thread."""

    def __init__(self, session: VaultSession, mount: str = "transit", requests_at_once: int = 16) -> None:
        self._session, self._mount = session, mount
        self._addresses: dict[str, Pubkey] = {}
        self._pool = ThreadPoolExecutor(requests_at_once, "vault")

    def create(self, name: str) -> Address:
        """Make the key if it does not exist yet and return its address.

        Raises:
            KeysUnavailable: Vault cannot be asked now.
            UnsafeKey: the key exists and is none that may be used.
        """
        known = self.address(name)
        if known is not None:
            return known
        try:
            self._session.ask(
                self._session.transit.create_key,
                name=vault_name(name),
                key_type="ed25519",
                exportable=False,
                allow_plaintext_backup=False,
                mount_point=self._mount,
            )
        except (InvalidRequest, InvalidPath) as error:
            raise KeysUnavailable("Vault makes no key.", reason=str(error)[:200]) from error
        made = self.address(name)
        if made is None:
            raise KeysUnavailable("Vault does not have the key that it made.")
        return made

    def address(self, name: str) -> Address | None:
        """The address of that name's key, None when there is none.

        Raises:
            KeysUnavailable: Vault cannot be asked now.
            UnsafeKey: the key is none that may be used.
        """
        known = self._addresses.get(name)
        if known is None:
            try:
                found = self._session.ask(
                    self._session.transit.read_key, name=vault_name(name), mount_point=self._mount
                )
            except InvalidPath:
                return None
            except InvalidRequest as error:
                raise KeysUnavailable("Vault does not read the key.", reason=str(error)[:200]) from error
            known = self._addresses[name] = _public_key(name, found)
        return Address(str(known))

    def sign(self, wanted: Sequence[tuple[str, bytes]]) -> list[bytes | Refusal]:
        """The signature of each message by that name's key, or why there is none: one request a key, side by side."""
        places: dict[str, list[int]] = defaultdict(list)
        for place, (name, _) in enumerate(wanted):
            places[name].append(place)
        parts = [
            (name, own[start : start + SIGNED_AT_ONCE])
            for name, own in places.items()
            for start in range(0, len(own), SIGNED_AT_ONCE)
        ]
        answers = self._pool.map(lambda part: self._signed(part[0], [wanted[place][1] for place in part[1]]), parts)
        found: list[bytes | Refusal] = [KeysUnavailable("Nothing was asked.")] * len(wanted)
        for (_, own), signatures in zip(parts, answers, strict=True):
            for place, signature in zip(own, signatures, strict=True):
                found[place] = signature
        return found

    def check(self) -> None:
        """Raises `KeysUnavailable` when nothing could be signed now."""
        self._session.check()

    def close(self) -> None:
        """Finish what runs and end the session."""
        self._pool.shutdown(cancel_futures=True)
        self._session.close()

    def _signed(self, name: str, messages: Sequence[bytes]) -> Sequence[bytes | Refusal]:
        try:
            if self.address(name) is None:
                raise UnsafeKey("There is no such key.", key=name)
            try:
                answer = self._session.ask(
                    self._session.transit.sign_data,
                    name=vault_name(name),
                    batch_input=[{"input": base64.b64encode(message).decode()} for message in messages],
                    key_version=VERSION,
                    mount_point=self._mount,
                )
            except (InvalidRequest, InvalidPath) as error:
                raise UnsafeKey("Vault does not sign with the key.", key=name, reason=str(error)[:200]) from error
            results = answer.get("batch_results")
            if not isinstance(results, list) or len(results) != len(messages):
                raise KeysUnavailable("Vault's answer is none.")
            return [
                _verified(name, self._addresses[name], message, result)
                for message, result in zip(messages, results, strict=True)
            ]
        except Refusal as refusal:
            return [refusal] * len(messages)


def vault_name(name: str) -> str:
    """The name under which Vault keeps the key: its names know no slash, and no name of ours has a dot."""
    return name.replace("/", ".")


def _public_key(name: str, found: dict[str, Any]) -> Pubkey:
    wrong = sorted(field for field, value in _MUST_BE.items() if found.get(field, value) != value)
    if wrong or found.get("type") != _MUST_BE["type"]:
        raise UnsafeKey("The key in Vault is none that may be used.", key=name, wrong=", ".join(wrong) or "type")
    try:
        return Pubkey.from_bytes(base64.b64decode(found["keys"][str(VERSION)]["public_key"], validate=True))
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise UnsafeKey("The key in Vault has no readable first version.", key=name) from error


def _verified(name: str, address: Pubkey, message: bytes, result: Any) -> bytes:
    text = result.get("signature") if isinstance(result, dict) else None
    if not isinstance(text, str) or not text.startswith(_PREFIX):
        raise UnsafeKey("Vault signed with another version of the key, or not at all.", key=name)
    try:
        signature = Signature.from_bytes(base64.b64decode(text.removeprefix(_PREFIX), validate=True))
    except (ValueError, binascii.Error) as error:
        raise UnsafeKey("Vault's signature cannot be read.", key=name) from error
    if not signature.verify(address, message):
        raise UnsafeKey("Vault's signature does not verify.", key=name)
    return bytes(signature)
