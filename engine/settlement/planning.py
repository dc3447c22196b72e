"""The sending rule: which unsettled settlements may be sent now. Pure.

A settlement may be sent when every payer of it holds enough of the asset, at a read of confirmed balances, for all of
that payer's earlier unsettled outflows and then this one. So a payment is never sent at the cost of an earlier one,
later ones need not wait for earlier ones to confirm, and the earliest unsettled settlement of a solvent ledger can
always be sent.

Settled means confirmed at or before the slot of the balance read: whatever was confirmed later counts as an outflow
still to come, even if the read already shows it, which errs on the safe side.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.identifiers import SOL
from engine.ports import ChainBalances
from engine.settlement.settlement import Kind, Settlement
from engine.units import LOCKED_LAMPORTS


@dataclass(frozen=True, slots=True)
class Holdings:
    """What payers hold on the chain: (address, asset) → amount, true at `slot`. What is missing is not covered."""

    slot: int
    amounts: Mapping[tuple[str, str], int]

    @classmethod
    def of(cls, found: ChainBalances) -> "Holdings":
        """What the chain said."""
        lamports = {(address, str(SOL)): amount for address, amount in found.lamports.items()}
        return cls(found.slot, lamports | found.tokens)

    def spendable(self, payer: str, asset: str) -> int:
        """Lamports above the locked minimum, or all base units."""
        held = self.amounts.get((payer, asset), 0)
        return held - LOCKED_LAMPORTS if asset == SOL else held


def sendable(
    pending: Iterable[Settlement],
    in_flight: Iterable[Settlement],
    confirmed: Iterable[tuple[Settlement, int]],
    holdings: Holdings,
) -> list[Settlement]:
    """The pending settlements that may be sent, in their order.

    `pending` must hold every pending settlement earlier than any it holds of the same payer; `in_flight` all that were
    sent or failed and are not settled; `confirmed` recent ones with the slot they were confirmed in.

    While a token account is being closed nothing else of it is sent: it was asked for when nothing else was unsettled,
    and whatever comes later counts on a closed account.
    """
    waiting = list(pending)
    later = (settlement for settlement, slot in confirmed if slot > holdings.slot)
    unsettled = list({settlement.settlement_id: settlement for settlement in (*waiting, *in_flight, *later)}.values())
    queues: dict[tuple[str, str], list[tuple[int, str, int]]] = {}
    for settlement in unsettled:
        for payer, asset, amount in settlement.outflows():
            entry = settlement.order_at(payer), settlement.settlement_id, amount
            queues.setdefault((payer, asset), []).append(entry)
    uncovered = _uncovered(queues, holdings)
    closing = {(settlement.wallet, settlement.token) for settlement in unsettled if settlement.kind is Kind.CLOSE}
    return [
        settlement
        for settlement in waiting
        if settlement.settlement_id not in uncovered and not _waits_for_close(settlement, closing)
    ]


def _waits_for_close(settlement: Settlement, closing: set[tuple[str, str]]) -> bool:
    if not closing or settlement.kind is Kind.CLOSE:
        return False
    owners = settlement.wallet, settlement.vault
    return any((owner, settlement.token) in closing for owner in owners)


def _uncovered(queues: Mapping[tuple[str, str], list[tuple[int, str, int]]], holdings: Holdings) -> set[str]:
    """Settlements that some payer cannot cover after all of its earlier ones."""
    uncovered: set[str] = set()
    for (payer, asset), queue in queues.items():
        left = holdings.spendable(payer, asset)
        for _, settlement_id, amount in sorted(queue):
            left -= amount
            if left < 0:
                uncovered.add(settlement_id)
    return uncovered


@dataclass(frozen=True, slots=True)
class Payer:
    """Who cannot pay which asset of which settlement."""

    settlement: Settlement
    address: str
    asset: str


def short_payers(
    pending: Iterable[Settlement],
    in_flight: Iterable[Settlement],
    confirmed: Iterable[tuple[Settlement, int]],
    holdings: Holdings,
) -> list[Payer]:
    """Payers that hold too little for their first unsettled payment, with nothing on its way that would fill it up.

    A solvent ledger has none: whatever came in earlier is settled, so the chain holds less than the ledger says.
    """
    waiting = list(pending)
    later = (settlement for settlement, slot in confirmed if slot > holdings.slot)
    unsettled = {settlement.settlement_id: settlement for settlement in (*waiting, *in_flight, *later)}
    first: dict[tuple[str, str], tuple[int, str]] = {}
    filling: dict[tuple[str, str], int] = {}
    for settlement in unsettled.values():
        for address, asset, amount in settlement.effects():
            order = settlement.order_at(address)
            if amount < 0:
                entry = order, settlement.settlement_id
                first[address, asset] = min(first.get((address, asset), entry), entry)
            else:
                filling[address, asset] = min(filling.get((address, asset), order), order)
    return [
        Payer(settlement, payer, asset)
        for settlement in waiting
        for payer, asset, amount in settlement.outflows()
        if first[payer, asset][1] == settlement.settlement_id
        and filling.get((payer, asset), first[payer, asset][0] + 1) > first[payer, asset][0]
        and holdings.spendable(payer, asset) < amount
    ]
