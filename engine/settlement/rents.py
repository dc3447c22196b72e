"""Asking the chain what token accounts really took, and booking what was left in the confirming transaction.

The trading wallet that kept it has it as balance; what the fee payer kept is the platform's and moves no balance.
"""

from collections.abc import Iterable, Mapping, Sequence

from engine.identifiers import SOL
from engine.persistence import rents as rows
from engine.persistence.database import Connection
from engine.persistence.deposits import lock_sol
from engine.ports import BusMessage, Chain
from engine.settlement.outlays import RENT_BACK, outlay, transfer_id, transfer_ids
from engine.settlement.settlement import Settlement
from engine.trading import events
from engine.trading.rows import Row


async def left_lamports(chain: Chain, landed: Iterable[Settlement]) -> dict[str, int | None]:
    """What was left of each landed settlement's outlay, by its id; None while the node does not show its transaction.

    Without those that make or close no token account.

    Raises:
        engine.errors.Unavailable: the chain cannot be asked.
    """
    asked = [(each, paid, each.signature) for each in landed if (paid := outlay(each)) is not None and each.signature]
    moved = await chain.lamports_moved([(paid.account, signature) for _, paid, signature in asked])
    return {
        settlement.settlement_id: None if lamports is None else paid.left_lamports(lamports)
        for (settlement, paid, _), lamports in zip(asked, moved, strict=True)
    }


def book(
    connection: Connection, confirmed: Sequence[Settlement], left: Mapping[str, int | None], now_ms: int
) -> list[BusMessage]:
    """Book what was left of these, less what an attempt that vanished from the chain has booked; what to publish."""
    concerned = [each for each in confirmed if left.get(each.settlement_id) or each.attempt > 1]
    if not concerned:
        return []
    booked = rows.booked(connection, transfer_ids(concerned))
    due: list[tuple[Settlement, str, int]] = []
    for each in concerned:
        lamports = (left.get(each.settlement_id) or 0) - booked.get(each.settlement_id, ("", 0))[1]
        paid = outlay(each)
        if paid is not None and lamports:
            due.append((each, paid.payer, lamports))
    balances = lock_sol(connection, {each.account_id for each, payer, _ in due if payer == each.wallet})
    transfers: list[Row] = []
    messages: list[BusMessage] = []
    for settlement, payer, lamports in due:
        account_id, account_seq = None, 0
        if payer == settlement.wallet:
            account_id, balance = settlement.account_id, balances[settlement.account_id]
            balance["amount"] += lamports
            account_seq = balance["account_seq"] = balance["account_seq"] + 1
            messages.append(events.balance_changed(account_id, RENT_BACK, lamports, account_seq))
        movement = {"account_id": account_id, "amount": lamports, "account_seq": account_seq, "address": payer}
        transfers.append(_transfer(settlement, now_ms) | movement)
    rows.write(connection, transfers, list(balances.values()))
    return messages


def _transfer(settlement: Settlement, now_ms: int) -> Row:
    return {
        "transfer_id": transfer_id(settlement.settlement_id, settlement.attempt),
        "kind": RENT_BACK,
        "asset": SOL,
        "token": settlement.token,
        "signature": settlement.signature,
        "settlement_id": settlement.settlement_id,
        "created_at_ms": now_ms,
    }
