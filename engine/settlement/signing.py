"""What may be signed: a message is read again from its bytes and held against the settlement that asks for it. Pure.

It shares no code with `transactions.py` but program ids and sizes, and knows only the instructions this project builds:
any other program, instruction, address, amount or signer is refused, whoever made the message.
"""

import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import SanitizeError

from engine.errors import Refusal
from engine.identifiers import SOL
from engine.settlement.programs import (
    ASSOCIATED_TOKEN,
    COMPUTE_BUDGET,
    MEMO,
    MINT_BASE_SIZE,
    SYSTEM,
    TOKEN_2022,
    token_account,
)
from engine.settlement.settlement import Kind, Settlement
from engine.trading.orders import Side
from engine.units import LOCKED_LAMPORTS


class SignerRefused(Refusal):
    """The message is not what the settlement asks for, or not a message this project builds."""

    code = "signer_refused"
    status = 403


@dataclass(frozen=True, slots=True)
class Step:
    """One decoded instruction: program, what it does, the accounts it touches in order, and its arguments."""

    program: Pubkey
    does: str
    accounts: tuple[str, ...] = ()
    arguments: tuple[int | str | bytes, ...] = ()


_METADATA: Final = {
    hashlib.sha256(f"spl_token_metadata_interface:{name}".encode()).digest()[:8]: does
    for name, does in (("initialize_account", "write metadata"), ("update_the_authority", "set metadata authority"))
}


class ShapeCheck:
    """Knows the messages this project builds for its fee payer."""

    def __init__(self, fee_payer: str, unit_limit: int, unit_price_microlamports: int) -> None:
        self.fee_payer = fee_payer
        self._budget = (unit_limit, unit_price_microlamports)

    def check(self, message: bytes, settlement: Settlement) -> MessageV0:
        """The serialised message, decoded, if it is the one the settlement asks for.

        Raises:
            SignerRefused: it is any other.
        """
        decoded = _decoded(message)
        self._check(decoded, settlement)
        return decoded

    def _check(self, message: MessageV0, settlement: Settlement) -> None:
        if message.address_table_lookups:
            raise SignerRefused("the message looks addresses up in a table")
        addresses = [str(key) for key in message.account_keys]
        if addresses[0] != self.fee_payer:
            raise SignerRefused("the fee payer is not the platform's", address=addresses[0])
        steps = [_step(message, addresses, instruction) for instruction in message.instructions]
        budget = [step for step in steps if step.program == COMPUTE_BUDGET]
        self._check_budget(budget)
        found = [step for step in steps if step.program != COMPUTE_BUDGET]
        wanted = _wanted(settlement, self.fee_payer)
        if found != wanted:
            raise SignerRefused("the instructions are not the settlement's", settlement=settlement.settlement_id)
        self._check_privileges(message, addresses, settlement)

    def _check_budget(self, steps: list[Step]) -> None:
        limit, price = self._budget
        allowed = [Step(COMPUTE_BUDGET, "limit units", (), (limit,))]
        if price:
            allowed.append(Step(COMPUTE_BUDGET, "price units", (), (price,)))
        if steps != allowed:
            raise SignerRefused("the compute budget is not the platform's")

    def _check_privileges(self, message: MessageV0, addresses: list[str], settlement: Settlement) -> None:
        signers, writable = _privileged(settlement, self.fee_payer)
        if signers != set(addresses[: message.header.num_required_signatures]):
            raise SignerRefused("the signers are not the settlement's", settlement=settlement.settlement_id)
        if writable != {address for place, address in enumerate(addresses) if message.is_maybe_writable(place)}:
            raise SignerRefused("the writable accounts are not the settlement's", settlement=settlement.settlement_id)


def _privileged(settlement: Settlement, fee_payer: str) -> tuple[set[str], set[str]]:
    """Who must sign, and whose accounts may change."""
    wallet, vault, token = settlement.wallet, settlement.vault, settlement.token
    if settlement.kind is Kind.GRADUATION:
        return {fee_payer, vault}, {fee_payer}
    if settlement.kind is Kind.CLOSE:
        return {fee_payer, wallet}, {fee_payer, wallet, str(token_account(wallet, token))}
    if settlement.kind in (Kind.CLAIM, Kind.SWEEP):
        return {fee_payer, vault}, {fee_payer, vault, wallet}
    if settlement.kind.pays_out and token == SOL:
        return {fee_payer, wallet}, {fee_payer, wallet, vault}
    writable = {fee_payer, wallet, str(token_account(vault, token))}
    if settlement.kind is Kind.LAUNCH:
        return {fee_payer, wallet, token}, writable | {vault, token}
    writable.add(str(token_account(wallet, token)))
    if settlement.kind.pays_out:
        return {fee_payer, wallet}, writable
    return {fee_payer, wallet, vault}, writable | {vault}


def _decoded(message: bytes) -> MessageV0:
    try:
        if not message or not message[0] & 0x80:
            raise SignerRefused("the message is of the legacy form")
        decoded = MessageV0.from_bytes(message[1:])
        decoded.sanitize()
    except (ValueError, SanitizeError) as error:
        raise SignerRefused(f"the message cannot be read: {error}") from error
    if to_bytes_versioned(decoded) != message:
        raise SignerRefused("the message has bytes that mean nothing")
    return decoded


def _step(message: MessageV0, addresses: list[str], instruction: object) -> Step:
    program = message.account_keys[instruction.program_id_index]  # type: ignore[attr-defined]
    accounts = tuple(addresses[place] for place in bytes(instruction.accounts))  # type: ignore[attr-defined]
    data = bytes(instruction.data)  # type: ignore[attr-defined]
    try:
        does, arguments = _READERS[program](data)
    except (KeyError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise SignerRefused("an instruction is none of ours", program=str(program)) from error
    return Step(program, does, accounts, arguments)


_Reading = tuple[str, tuple[int | str | bytes, ...]]


def _read_budget(data: bytes) -> _Reading:
    does, layout = {2: ("limit units", "<BI"), 3: ("price units", "<BQ")}[data[0]]
    return does, struct.unpack(layout, data)[1:]


def _read_system(data: bytes) -> _Reading:
    does, layout = {b"\2\0\0\0": ("pay", "<IQ"), b"\0\0\0\0": ("create account", "<IQQ32s")}[data[:4]]
    return does, struct.unpack(layout, data)[1:]


def _read_associated(data: bytes) -> _Reading:
    return {b"\1": "make token account"}[data], ()


def _read_memo(data: bytes) -> _Reading:
    return "memo", (data.decode(),)


def _read_token(data: bytes) -> _Reading:
    does = _METADATA.get(data[:8])
    if does is not None:
        return does, (data[8:],)
    does, layout = {
        6: ("set authority", "<BB"),
        9: ("close account", "<"),
        12: ("transfer", "<QB"),
        14: ("mint", "<QB"),
        20: ("initialise mint", "<B32sB"),
        39: ("metadata pointer", "<B32s32s"),
    }[data[0]]
    return does, struct.unpack(layout, data[1:])


_READERS: Final = {
    COMPUTE_BUDGET: _read_budget,
    SYSTEM: _read_system,
    ASSOCIATED_TOKEN: _read_associated,
    TOKEN_2022: _read_token,
    MEMO: _read_memo,
}


def _wanted(settlement: Settlement, fee_payer: str) -> list[Step]:
    """What the settlement's message must do besides its compute budget, in order."""
    mark = f"bh1:{settlement.settlement_id}"
    if settlement.kind is Kind.GRADUATION:
        figures = f"{mark}:graduated:{settlement.lamports}:{settlement.tokens}"
        return [Step(MEMO, "memo", (settlement.vault,), (figures,))]
    return [*_STEPS[settlement.kind](settlement, fee_payer), Step(MEMO, "memo", (), (mark,))]


def _claim_steps(settlement: Settlement, _: str) -> list[Step]:
    return [Step(SYSTEM, "pay", (settlement.vault, settlement.wallet), (settlement.lamports,))]


def _trade_steps(settlement: Settlement, fee_payer: str) -> list[Step]:
    wallet, vault, mint = settlement.wallet, settlement.vault, settlement.token
    buys = settlement.side is Side.BUY
    payer, payee = (wallet, vault) if buys else (vault, wallet)
    steps = [
        Step(SYSTEM, "pay", (payer, payee), (settlement.lamports,)),
        _token_step(settlement, payee, payer),
    ]
    if not buys:
        return steps
    outlay = _outlay_steps(settlement, fee_payer, settlement.rent_lamports)
    return [*outlay, _account_step(fee_payer, wallet, mint), *steps]


def _outlay_steps(settlement: Settlement, fee_payer: str, lamports: int) -> list[Step]:
    return [Step(SYSTEM, "pay", (settlement.wallet, fee_payer), (lamports,))] if lamports else []


def _token_step(settlement: Settlement, source: str, destination: str) -> Step:
    accounts = (
        str(token_account(source, settlement.token)),
        settlement.token,
        str(token_account(destination, settlement.token)),
        source,
    )
    return Step(TOKEN_2022, "transfer", accounts, (settlement.tokens, settlement.decimals))


def _withdrawal_steps(settlement: Settlement, fee_payer: str) -> list[Step]:
    wallet, payee, mint = settlement.wallet, settlement.vault, settlement.token
    steps = _outlay_steps(settlement, fee_payer, settlement.charge_lamports)
    if mint == SOL:
        return [*steps, Step(SYSTEM, "pay", (wallet, payee), (settlement.lamports,))]
    if settlement.rent_lamports:
        steps.append(_account_step(wallet, payee, mint))
    elif settlement.kind is Kind.TRANSFER:
        steps.append(_account_step(fee_payer, payee, mint))
    return [*steps, _token_step(settlement, wallet, payee)]


def _close_steps(settlement: Settlement, fee_payer: str) -> list[Step]:
    wallet = settlement.wallet
    accounts = (str(token_account(wallet, settlement.token)), fee_payer, wallet)
    back_lamports = settlement.rent_lamports - settlement.charge_lamports
    return [
        Step(TOKEN_2022, "close account", accounts),
        Step(SYSTEM, "pay", (fee_payer, wallet), (back_lamports,)),
    ]


def _launch_steps(settlement: Settlement, fee_payer: str) -> list[Step]:
    wallet, vault, mint = settlement.wallet, settlement.vault, settlement.token
    raw_mint, raw_payer = (bytes(Pubkey.from_string(address)) for address in (mint, fee_payer))
    texts = [text.encode() for text in (settlement.name, settlement.symbol, settlement.uri)]
    metadata = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return [
        Step(SYSTEM, "create account", (wallet, mint), (settlement.rent_lamports, MINT_BASE_SIZE, bytes(TOKEN_2022))),
        Step(TOKEN_2022, "metadata pointer", (mint,), (0, bytes(32), raw_mint)),
        Step(TOKEN_2022, "initialise mint", (mint,), (settlement.decimals, raw_payer, 0)),
        Step(TOKEN_2022, "write metadata", (mint, fee_payer, mint, fee_payer), (metadata,)),
        Step(SYSTEM, "pay", (wallet, vault), (LOCKED_LAMPORTS,)),
        _account_step(wallet, vault, mint),
        Step(
            TOKEN_2022,
            "mint",
            (mint, str(token_account(vault, mint)), fee_payer),
            (settlement.tokens, settlement.decimals),
        ),
        Step(TOKEN_2022, "set metadata authority", (mint, fee_payer), (bytes(32),)),
        Step(TOKEN_2022, "set authority", (mint, fee_payer), (0, 0)),
    ]


def _account_step(payer: str, owner: str, mint: str) -> Step:
    accounts = (payer, str(token_account(owner, mint)), owner, mint, str(SYSTEM), str(TOKEN_2022))
    return Step(ASSOCIATED_TOKEN, "make token account", accounts)


_STEPS: Final[Mapping[Kind, Callable[[Settlement, str], list[Step]]]] = {
    Kind.TRADE: _trade_steps,
    Kind.LAUNCH: _launch_steps,
    Kind.CLAIM: _claim_steps,
    Kind.SWEEP: _claim_steps,
    Kind.WITHDRAWAL: _withdrawal_steps,
    Kind.TRANSFER: _withdrawal_steps,
    Kind.CLOSE: _close_steps,
}
