"""What every `engine.ports.KeyStore` does, seed file or Vault: one suite, held over each adapter unchanged."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature

from engine.ports import KeyStore

NAME, OTHER = "wallet/" + "1" * 32, "mint/" + "0f" * 16


def verifies(signature: object, address: str, message: bytes) -> bool:
    assert isinstance(signature, bytes), signature
    return Signature.from_bytes(signature).verify(Pubkey.from_string(address), message)


class KeyStoreContract:
    """The behaviours. Subclasses give the fixtures `keys`, and `again`, which opens the same store once more."""

    @pytest.fixture
    def keys(self) -> KeyStore:
        raise NotImplementedError

    @pytest.fixture
    def again(self) -> KeyStore:
        raise NotImplementedError

    def test_a_name_keeps_its_address_and_names_differ(self, keys: KeyStore, again: KeyStore) -> None:
        address = keys.create(NAME)
        assert keys.create(NAME) == again.create(NAME) == again.address(NAME) == address
        assert keys.create(OTHER) != address

    def test_a_name_made_by_many_at_once_is_one_key(self, keys: KeyStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(keys.create, [NAME] * 16))) == 1

    def test_signatures_verify_under_the_names_own_address(self, keys: KeyStore) -> None:
        address, other = keys.create(NAME), keys.create(OTHER)
        one, two, three = keys.sign([(NAME, b"one"), (OTHER, b"two"), (NAME, b"three")])
        assert verifies(one, address, b"one")
        assert verifies(two, other, b"two")
        assert verifies(three, address, b"three")
        assert not verifies(one, address, b"two")
        assert not verifies(one, other, b"one")

    def test_any_number_of_messages_is_signed_in_the_order_asked(self, keys: KeyStore) -> None:
        addresses = {name: keys.create(name) for name in (NAME, OTHER)}
        wanted = [((NAME, OTHER)[number % 2], b"%d" % number) for number in range(450)]
        signatures = keys.sign(wanted)
        assert len(signatures) == len(wanted)
        for (name, message), signature in zip(wanted, signatures, strict=True):
            assert verifies(signature, addresses[name], message)

    def test_nothing_to_sign_is_nothing_signed(self, keys: KeyStore) -> None:
        assert keys.sign([]) == []

    def test_an_open_store_says_it_is_ready(self, keys: KeyStore) -> None:
        keys.check()
