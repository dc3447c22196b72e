"""What is built: a settlement becomes one Solana message. Pure; `signing.py` checks it again without this module.

Every transaction is paid for by the platform's fee payer and carries the memo `bh1:{settlement id}`. Its data is
packed here because solana-py's parameter models cost more than signing does; the layouts are those of the programs'
published interfaces (System, Token-2022 with its metadata extensions, Associated Token Account, Compute Budget).
"""

import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from engine.identifiers import SOL
from engine.settlement.programs import (
    ASSOCIATED_TOKEN,
    COMPUTE_BUDGET,
    LAMPORTS_PER_SIGNATURE,
    MEMO,
    MINT_BASE_SIZE,
    SYSTEM,
    TOKEN_2022,
    token_account,
)
from engine.settlement.settlement import Kind, Settlement
from engine.trading.orders import Side
from engine.units import LOCKED_LAMPORTS

MINT_TOKENS_AUTHORITY = 0


@dataclass(frozen=True, slots=True)
class ComputeBudget:
    """What a transaction may use, and what each unit of it is worth to the platform in micro-lamports."""

    unit_limit: int
    unit_price_microlamports: int

    @property
    def priority_fee_lamports(self) -> int:
        """The fee on top of the signatures', rounded up as the runtime does."""
        return -(-self.unit_limit * self.unit_price_microlamports // 1_000_000)


def signers(settlement: Settlement, fee_payer: str) -> tuple[str, ...]:
    """The addresses that must sign, the fee payer first."""
    if settlement.kind is Kind.TRADE:
        return fee_payer, settlement.wallet, settlement.vault
    if settlement.kind is Kind.LAUNCH:
        return fee_payer, settlement.wallet, settlement.token
    if settlement.kind in (Kind.GRADUATION, Kind.CLAIM, Kind.SWEEP):
        return fee_payer, settlement.vault
    return fee_payer, settlement.wallet


def fee_lamports(signature_count: int, budget: ComputeBudget) -> int:
    """What the network charges the fee payer."""
    return LAMPORTS_PER_SIGNATURE * signature_count + budget.priority_fee_lamports


def fee_lamports_of(signed: bytes) -> int:
    """What a signed transaction of ours costs, read from its own bytes: settings may have changed since."""
    transaction = VersionedTransaction.from_bytes(signed)
    unit_limit = unit_price = 0
    for instruction in transaction.message.instructions:
        if transaction.message.account_keys[instruction.program_id_index] == COMPUTE_BUDGET:
            kind = instruction.data[0]
            if kind == 2:
                (unit_limit,) = struct.unpack("<xI", instruction.data)
            elif kind == 3:
                (unit_price,) = struct.unpack("<xQ", instruction.data)
    return fee_lamports(len(transaction.signatures), ComputeBudget(unit_limit, unit_price))


def build(settlement: Settlement, fee_payer: str, blockhash: str, budget: ComputeBudget) -> MessageV0:
    """The unsigned message of a settlement."""
    instructions = [*_budget(budget), *_LEGS[settlement.kind](settlement, fee_payer), _memo(settlement)]
    return MessageV0.try_compile(Pubkey.from_string(fee_payer), instructions, [], Hash.from_string(blockhash))


def _memo(settlement: Settlement) -> Instruction:
    """A graduation's memo is signed by the vault itself, so that it is found in the vault's history."""
    vault = AccountMeta(Pubkey.from_string(settlement.vault), is_signer=True, is_writable=False)
    return Instruction(MEMO, settlement.memo.encode(), [vault] if settlement.kind is Kind.GRADUATION else [])


def blockhash_of(transaction: bytes) -> str:
    """The blockhash that a signed transaction names."""
    return str(VersionedTransaction.from_bytes(transaction).message.recent_blockhash)


def message_bytes(message: MessageV0) -> bytes:
    """What is signed: the message with its version prefix."""
    return to_bytes_versioned(message)


def _budget(budget: ComputeBudget) -> list[Instruction]:
    limit = Instruction(COMPUTE_BUDGET, struct.pack("<BI", 2, budget.unit_limit), [])
    if budget.unit_price_microlamports == 0:
        return [limit]
    return [limit, Instruction(COMPUTE_BUDGET, struct.pack("<BQ", 3, budget.unit_price_microlamports), [])]


def _trade(settlement: Settlement, fee_payer: str) -> list[Instruction]:
    """The token account is always made if missing: two buys may land in either order, and rent is paid once.

    The fee payer makes it and the wallet pays what the row says, so that what leaves the wallet depends neither on the
    order of landing nor on lamports that somebody sent to the account's address before.
    """
    wallet, vault = settlement.wallet, settlement.vault
    if settlement.side is Side.BUY:
        return [
            *_reimbursement(settlement, fee_payer, settlement.rent_lamports),
            _make_token_account(payer=fee_payer, owner=wallet, mint=settlement.token),
            _pay(wallet, vault, settlement.lamports),
            _transfer_tokens(settlement, source=vault, destination=wallet),
        ]
    return [
        _pay(vault, wallet, settlement.lamports),
        _transfer_tokens(settlement, source=wallet, destination=vault),
    ]


def _withdrawal(settlement: Settlement, fee_payer: str) -> list[Instruction]:
    """A token account is made only where its rent was asked for, or where it may be on its way: at a wallet of ours.

    Without one the transaction fails and is undone: otherwise whoever closed his in time would earn the rent. Who was
    asked for it makes the account himself: where a stranger has made it meanwhile, the rent stays in the wallet.
    """
    wallet, payee = settlement.wallet, settlement.vault
    legs = _reimbursement(settlement, fee_payer, settlement.charge_lamports)
    if settlement.token == SOL:
        return [*legs, _pay(wallet, payee, settlement.lamports)]
    if settlement.rent_lamports or settlement.kind is Kind.TRANSFER:
        payer = wallet if settlement.rent_lamports else fee_payer
        legs.append(_make_token_account(payer=payer, owner=payee, mint=settlement.token))
    return [*legs, _transfer_tokens(settlement, source=wallet, destination=payee)]


def _close(settlement: Settlement, fee_payer: str) -> list[Instruction]:
    """The fee payer takes whatever the account holds and pays the row's amount: strangers may have added to it."""
    account = token_account(settlement.wallet, settlement.token)
    metas = [
        AccountMeta(account, False, True),
        AccountMeta(Pubkey.from_string(fee_payer), True, True),
        AccountMeta(Pubkey.from_string(settlement.wallet), True, True),
    ]
    back_lamports = settlement.rent_lamports - settlement.charge_lamports
    return [Instruction(TOKEN_2022, bytes([9]), metas), _pay(fee_payer, settlement.wallet, back_lamports)]


def _reimbursement(settlement: Settlement, fee_payer: str, lamports: int) -> list[Instruction]:
    """What the wallet pays for what the fee payer lays out: a new token account's rent, or the network's charge."""
    return [_pay(settlement.wallet, fee_payer, lamports)] if lamports else []


def _launch(settlement: Settlement, fee_payer: str) -> list[Instruction]:
    """Mint with its own metadata, whole supply to the vault, every authority given up in the same transaction."""
    mint, authority = Pubkey.from_string(settlement.token), Pubkey.from_string(fee_payer)
    written = AccountMeta(mint, is_signer=False, is_writable=True)
    signed = AccountMeta(authority, is_signer=True, is_writable=False)
    vault_account = token_account(settlement.vault, settlement.token)
    texts = b"".join(_text(text) for text in (settlement.name, settlement.symbol, settlement.uri))
    return [
        _create_mint_account(settlement.wallet, mint, settlement.rent_lamports),
        Instruction(TOKEN_2022, bytes([39, 0]) + bytes(32) + bytes(mint), [written]),  # metadata pointer, no authority
        Instruction(TOKEN_2022, bytes([20, settlement.decimals]) + bytes(authority) + b"\0", [written]),  # no freezing
        Instruction(
            TOKEN_2022,
            discriminator("initialize_account") + texts,
            [written, AccountMeta(authority, False, False), AccountMeta(mint, False, False), signed],
        ),
        _pay(settlement.wallet, settlement.vault, LOCKED_LAMPORTS),
        _make_token_account(payer=settlement.wallet, owner=settlement.vault, mint=settlement.token),
        Instruction(
            TOKEN_2022,
            struct.pack("<BQB", 14, settlement.tokens, settlement.decimals),
            [written, AccountMeta(vault_account, False, True), signed],
        ),
        Instruction(TOKEN_2022, discriminator("update_the_authority") + bytes(32), [written, signed]),
        Instruction(TOKEN_2022, bytes([6, MINT_TOKENS_AUTHORITY, 0]), [written, signed]),
    ]


def discriminator(name: str) -> bytes:
    """How the token metadata interface names an instruction: the first eight bytes of a SHA-256."""
    return hashlib.sha256(f"spl_token_metadata_interface:{name}".encode()).digest()[:8]


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<I", len(raw)) + raw


def _pay(source: str, destination: str, lamports: int) -> Instruction:
    return Instruction(
        SYSTEM,
        struct.pack("<IQ", 2, lamports),
        [
            AccountMeta(Pubkey.from_string(source), True, True),
            AccountMeta(Pubkey.from_string(destination), False, True),
        ],
    )


def _create_mint_account(payer: str, mint: Pubkey, lamports: int) -> Instruction:
    data = struct.pack("<IQQ", 0, lamports, MINT_BASE_SIZE) + bytes(TOKEN_2022)
    return Instruction(
        SYSTEM, data, [AccountMeta(Pubkey.from_string(payer), True, True), AccountMeta(mint, True, True)]
    )


def _make_token_account(payer: str, owner: str, mint: str) -> Instruction:
    return Instruction(
        ASSOCIATED_TOKEN,
        b"\x01",
        [
            AccountMeta(Pubkey.from_string(payer), True, True),
            AccountMeta(token_account(owner, mint), False, True),
            AccountMeta(Pubkey.from_string(owner), False, False),
            AccountMeta(Pubkey.from_string(mint), False, False),
            AccountMeta(SYSTEM, False, False),
            AccountMeta(TOKEN_2022, False, False),
        ],
    )


def _transfer_tokens(settlement: Settlement, source: str, destination: str) -> Instruction:
    return Instruction(
        TOKEN_2022,
        struct.pack("<BQB", 12, settlement.tokens, settlement.decimals),
        [
            AccountMeta(token_account(source, settlement.token), False, True),
            AccountMeta(Pubkey.from_string(settlement.token), False, False),
            AccountMeta(token_account(destination, settlement.token), False, True),
            AccountMeta(Pubkey.from_string(source), True, False),
        ],
    )


_LEGS: Final[Mapping[Kind, Callable[[Settlement, str], list[Instruction]]]] = {
    Kind.TRADE: _trade,
    Kind.LAUNCH: _launch,
    Kind.GRADUATION: lambda settlement, fee_payer: [],
    Kind.CLAIM: lambda settlement, fee_payer: [_pay(settlement.vault, settlement.wallet, settlement.lamports)],
    Kind.SWEEP: lambda settlement, fee_payer: [_pay(settlement.vault, settlement.wallet, settlement.lamports)],
    Kind.WITHDRAWAL: _withdrawal,
    Kind.TRANSFER: _withdrawal,
    Kind.CLOSE: _close,
}
