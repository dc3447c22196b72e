"""What must be paid on the chain for one movement of the ledger: the value every other module here works on."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from engine.identifiers import SOL
from engine.trading.orders import Side
from engine.units import LOCKED_LAMPORTS


class Kind(StrEnum):
    """Why something moves on the chain."""

    TRADE = "trade"
    LAUNCH = "launch"
    GRADUATION = "graduation"
    CLAIM = "claim"
    SWEEP = "sweep"
    WITHDRAWAL = "withdrawal"
    TRANSFER = "transfer"
    CLOSE = "close"

    @property
    def is_withdrawal(self) -> bool:
        """Whether a trader asked for it with a withdrawal request."""
        return self in (Kind.WITHDRAWAL, Kind.TRANSFER, Kind.CLOSE)

    @property
    def pays_out(self) -> bool:
        """Whether it takes money from its account to somewhere else: what is stopped when withdrawals are frozen."""
        return self in (Kind.WITHDRAWAL, Kind.TRANSFER)

    @property
    def is_undone_by_failure(self) -> bool:
        """Whether a failed one gives its account everything back, so that nothing stays reserved for it."""
        return self in (Kind.LAUNCH, Kind.WITHDRAWAL, Kind.CLOSE)


class State(StrEnum):
    """Where a settlement stands. `signed` may be on the chain already; `failed` waits for an operator.

    `waiting` ones are asked for and not released yet, `cancelled` ones were taken back before anybody signed them.
    """

    WAITING = "waiting"
    PENDING = "pending"
    SIGNED = "signed"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Settlement:
    """One row of `settlements` with the token's texts. Amounts are lamports and base units.

    Trade: a buy moves `lamports` from wallet to vault and `tokens` back, a sell the other way; `rent_lamports` of the
    wallet's new token account come on top of a buy. Launch: the wallet pays `lamports`, `rent_lamports` of which are
    the mint's, and `tokens` are minted to the vault. Graduation: nothing moves; the vault signs a memo with the
    `lamports` and `tokens` its pool opens with, and stands for the wallet too. Claim: `lamports` go from the vault to
    the creator's wallet.

    Withdrawal, and transfer to another trading wallet: `vault` is the address that is paid, and `token` is SOL or the
    token that moves, and the wallet pays `rent_lamports` of a new token account there and the fee payer the
    `charge_lamports` for the network. Close: the wallet's empty account of `token` is closed and the fee payer pays
    the wallet its `rent_lamports` less the `charge_lamports`. Sweep: the vault pays the treasury, which `wallet` is.
    """

    settlement_id: str
    kind: Kind
    side: Side | None
    token: str
    seq: int
    account_id: str
    account_seq: int
    wallet: str
    vault: str
    lamports: int
    tokens: int
    rent_lamports: int
    decimals: int
    name: str
    symbol: str
    uri: str
    state: State
    attempt: int
    errors: int
    signature: str | None
    signed_bytes: bytes | None
    last_valid_block_height: int
    created_at_ms: int
    charge_lamports: int = 0

    @property
    def memo(self) -> str:
        """The text on the chain that ties the transaction to this row."""
        mark = f"bh1:{self.settlement_id}"
        return f"{mark}:graduated:{self.lamports}:{self.tokens}" if self.kind is Kind.GRADUATION else mark

    def outflows(self) -> Iterator[tuple[str, str, int]]:
        """What leaves whom: (payer's address, asset, amount)."""
        if self.kind is Kind.GRADUATION:
            return
        if self.kind is Kind.LAUNCH:
            yield self.wallet, SOL, self.lamports
        elif self.kind is Kind.CLOSE:
            return
        elif self.kind.pays_out:
            yield self.wallet, SOL, self.lamports + self.rent_lamports + self.charge_lamports
            if self.tokens:
                yield self.wallet, self.token, self.tokens
        elif self.kind in (Kind.CLAIM, Kind.SWEEP):
            yield self.vault, SOL, self.lamports
        elif self.side is Side.BUY:
            yield self.wallet, SOL, self.lamports + self.rent_lamports
            yield self.vault, self.token, self.tokens
        else:
            yield self.vault, SOL, self.lamports
            yield self.wallet, self.token, self.tokens

    def effects(self) -> Iterator[tuple[str, str, int]]:
        """What its landing changes on owned addresses: (address, asset, signed amount), network fee apart.

        The ledger is moved by the same amounts, mostly when the row is written (see `is_booked`); reconciliation rests
        on that. What the fee payer is paid for the network, `charge_lamports`, is none of them, and what the chain
        does not take of a rent comes on top (`engine/settlement/outlays.py`).
        """
        for payer, asset, amount in self.outflows():
            yield payer, asset, -amount
        if self.kind is Kind.GRADUATION:
            return
        if self.kind is Kind.LAUNCH:
            yield self.vault, SOL, LOCKED_LAMPORTS
            yield self.vault, self.token, self.tokens
        elif self.kind is Kind.CLOSE:
            yield self.wallet, SOL, self.rent_lamports - self.charge_lamports
        elif self.kind is Kind.TRANSFER:
            yield self.vault, self.token, self.tokens or self.lamports
        elif self.kind in (Kind.WITHDRAWAL, Kind.SWEEP):
            return
        elif self.kind is Kind.CLAIM:
            yield self.wallet, SOL, self.lamports
        elif self.side is Side.BUY:
            yield self.vault, SOL, self.lamports
            yield self.wallet, self.token, self.tokens
        else:
            yield self.wallet, SOL, self.lamports
            yield self.vault, self.token, self.tokens

    def is_booked(self, address: str) -> bool:
        """Whether the ledger has moved this address by its effects already."""
        if self.kind is Kind.CLOSE:
            return self.state is State.CONFIRMED
        return not (self.kind is Kind.TRANSFER and address == self.vault and self.state is State.WAITING)

    def order_at(self, payer: str) -> int:
        """This settlement's place among the payer's own: by `account_seq` for its wallet, by `seq` for its vault."""
        return self.account_seq if payer == self.wallet else self.seq
