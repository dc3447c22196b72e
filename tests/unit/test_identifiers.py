"""Which texts are identifiers, and that an order's id belongs to one account and one client order id."""

from uuid import UUID, uuid4

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.identifiers import AccountId, is_address, is_client_order_id, new_id, new_secret, order_id


@given(st.binary(min_size=32, max_size=32))
def test_the_base58_form_of_32_bytes_is_an_address(raw: bytes) -> None:
    assert is_address(base58.b58encode(raw).decode())


@given(st.binary(max_size=40).filter(lambda raw: len(raw) != 32))
def test_no_other_length_is(raw: bytes) -> None:
    assert not is_address(base58.b58encode(raw).decode())


@pytest.mark.parametrize(
    "value",
    ["", "1" * 31, "1" * 33, "z" * 44, "1" * 5_000, "0" * 32, "O" * 32, "I" * 32, "l" * 32, "1" * 31 + "\n",
     "1" * 32 + "\n", " " + "1" * 32, "１" * 32, None, True, 1, b"1" * 32, ["1" * 32]],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:12]!a}",
)  # fmt: skip
def test_what_is_no_address_is_refused(value: object) -> None:
    assert not is_address(value)


def test_a_uuid_in_its_canonical_form_is_a_client_order_id() -> None:
    assert all(is_client_order_id(str(uuid)) for uuid in (uuid4(), UUID(int=0), UUID(int=2**128 - 1)))


UUID_TEXT = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize(
    "value",
    ["", UUID_TEXT.upper(), UUID_TEXT.replace("-", ""), "{" + UUID_TEXT + "}", "urn:uuid:" + UUID_TEXT,
     UUID_TEXT + "\n", UUID_TEXT[:-1], UUID_TEXT + "0",
     UUID_TEXT.replace("0", "０"), "g" + UUID_TEXT[1:], UUID(UUID_TEXT), 7, None, True],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:12]!a}",
)  # fmt: skip
def test_no_other_form_is(value: object) -> None:
    assert not is_client_order_id(value)


def test_an_order_id_is_32_hex_digits_and_the_same_for_ever() -> None:
    assert order_id(AccountId("account"), UUID_TEXT) == "8071a4e6c15b11a6f82eb7e4c6f371e9"


def test_accounts_and_client_ids_never_share_an_order_id() -> None:
    pairs = [(account, str(UUID(int=number))) for account in ("one", "two") for number in range(500)]
    assert len({order_id(AccountId(account), client) for account, client in pairs}) == 1_000


def test_new_ids_and_secrets_are_new() -> None:
    assert len({new_id() for _ in range(100)} | {new_secret() for _ in range(100)}) == 200
    assert len(new_id()) == 32
    assert len(new_secret()) >= 43
