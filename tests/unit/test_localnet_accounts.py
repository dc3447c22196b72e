"""Token accounts and mints are told apart by their bytes, and amounts are shown exactly."""

import struct

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from engine.localnet.accounts import TOKEN, TOKEN_2022, holding, mint, ui_amount

OWNER, MINT = Pubkey.new_unique(), Pubkey.new_unique()
HOLDING = bytes(MINT) + bytes(OWNER) + struct.pack("<Q", 77) + bytes(36) + b"\x01" + bytes(56)
MINTED = bytes(36) + struct.pack("<QBB", 600, 6, 1) + bytes(36)


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        (0, 6, "0"),
        (1, 6, "0.000001"),
        (1_500_000, 6, "1.5"),
        (10_000_000, 6, "10"),
        (7, 0, "7"),
        (2**64 - 1, 9, "18446744073.709551615"),
    ],
)
def test_amounts_are_shown_to_the_last_digit_without_trailing_zeros(amount: int, decimals: int, text: str) -> None:
    shown = ui_amount(amount, decimals)
    assert (shown["amount"], shown["decimals"], shown["uiAmountString"]) == (str(amount), decimals, text)


def test_a_token_account_is_read_with_and_without_extensions() -> None:
    for data, program in ((HOLDING, TOKEN), (HOLDING + b"\x02" + bytes(4), TOKEN_2022)):
        held = holding(Account(1, data, program))
        assert held is not None
        assert (held.mint, held.owner, held.amount, held.program) == (MINT, OWNER, 77, program)
        assert mint(Account(1, data, program)) is None


def test_a_long_token_2022_mint_is_not_taken_for_a_token_account() -> None:
    padded = MINTED + bytes(83) + b"\x01" + bytes(200)
    padded = padded[:108] + b"\x01" + padded[109:]  # even where a token account keeps its state
    minted = mint(Account(1, padded, TOKEN_2022))
    assert minted is not None
    assert (minted.supply, minted.decimals, minted.mint_authority) == (600, 6, None)
    assert holding(Account(1, padded, TOKEN_2022)) is None


def test_bytes_of_other_programs_and_uninitialized_accounts_are_no_tokens() -> None:
    assert holding(Account(1, HOLDING, Pubkey.new_unique())) is None
    assert holding(Account(1, bytes(165), TOKEN)) is None
    assert mint(Account(1, bytes(82), TOKEN)) is None
