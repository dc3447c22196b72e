"""Every message that is built is executed by the real programs in LiteSVM and moves exactly what the row says."""

import struct
from dataclasses import replace

import pytest
from solders.litesvm import LiteSVM
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from engine.settlement.programs import (
    MAX_METADATA_BYTES,
    MAX_TRANSACTION_BYTES,
    TOKEN_ACCOUNT_SIZE,
    mint_size_bytes,
    token_account,
)
from engine.settlement.settlement import Kind, Settlement
from engine.settlement.transactions import ComputeBudget, build, fee_lamports, signers
from engine.units import LOCKED_LAMPORTS
from tests.unit.settlement.samples import (
    BUY,
    CHARGE,
    CLAIM,
    FEE_PAYER,
    GRADUATION,
    KEYS,
    MINT,
    SELL,
    STRANGER,
    TOKEN_ACCOUNT_RENT,
    VAULT,
    WALLET,
    closing,
    launch,
    leaving,
    leaving_tokens,
)

BUDGET = ComputeBudget(unit_limit=120_000, unit_price_microlamports=1_000)
FUNDS = 10**11


def signed(message: MessageV0) -> VersionedTransaction:
    required = message.account_keys[: message.header.num_required_signatures]
    raw = to_bytes_versioned(message)
    return VersionedTransaction.populate(message, [KEYS[str(key)].sign_message(raw) for key in required])


@pytest.fixture
def svm() -> LiteSVM:
    chain = LiteSVM()
    for key in (FEE_PAYER, WALLET):
        chain.airdrop(key.pubkey(), FUNDS)
    return chain


def execute(svm: LiteSVM, settlement: Settlement) -> TransactionMetadata:
    message = build(settlement, str(FEE_PAYER.pubkey()), str(svm.latest_blockhash()), BUDGET)
    result = svm.send_transaction(signed(message))
    assert not isinstance(result, FailedTransactionMetadata), result
    return result


def launched(svm: LiteSVM, **texts: str) -> Settlement:
    plain = launch(**texts)
    rent = svm.minimum_balance_for_rent_exemption(mint_size_bytes(plain.name, plain.symbol, plain.uri))
    settlement = launch(**texts, mint_rent=rent)
    execute(svm, settlement)
    return settlement


def tokens_of(svm: LiteSVM, owner: Pubkey) -> int:
    account = svm.get_account(token_account(str(owner), str(MINT.pubkey())))
    assert account is not None
    return int(struct.unpack("<Q", bytes(account.data)[64:72])[0])


def test_a_launch_mints_the_whole_supply_to_the_vault_and_gives_up_every_authority(svm: LiteSVM) -> None:
    settlement = launched(svm)
    mint = svm.get_account(MINT.pubkey())
    assert mint is not None
    data = bytes(mint.data)
    assert len(data) == mint_size_bytes(settlement.name, settlement.symbol, settlement.uri)
    assert mint.lamports == settlement.rent_lamports
    assert struct.unpack("<I", data[:4]) == (0,)
    assert struct.unpack("<I", data[46:50]) == (0,)
    assert all(text.encode() in data for text in (settlement.name, settlement.symbol, settlement.uri))
    metadata_authority = data[234 + 4 : 234 + 36]
    assert metadata_authority == bytes(32)
    assert tokens_of(svm, VAULT.pubkey()) == settlement.tokens
    assert svm.get_balance(VAULT.pubkey()) == LOCKED_LAMPORTS
    assert svm.get_balance(WALLET.pubkey()) == FUNDS - settlement.lamports


def test_the_token_account_has_the_size_and_rent_the_ledger_charges(svm: LiteSVM) -> None:
    launched(svm)
    account = svm.get_account(token_account(str(VAULT.pubkey()), str(MINT.pubkey())))
    assert account is not None
    assert len(account.data) == TOKEN_ACCOUNT_SIZE
    assert account.lamports == TOKEN_ACCOUNT_RENT == svm.minimum_balance_for_rent_exemption(TOKEN_ACCOUNT_SIZE)


def test_a_buy_and_a_sell_move_both_legs_and_the_platform_alone_pays_the_network(svm: LiteSVM) -> None:
    start = launched(svm)
    before = FUNDS - start.lamports
    platform = svm.get_balance(FEE_PAYER.pubkey()) or 0
    execute(svm, BUY)
    assert tokens_of(svm, WALLET.pubkey()) == BUY.tokens
    assert svm.get_balance(WALLET.pubkey()) == before - BUY.lamports - TOKEN_ACCOUNT_RENT
    execute(svm, SELL)
    assert tokens_of(svm, WALLET.pubkey()) == BUY.tokens - SELL.tokens
    assert svm.get_balance(WALLET.pubkey()) == before - BUY.lamports - TOKEN_ACCOUNT_RENT + SELL.lamports
    assert svm.get_balance(VAULT.pubkey()) == LOCKED_LAMPORTS + BUY.lamports - SELL.lamports
    assert svm.get_balance(FEE_PAYER.pubkey()) == platform - 2 * fee_lamports(3, BUDGET)


def test_a_second_buy_that_lands_first_pays_the_rent_and_the_first_then_does_not(svm: LiteSVM) -> None:
    start = launched(svm)
    second = replace(BUY, settlement_id="3c" * 16, rent_lamports=0, lamports=7_000_000, tokens=11)
    execute(svm, second)
    execute(svm, BUY)
    spent = start.lamports + BUY.lamports + second.lamports + TOKEN_ACCOUNT_RENT
    assert svm.get_balance(WALLET.pubkey()) == FUNDS - spent


def test_a_graduation_says_the_pools_figures_under_the_vaults_name_and_moves_nothing(svm: LiteSVM) -> None:
    launched(svm)
    platform = svm.get_balance(FEE_PAYER.pubkey()) or 0
    result = execute(svm, GRADUATION)
    said = f"Program log: bh1:{GRADUATION.settlement_id}:graduated:80000000000:200000000000"
    assert {said, f"Program log: {VAULT.pubkey()}"} <= set(result.logs())
    assert svm.get_balance(VAULT.pubkey()) == LOCKED_LAMPORTS
    assert svm.get_balance(FEE_PAYER.pubkey()) == platform - fee_lamports(2, BUDGET)


def test_a_claim_pays_the_creator_from_the_vault_and_leaves_its_endowment(svm: LiteSVM) -> None:
    launched(svm)
    execute(svm, BUY)
    before = svm.get_balance(WALLET.pubkey()) or 0
    execute(svm, CLAIM)
    assert svm.get_balance(WALLET.pubkey()) == before + CLAIM.lamports
    assert svm.get_balance(VAULT.pubkey()) == LOCKED_LAMPORTS + BUY.lamports - CLAIM.lamports


def lamports_of(svm: LiteSVM, address: str | Pubkey) -> int:
    return svm.get_balance(Pubkey.from_string(str(address))) or 0


def refused(svm: LiteSVM, settlement: Settlement) -> None:
    message = build(settlement, str(FEE_PAYER.pubkey()), str(svm.latest_blockhash()), BUDGET)
    assert isinstance(svm.send_transaction(signed(message)), FailedTransactionMetadata)


@pytest.mark.parametrize("first", [BUY, replace(BUY, settlement_id="4b" * 16, rent_lamports=0)], ids=["rent", "none"])
def test_lamports_sent_to_a_token_account_before_it_exists_change_nothing_for_its_owner(
    svm: LiteSVM, first: Settlement
) -> None:
    start = launched(svm)
    svm.airdrop(token_account(BUY.wallet, BUY.token), 1)
    execute(svm, first)
    assert lamports_of(svm, BUY.wallet) == FUNDS - start.lamports - first.lamports - first.rent_lamports


def test_a_withdrawal_pays_its_destination_and_its_network_fee(svm: LiteSVM) -> None:
    platform = lamports_of(svm, FEE_PAYER.pubkey())
    execute(svm, leaving())
    assert lamports_of(svm, STRANGER) == leaving().lamports
    assert lamports_of(svm, BUY.wallet) == FUNDS - leaving().lamports - CHARGE
    assert lamports_of(svm, FEE_PAYER.pubkey()) == platform + CHARGE - fee_lamports(2, BUDGET)


def test_a_withdrawal_of_tokens_makes_the_account_it_was_charged_for(svm: LiteSVM) -> None:
    start = launched(svm)
    execute(svm, BUY)
    before = lamports_of(svm, BUY.wallet)
    execute(svm, leaving_tokens())
    assert tokens_of(svm, Pubkey.from_string(STRANGER)) == 3_000_000
    assert tokens_of(svm, WALLET.pubkey()) == BUY.tokens - 3_000_000
    assert lamports_of(svm, BUY.wallet) == before - CHARGE - TOKEN_ACCOUNT_RENT
    assert start.tokens == tokens_of(svm, VAULT.pubkey()) + BUY.tokens


def test_without_the_rent_a_withdrawal_of_tokens_makes_no_account_and_fails(svm: LiteSVM) -> None:
    launched(svm)
    execute(svm, BUY)
    refused(svm, leaving_tokens(rent_lamports=0))
    execute(svm, leaving_tokens(Kind.TRANSFER, rent_lamports=0))
    assert tokens_of(svm, Pubkey.from_string(STRANGER)) == 3_000_000


@pytest.mark.parametrize("gift_lamports", [0, 1])
def test_a_closed_account_gives_back_its_rent_less_the_fee_whatever_was_added_to_it(
    svm: LiteSVM, gift_lamports: int
) -> None:
    launched(svm)
    execute(svm, BUY)
    execute(svm, replace(SELL, tokens=BUY.tokens))
    account, before = token_account(BUY.wallet, BUY.token), lamports_of(svm, BUY.wallet)
    if gift_lamports:
        svm.airdrop(account, gift_lamports)
    execute(svm, closing())
    assert lamports_of(svm, account) == 0
    assert lamports_of(svm, BUY.wallet) == before + TOKEN_ACCOUNT_RENT - CHARGE


def test_an_account_that_holds_tokens_is_not_closed(svm: LiteSVM) -> None:
    launched(svm)
    execute(svm, BUY)
    refused(svm, closing())


@pytest.mark.parametrize(
    "settlement",
    [BUY, SELL, launch(), GRADUATION, CLAIM, leaving(), leaving_tokens(), leaving_tokens(Kind.TRANSFER), closing()],
    ids=["buy", "sell", "launch", "graduation", "claim", "withdrawal", "tokens", "transfer", "close"],
)
def test_the_signers_are_exactly_the_required_ones(settlement: Settlement) -> None:
    message = build(settlement, str(FEE_PAYER.pubkey()), "1" * 32, BUDGET)
    required = [str(key) for key in message.account_keys[: message.header.num_required_signatures]]
    assert required[0] == str(FEE_PAYER.pubkey())
    assert set(required) == set(signers(settlement, str(FEE_PAYER.pubkey())))


@pytest.mark.parametrize(
    ("name", "symbol", "uri"),
    [
        ("n" * 32, "s" * 10, "u" * 200),
        ("\U0001f431" * 32, "\U0001f431" * 10, "u" * (MAX_METADATA_BYTES - 168)),
    ],
    ids=["ascii", "four-byte characters"],
)
def test_the_longest_allowed_texts_still_fit_into_one_transaction(
    svm: LiteSVM, name: str, symbol: str, uri: str
) -> None:
    settlement = launched(svm, name=name, symbol=symbol, uri=uri)
    transaction = signed(build(settlement, str(FEE_PAYER.pubkey()), str(svm.latest_blockhash()), BUDGET))
    assert len(bytes(transaction)) <= MAX_TRANSACTION_BYTES


def test_one_byte_of_text_more_than_the_limit_does_not_fit() -> None:
    settlement = launch(name="", symbol="", uri="u" * (MAX_METADATA_BYTES + 1))
    transaction = signed(build(settlement, str(FEE_PAYER.pubkey()), "1" * 32, BUDGET))
    assert len(bytes(transaction)) > MAX_TRANSACTION_BYTES
