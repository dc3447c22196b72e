"""What a settlement pays for a token account, and who has what the chain did not take of it. Pure.

The row says what the account should take, the chain decides how much it does: anybody may make a token account, or send
lamports to its address, before a settlement of ours lands there. What is left stays with whoever pays on the chain.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from solders.transaction import VersionedTransaction

from engine.identifiers import SOL
from engine.settlement.programs import token_account
from engine.settlement.settlement import Kind, Settlement
from engine.trading.orders import Side
from engine.trading.rows import booking_id
from engine.units import LOCKED_LAMPORTS

RENT_BACK = "rent_back"
"""The kind of transfer that books what was left; negative where an account took more than its row said."""


@dataclass(frozen=True, slots=True)
class Outlay:
    """`lamports` that the token account at `account` takes of `payer` by the row; a closed one gives them back."""

    account: str
    payer: str
    lamports: int

    def left_lamports(self, moved_lamports: int) -> int:
        """What the payer keeps beyond what the row says, once the account's own lamports have moved so."""
        return self.lamports - moved_lamports


def outlay(settlement: Settlement) -> Outlay | None:
    """What a signed settlement pays for a token account; None where none is made or closed.

    A buy's wallet pays the fee payer whatever happens, so that what it pays depends on no order of landing; the fee
    payer makes the account. Who withdraws or launches makes it himself.
    """
    wallet, payee, token = settlement.wallet, settlement.vault, settlement.token
    rent_lamports = settlement.rent_lamports
    if settlement.kind is Kind.CLOSE:
        return _outlay(settlement, wallet, fee_payer_of(settlement), -rent_lamports)
    if settlement.kind is Kind.LAUNCH:
        return _outlay(settlement, payee, wallet, settlement.lamports - rent_lamports - LOCKED_LAMPORTS)
    if settlement.side is Side.BUY:
        return _outlay(settlement, wallet, fee_payer_of(settlement), rent_lamports)
    if settlement.kind.pays_out and token != SOL and (rent_lamports or settlement.kind is Kind.TRANSFER):
        payer = wallet if rent_lamports else fee_payer_of(settlement)
        return _outlay(settlement, payee, payer, rent_lamports)
    return None


def _outlay(settlement: Settlement, owner: str, payer: str, lamports: int) -> Outlay:
    return Outlay(str(token_account(owner, settlement.token)), payer, lamports)


def fee_payer_of(settlement: Settlement) -> str:
    """Who pays the network for a signed settlement, read from its own bytes."""
    assert settlement.signed_bytes is not None, "only what is signed names its fee payer"
    return str(VersionedTransaction.from_bytes(settlement.signed_bytes).message.account_keys[0])


def transfer_ids(settlements: Iterable[Settlement]) -> list[str]:
    """The ids that what was left of these is booked under: one for every attempt, as a landed one may vanish."""
    return [
        transfer_id(settlement.settlement_id, attempt)
        for settlement in settlements
        for attempt in range(1, settlement.attempt + 1)
    ]


def transfer_id(settlement_id: str, attempt: int) -> str:
    """The id of one attempt's transfer."""
    return booking_id(RENT_BACK, settlement_id, str(attempt))
