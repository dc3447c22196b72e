"""The seed file is private from its first byte, and names are keys for ever."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature

from engine.adapters.keys_seed import SeedKeyStore, UnsafeSeedFile
from engine.settings import Environment


def test_a_new_seed_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keys.seed"
    SeedKeyStore(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["keys.seed"]


def test_a_name_keeps_its_address_over_restarts_and_names_differ(tmp_path: Path) -> None:
    first, second = SeedKeyStore(tmp_path / "seed"), SeedKeyStore(tmp_path / "seed")
    assert first.create("wallet/a") == second.create("wallet/a")
    assert first.create("wallet/a") != first.create("wallet/b")


def test_the_derivation_is_the_documented_one(tmp_path: Path) -> None:
    path = tmp_path / "seed"
    path.touch(0o600)
    path.write_text("07" * 32)
    assert SeedKeyStore(path).create("fee-payer") == "De3XVQDHLkQvVgzzYvTG5yJ2Q1jXvGjMxW6gcxXXd2qG"


def test_signatures_verify_under_the_created_address(tmp_path: Path) -> None:
    keys = SeedKeyStore(tmp_path / "seed")
    [signed] = keys.sign([("fee-payer", b"message")])
    signature = Signature(signed)  # type: ignore[arg-type]
    address = Pubkey.from_string(keys.create("fee-payer"))
    assert signature.verify(address, b"message")
    assert not signature.verify(address, b"another")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "seed"
    SeedKeyStore(path)
    path.chmod(mode)
    with pytest.raises(UnsafeSeedFile, match="chmod 600"):
        SeedKeyStore(path)


@pytest.mark.parametrize("text", ["", "07" * 31, "not hexadecimal"])
def test_a_damaged_file_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "seed"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(UnsafeSeedFile):
        SeedKeyStore(path)
    assert path.read_text() == text


def test_production_is_refused_and_no_file_is_made(tmp_path: Path) -> None:
    with pytest.raises(UnsafeSeedFile):
        SeedKeyStore(tmp_path / "seed", Environment.PRODUCTION)
    assert not (tmp_path / "seed").exists()


def test_two_processes_that_start_together_share_one_seed(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: SeedKeyStore(tmp_path / "seed"), range(8)))
    assert len({store.create("x") for store in stores}) == 1
