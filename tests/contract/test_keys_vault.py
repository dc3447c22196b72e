"""The Vault adapter keeps the key store's contract, and takes each of Vault's refusals for what it is.

Against a server of our own that follows Vault's documentation: no real Vault was at hand.
"""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from solders.keypair import Keypair

from engine.adapters import vault_session
from engine.adapters.keys_vault import UnsafeKey, VaultKeyStore
from engine.adapters.vault_session import (
    KeysBusy,
    KeysForbidden,
    KeysSealed,
    KeysUnavailable,
    UnsafeTokenFile,
    VaultSession,
)
from engine.errors import Unavailable
from engine.ports import KeyStore
from engine.settlement.signing import SignerRefused
from tests.contract.keys_contract import NAME, OTHER, KeyStoreContract, verifies
from tests.fake_vault import Key, Vault, running_vault

TOKEN, NEW_TOKEN = "hvs.canary-of-the-old-token", "hvs.canary-of-the-new-token"
Opener = Callable[[], VaultKeyStore]


@pytest.fixture
def vault() -> Iterator[Vault]:
    with running_vault() as running:
        running.grant(TOKEN)
        yield running


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "vault-token"
    path.touch(0o600)
    path.write_text(TOKEN + "\n")
    return path


@pytest.fixture
def open_store(vault: Vault, token_file: Path) -> Iterator[Opener]:
    """Opens stores that are closed in the end."""
    opened: list[VaultKeyStore] = []

    def open_one() -> VaultKeyStore:
        session = VaultSession(vault.url, token_file)
        session.open()
        opened.append(VaultKeyStore(session))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def keys(open_store: Opener) -> VaultKeyStore:
    return open_store()


class TestVaultKeyStore(KeyStoreContract):
    @pytest.fixture
    def keys(self, open_store: Opener) -> KeyStore:
        return open_store()

    @pytest.fixture
    def again(self, open_store: Opener) -> KeyStore:
        return open_store()


def test_keys_are_made_so_that_they_never_leave(keys: VaultKeyStore, vault: Vault) -> None:
    keys.create(NAME)
    [(name, key)] = vault.keys.items()
    assert name == NAME.replace("/", ".")
    assert (key.kind, key.exportable) == ("ed25519", False)


def test_a_name_without_a_key_has_no_address_and_signs_nothing(keys: VaultKeyStore) -> None:
    assert keys.address(NAME) is None
    [refusal] = keys.sign([(NAME, b"m")])
    assert isinstance(refusal, UnsafeKey)


def test_the_messages_of_a_key_share_requests(keys: VaultKeyStore, vault: Vault) -> None:
    for name in (NAME, OTHER):
        keys.create(name)
    keys.sign([(NAME, b"%d" % number) for number in range(150)] + [(OTHER, b"m")])
    assert vault.signs() == 3


def test_the_first_version_signs_however_often_the_key_was_rotated(keys: VaultKeyStore, vault: Vault) -> None:
    address = keys.create(NAME)
    vault.keys["wallet." + "1" * 32].versions[2] = Keypair()
    [signature] = keys.sign([(NAME, b"m")])
    assert verifies(signature, address, b"m")


def test_a_key_whose_first_version_is_retired_is_refused_alone(keys: VaultKeyStore, vault: Vault) -> None:
    address = keys.create(OTHER)
    keys.create(NAME)
    key = vault.keys["wallet." + "1" * 32]
    key.versions[2], key.least = Keypair(), 2
    refused, signed = keys.sign([(NAME, b"m"), (OTHER, b"m")])
    assert isinstance(refused, UnsafeKey)
    assert verifies(signed, address, b"m")


@pytest.mark.parametrize(
    "key",
    [Key({1: Keypair()}, kind="ecdsa-p256"), Key({1: Keypair()}, exportable=True), Key({2: Keypair()})],
    ids=["another type", "exportable", "no first version"],
)
def test_a_key_that_is_not_what_it_must_be_is_never_used(keys: VaultKeyStore, vault: Vault, key: Key) -> None:
    vault.keys["wallet." + "1" * 32] = key
    with pytest.raises(UnsafeKey):
        keys.create(NAME)
    [refusal] = keys.sign([(NAME, b"m")])
    assert isinstance(refusal, UnsafeKey)
    assert vault.signs() == 0


def test_a_signature_that_does_not_verify_is_not_given_out(keys: VaultKeyStore, vault: Vault) -> None:
    keys.create(NAME)
    vault.forge = True
    [refusal] = keys.sign([(NAME, b"m")])
    assert isinstance(refusal, UnsafeKey)


def test_a_signature_of_another_version_is_not_given_out(keys: VaultKeyStore, vault: Vault) -> None:
    keys.create(NAME)
    signature = bytes(vault.keys["wallet." + "1" * 32].versions[1].sign_message(b"m"))
    text = base64.b64encode(signature).decode()
    vault.answer_with = 200, b'{"data":{"batch_results":[{"signature":"vault:v2:%s"}]}}' % text.encode()
    [refusal] = keys.sign([(NAME, b"m")])
    assert isinstance(refusal, UnsafeKey)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"data":{}}',
        b'{"data":{"batch_results":[]}}',
        b'{"data":{"batch_results":[{},{}]}}',
        b'{"data":{"batch_results":[{"error":"x"}]}}',
        b'{"data":{"batch_results":[{"signature":"vault:v1:!"}]}}',
        b'{"data":{"batch_results":[null]}}',
        b"<html>",
    ],
)
def test_an_answer_that_is_none_signs_nothing(keys: VaultKeyStore, vault: Vault, body: bytes) -> None:
    keys.create(NAME)
    vault.answer_with = 200, body
    [refusal] = keys.sign([(NAME, b"m")])
    assert isinstance(refusal, KeysUnavailable | UnsafeKey)


def seal(vault: Vault) -> None:
    vault.sealed = True


def limit(vault: Vault) -> None:
    vault.busy = True


def revoke(vault: Vault) -> None:
    del vault.tokens[TOKEN]


def expire(vault: Vault) -> None:
    vault.tokens[TOKEN].ends_s = 0.0


def break_down(vault: Vault) -> None:
    vault.answer_with = 500, b'{"errors":["1 error occurred"]}'


def redirect(vault: Vault) -> None:
    vault.answer_with = 307, b""


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (seal, KeysSealed),
        (limit, KeysBusy),
        (revoke, KeysForbidden),
        (expire, KeysForbidden),
        (break_down, KeysUnavailable),
        (redirect, KeysUnavailable),
    ],
)
def test_each_of_vaults_refusals_has_its_own_name_and_is_over_when_it_is_over(
    keys: VaultKeyStore, vault: Vault, fault: Callable[[Vault], None], error: type[Unavailable]
) -> None:
    address = keys.create(NAME)
    fault(vault)
    [refusal] = keys.sign([(NAME, b"m")])
    assert type(refusal) is error
    assert not isinstance(refusal, SignerRefused), "it may be asked again"
    with pytest.raises(error):
        keys.create(OTHER)
    with pytest.raises(error):
        keys.check()
    vault.sealed = vault.busy = False
    vault.answer_with = None
    vault.grant(TOKEN)
    [signature] = keys.sign([(NAME, b"m")])
    assert verifies(signature, address, b"m")


def test_a_vault_that_is_gone_or_silent_is_unavailable_in_time(
    vault: Vault, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault_session, "ANSWER_S", 0.2)
    session = VaultSession(vault.url, token_file)
    vault.silent_s = 1.0
    with pytest.raises(KeysUnavailable):
        session.check()
    session.close()
    gone = VaultSession("http://127.0.0.1:1", token_file)
    with pytest.raises(KeysUnavailable):
        gone.check()
    gone.close()


def test_a_token_is_renewed_before_it_ends(keys: VaultKeyStore, vault: Vault, open_store: Opener) -> None:
    keys.close()
    vault.grant(TOKEN, ttl_s=3.0)
    store = open_store()
    store.create(NAME)
    time.sleep(4.0)
    assert vault.tokens[TOKEN].renewals >= 3
    store.check()


def test_a_token_that_an_operator_replaces_is_used_without_a_restart(
    keys: VaultKeyStore, vault: Vault, token_file: Path
) -> None:
    address = keys.create(NAME)
    revoke(vault)
    vault.grant(NEW_TOKEN)
    token_file.write_text(NEW_TOKEN)
    [signature] = keys.sign([(NAME, b"m")])
    assert verifies(signature, address, b"m")


def test_a_replaced_token_is_used_by_every_thread_that_was_refused_with_the_old_one(
    keys: VaultKeyStore, vault: Vault, token_file: Path
) -> None:
    names = [f"wallet/{number:032d}" for number in range(16)]
    addresses = [keys.create(name) for name in names]
    revoke(vault)
    vault.grant(NEW_TOKEN)
    token_file.write_text(NEW_TOKEN)
    signatures = keys.sign([(name, b"m") for name in names])
    assert all(verifies(signature, address, b"m") for signature, address in zip(signatures, addresses, strict=True))


@pytest.mark.parametrize(("mode", "text"), [(0o640, TOKEN), (0o604, TOKEN), (0o600, ""), (0o600, "a\x00b")])
def test_a_token_file_that_is_not_private_or_holds_none_is_refused(tmp_path: Path, mode: int, text: str) -> None:
    path = tmp_path / "token"
    path.touch()
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(UnsafeTokenFile) as refused:
        VaultSession("http://127.0.0.1:1", path)
    assert TOKEN not in str(refused.value)


def test_the_policy_allows_nothing_that_the_signer_does_not_do(vault: Vault, token_file: Path) -> None:
    session = VaultSession(vault.url, token_file)
    transit = session.transit
    session.ask(transit.create_key, name="a", key_type="ed25519", exportable=False, allow_plaintext_backup=False)
    forbidden = [
        (transit.create_key, {"name": "b", "key_type": "ed25519", "exportable": True}),
        (transit.create_key, {"name": "b", "key_type": "aes256-gcm96"}),
        (transit.create_key, {"name": "b"}),
        (transit.delete_key, {"name": "a"}),
        (transit.list_keys, {}),
        (transit.rotate_key, {"name": "a"}),
        (transit.update_key_configuration, {"name": "a", "deletion_allowed": True}),
        (transit.export_key, {"name": "a", "key_type": "signing-key"}),
        (transit.backup_key, {"name": "a"}),
        (transit.sign_data, {"name": "a", "hash_input": "AA==", "prehashed": True}),
    ]
    for call, arguments in forbidden:
        with pytest.raises(KeysUnavailable):
            session.ask(call, **arguments)
    assert set(vault.keys) == {"a"}
    session.close()


def test_a_batch_over_many_keys_is_signed_side_by_side(keys: VaultKeyStore, vault: Vault) -> None:
    names = [f"mint/{number:032x}" for number in range(12)]
    for name in names:
        keys.create(name)
    vault.together = threading.Barrier(len(names), timeout=20)
    assert all(isinstance(each, bytes) for each in keys.sign([(name, b"m") for name in names]))


def test_nothing_goes_on_after_the_close(keys: VaultKeyStore) -> None:
    keys.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vault")]
