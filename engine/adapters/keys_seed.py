"""Keys derived from one master seed in a file: the embedded key store.

Key of a name: the ed25519 seed is BLAKE2b-256 of the UTF-8 name, keyed with the 32-byte master seed and personalised
with `blitzhub-key-v1`. So the file alone restores every key, and names are as good as keys: they never change.
"""

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from solders.keypair import Keypair

from engine.errors import Refusal
from engine.identifiers import Address
from engine.settings import Environment

SEED_BYTES = 32
PERSON = b"blitzhub-key-v1"
FORBIDDEN_MODE = stat.S_IRWXG | stat.S_IRWXO


class UnsafeSeedFile(RuntimeError):
    """The seed file must not be used: others can read it, it is damaged, or this is production."""


class SeedKeyStore:
    """`KeyStore` over a seed file, which is made on first use."""

    def __init__(self, path: Path, env: Environment = Environment.DEVELOPMENT) -> None:
        """Read the seed, or make it with mode 0600.

        Raises:
            UnsafeSeedFile: in production, for a file others may read, and for one that is not a seed.
        """
        if env is Environment.PRODUCTION:
            raise UnsafeSeedFile("keys from a seed file are for development; production keeps them in Vault")
        with contextlib.suppress(FileExistsError):
            _make(path)
        self._seed = _read(path)
        self._keys: dict[str, Keypair] = {}

    def create(self, name: str) -> Address:
        """The address of that name's key."""
        return Address(str(self._key(name).pubkey()))

    def address(self, name: str) -> Address | None:
        """The address of that name's key: every name has one."""
        return self.create(name)

    def sign(self, wanted: Sequence[tuple[str, bytes]]) -> list[bytes | Refusal]:
        """The 64-byte ed25519 signature of each message by that name's key."""
        return [bytes(self._key(name).sign_message(message)) for name, message in wanted]

    def check(self) -> None:
        """The seed was read."""

    def close(self) -> None:
        """Nothing is open."""

    def _key(self, name: str) -> Keypair:
        key = self._keys.get(name)
        if key is None:
            derived = hashlib.blake2b(name.encode(), key=self._seed, digest_size=SEED_BYTES, person=PERSON).digest()
            key = self._keys[name] = Keypair.from_seed(derived)
        return key


def _make(path: Path) -> None:
    """Write a new seed beside the path and link it there whole: a crash leaves no half seed, a race keeps the first."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(SEED_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> bytes:
    with path.open() as file:
        if os.fstat(file.fileno()).st_mode & FORBIDDEN_MODE:
            raise UnsafeSeedFile(f"{path} must be readable by its owner only: chmod 600 it")
        text = file.read().strip()
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if len(seed) != SEED_BYTES:
        raise UnsafeSeedFile(f"{path} does not hold a seed of {SEED_BYTES} bytes in hexadecimal digits")
    return seed
