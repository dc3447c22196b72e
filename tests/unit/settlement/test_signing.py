"""What may be signed is the one message a settlement asks for, and nothing that differs from it in any way."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from solders.compute_budget import set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from engine.adapters.keys_seed import SeedKeyStore
from engine.settlement.programs import token_account
from engine.settlement.settlement import Kind, Settlement
from engine.settlement.signing import ShapeCheck, SignerRefused
from engine.settlement.transactions import ComputeBudget, build
from engine.trading.orders import Side
from tests.unit.settlement.samples import BUY, CLAIM, GRADUATION, SELL, closing, launch, leaving, leaving_tokens

BUDGET = ComputeBudget(120_000, 0)
BLOCKHASH = "1" * 32
THIEF = Keypair.from_seed(bytes([66]) * 32).pubkey()


class Desk:
    """The check with keys of its own and settlements between them."""

    def __init__(self, path: Path) -> None:
        self.keys = SeedKeyStore(path)
        self.names = {str(self.keys.create(name)): name for name in ("fee-payer", "wallet", "vault", "mint")}
        fee_payer, wallet, vault, mint = self.names
        self.signer = ShapeCheck(fee_payer, BUDGET.unit_limit, BUDGET.unit_price_microlamports)
        self.settlements = {
            name: replace(sample, wallet=wallet, vault=vault, token=mint)
            for name, sample in (("buy", BUY), ("sell", SELL), ("launch", launch()), ("claim", CLAIM))
        }
        self.settlements["graduation"] = replace(GRADUATION, wallet=vault, vault=vault, token=mint)
        self.settlements |= {
            "sol": leaving(wallet=wallet),
            "tokens": replace(leaving_tokens(), wallet=wallet, token=mint),
            "transfer": replace(leaving_tokens(Kind.TRANSFER, rent_lamports=0), wallet=wallet, token=mint),
            "close": replace(closing(), wallet=wallet, vault=wallet, token=mint),
        }

    def message(self, settlement: Settlement, budget: ComputeBudget = BUDGET) -> MessageV0:
        return build(settlement, self.signer.fee_payer, BLOCKHASH, budget)

    def sign(self, message: MessageV0, settlement: Settlement) -> VersionedTransaction:
        """Signed by everyone it needs, if it may be."""
        raw = to_bytes_versioned(message)
        checked = self.signer.check(raw, settlement)
        signers = checked.account_keys[: checked.header.num_required_signatures]
        signatures = self.keys.sign([(self.names[str(address)], raw) for address in signers])
        return VersionedTransaction.populate(checked, [Signature(each) for each in signatures])  # type: ignore[arg-type]

    def rebuilt(self, settlement: Settlement, change: Callable[[list[Instruction]], None]) -> MessageV0:
        """The settlement's message with its instructions changed."""
        message = self.message(settlement)
        instructions = decompiled(message)
        change(instructions)
        payer = Pubkey.from_string(self.signer.fee_payer)
        return MessageV0.try_compile(payer, instructions, [], Hash.from_string(BLOCKHASH))


def decompiled(message: MessageV0) -> list[Instruction]:
    keys = message.account_keys
    return [
        Instruction(
            keys[instruction.program_id_index],
            bytes(instruction.data),
            [
                AccountMeta(keys[place], message.is_signer(place), message.is_maybe_writable(place))
                for place in bytes(instruction.accounts)
            ],
        )
        for instruction in message.instructions
    ]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "seed")


LEAVING = ["sol", "tokens", "transfer", "close"]
OF_VAULTS = ["graduation", "claim"]


@pytest.mark.parametrize("name", ["buy", "sell", "launch", *OF_VAULTS, *LEAVING])
def test_the_message_of_a_settlement_is_signed_by_everyone_it_needs(desk: Desk, name: str) -> None:
    settlement = desk.settlements[name]
    transaction = desk.sign(desk.message(settlement), settlement)
    assert len(transaction.signatures) == (2 if name in (*LEAVING, *OF_VAULTS) else 3)
    assert all(transaction.verify_with_results())


@pytest.mark.parametrize("name", ["buy", "sell", "launch", *OF_VAULTS, *LEAVING])
def test_a_message_that_was_decompiled_and_rebuilt_unchanged_is_signed(desk: Desk, name: str) -> None:
    settlement = desk.settlements[name]
    desk.sign(desk.rebuilt(settlement, lambda instructions: None), settlement)


@pytest.mark.parametrize("name", ["buy", "sell"])
@pytest.mark.parametrize(
    "changes",
    [
        {"lamports": 1},
        {"tokens": 1},
        {"decimals": 9},
        {"settlement_id": "ab" * 16},
        {"vault": str(THIEF)},
        {"wallet": str(THIEF)},
        {"token": str(THIEF)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_message_built_from_another_row_is_refused(desk: Desk, name: str, changes: dict[str, object]) -> None:
    settlement = desk.settlements[name]
    with pytest.raises(SignerRefused):
        desk.sign(desk.message(replace(settlement, **changes)), settlement)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{"tokens": 5}, {"name": "Other"}, {"symbol": "X"}, {"uri": "u"}, {"rent_lamports": 9}, {"vault": str(THIEF)}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_launch_built_from_another_row_is_refused(desk: Desk, changes: dict[str, object]) -> None:
    settlement = desk.settlements["launch"]
    with pytest.raises(SignerRefused):
        desk.sign(desk.message(replace(settlement, **changes)), settlement)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{"lamports": 1}, {"settlement_id": "ab" * 16}, {"vault": str(THIEF)}],
    ids=lambda changes: next(iter(changes)),
)
@pytest.mark.parametrize("name", ["graduation", "claim"])
def test_a_vaults_own_movement_with_other_figures_is_refused(desk: Desk, name: str, changes: dict[str, object]) -> None:
    settlement = desk.settlements[name]
    with pytest.raises(SignerRefused):
        desk.sign(desk.message(replace(settlement, **changes)), settlement)  # type: ignore[arg-type]


def test_a_graduation_signs_for_no_money(desk: Desk) -> None:
    settlement = desk.settlements["graduation"]
    vault = Pubkey.from_string(settlement.vault)
    theft = transfer(TransferParams(from_pubkey=vault, to_pubkey=THIEF, lamports=1))
    with pytest.raises(SignerRefused):
        desk.sign(desk.rebuilt(settlement, lambda instructions: instructions.insert(1, theft)), settlement)
    with pytest.raises(SignerRefused):
        desk.sign(desk.message(desk.settlements["sell"]), settlement)


@pytest.mark.parametrize("name", LEAVING)
@pytest.mark.parametrize(
    "changes",
    [
        {"settlement_id": "ab" * 16},
        {"wallet": str(THIEF)},
        {"charge_lamports": 1},
        {"token": str(THIEF)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_withdrawal_built_from_another_row_is_refused(desk: Desk, name: str, changes: dict[str, object]) -> None:
    settlement = desk.settlements[name]
    with pytest.raises(SignerRefused):
        desk.sign(desk.message(replace(settlement, **changes)), settlement)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "rent_lamports"), [("tokens", 0), ("transfer", 2_074_080), ("close", 2_074_081)])
def test_who_pays_for_a_token_account_or_gets_its_rent_is_as_in_the_row(
    desk: Desk, name: str, rent_lamports: int
) -> None:
    settlement = desk.settlements[name]
    assert settlement.rent_lamports != rent_lamports
    with pytest.raises(SignerRefused):
        desk.sign(desk.message(replace(settlement, rent_lamports=rent_lamports)), settlement)


@pytest.mark.parametrize("name", ["sol", "tokens", "transfer"])
@pytest.mark.parametrize(
    "changes", [{"vault": str(THIEF)}, {"lamports": 1, "tokens": 1}], ids=lambda changes: next(iter(changes))
)
def test_a_withdrawal_of_more_or_to_somebody_else_is_refused(desk: Desk, name: str, changes: dict[str, object]) -> None:
    settlement = desk.settlements[name]
    with pytest.raises(SignerRefused):
        desk.sign(desk.message(replace(settlement, **changes)), settlement)  # type: ignore[arg-type]


def test_a_buy_cannot_pass_for_a_sell_or_a_launch(desk: Desk) -> None:
    buy = desk.settlements["buy"]
    for other in (replace(buy, side=Side.SELL), desk.settlements["launch"]):
        with pytest.raises(SignerRefused):
            desk.sign(desk.message(buy), other)


def test_one_instruction_more_is_refused(desk: Desk) -> None:
    settlement = desk.settlements["buy"]
    theft = transfer(TransferParams(from_pubkey=Pubkey.from_string(settlement.wallet), to_pubkey=THIEF, lamports=1))
    with pytest.raises(SignerRefused):
        desk.sign(desk.rebuilt(settlement, lambda instructions: instructions.append(theft)), settlement)


@pytest.mark.parametrize("place", range(6))
def test_one_instruction_less_is_refused(desk: Desk, place: int) -> None:
    settlement = desk.settlements["buy"]
    with pytest.raises(SignerRefused):
        desk.sign(desk.rebuilt(settlement, lambda instructions: instructions.__delitem__(place)), settlement)


def test_a_strange_program_is_refused(desk: Desk) -> None:
    settlement = desk.settlements["buy"]
    strange = Instruction(THIEF, b"\x01", [])
    with pytest.raises(SignerRefused, match="none of ours"):
        desk.sign(desk.rebuilt(settlement, lambda instructions: instructions.append(strange)), settlement)


def test_a_priority_fee_the_platform_did_not_set_is_refused(desk: Desk) -> None:
    settlement = desk.settlements["buy"]
    with pytest.raises(SignerRefused, match="compute budget"):
        desk.sign(
            desk.rebuilt(settlement, lambda instructions: instructions.insert(0, set_compute_unit_price(10**9))),
            settlement,
        )
    with pytest.raises(SignerRefused, match="compute budget"):
        desk.sign(desk.message(settlement, ComputeBudget(1_400_000, 0)), settlement)


def test_tokens_sent_to_another_account_are_refused(desk: Desk) -> None:
    settlement = desk.settlements["buy"]

    def redirect(instructions: list[Instruction]) -> None:
        source, mint, _, owner = instructions[4].accounts
        stolen = AccountMeta(token_account(str(THIEF), settlement.token), False, True)
        instructions[4] = Instruction(instructions[4].program_id, instructions[4].data, [source, mint, stolen, owner])

    with pytest.raises(SignerRefused):
        desk.sign(desk.rebuilt(settlement, redirect), settlement)


def test_another_fee_payer_is_refused(desk: Desk) -> None:
    settlement = desk.settlements["buy"]
    message = build(settlement, settlement.wallet, BLOCKHASH, BUDGET)
    with pytest.raises(SignerRefused, match="fee payer"):
        desk.sign(message, settlement)


@pytest.mark.parametrize("message", [b"", b"\x80", b"\x80" + b"\xff" * 80, b"\x01" * 200])
def test_bytes_that_are_no_message_are_refused(desk: Desk, message: bytes) -> None:
    with pytest.raises(SignerRefused):
        desk.signer.check(message, desk.settlements["buy"])


def test_legacy_messages_and_trailing_bytes_are_refused(desk: Desk) -> None:
    settlement = desk.settlements["buy"]
    message = desk.message(settlement)
    legacy = Message.new_with_blockhash(
        decompiled(message), Pubkey.from_string(desk.signer.fee_payer), Hash.from_string(BLOCKHASH)
    )
    with pytest.raises(SignerRefused):
        desk.signer.check(bytes(legacy), settlement)
    with pytest.raises(SignerRefused):
        desk.signer.check(to_bytes_versioned(message) + b"\0", settlement)


def test_every_flipped_byte_outside_the_blockhash_is_refused(desk: Desk) -> None:
    settlement = desk.settlements["buy"]
    message = desk.message(settlement)
    raw = to_bytes_versioned(message)
    blockhash = 1 + 3 + 1 + 32 * len(message.account_keys)
    for place in range(len(raw)):
        if blockhash <= place < blockhash + 32:
            continue
        tampered = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(SignerRefused):
            desk.signer.check(tampered, settlement)
