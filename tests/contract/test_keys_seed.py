"""The seed file keeps the key store's contract."""

from pathlib import Path

import pytest

from engine.adapters.keys_seed import SeedKeyStore
from engine.ports import KeyStore
from tests.contract.keys_contract import KeyStoreContract


class TestSeedKeyStore(KeyStoreContract):
    @pytest.fixture
    def keys(self, tmp_path: Path) -> KeyStore:
        return SeedKeyStore(tmp_path / "seed")

    @pytest.fixture
    def again(self, tmp_path: Path) -> KeyStore:
        return SeedKeyStore(tmp_path / "seed")
