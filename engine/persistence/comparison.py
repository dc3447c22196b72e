"""What the ledger says should be on the chain, holding by holding, and which settlements may not be there yet.

Every holding is a pair (address, asset). Three kinds of address are compared: trading wallets, whose amounts are the
balances; vaults, whose amounts follow from the token's row; and the fee payer, whose amount is the sum of what
was booked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select

from engine.identifiers import SOL
from engine.persistence.launches import WALLETS
from engine.persistence.settlements import WITHDRAWALS, confirmed_after, in_state
from engine.persistence.trading import ACCOUNTS, BALANCES, SETTLEMENTS, TOKENS, TRANSFERS
from engine.settlement.outlays import RENT_BACK
from engine.settlement.settlement import Settlement, State
from engine.trading.prices import Stage

Holding = tuple[str, str]
"""An address and an asset: `SOL`, counted in lamports, or a token's address, counted in base units."""

FEE_PAYER: Final = "fee_payer"
BESIDE_THE_ROWS: Final = ("donation", "network_fee", RENT_BACK)
"""Transfers of no account that no token's row tells: they are added to what their address should hold."""


@dataclass(frozen=True, slots=True)
class Books:
    """The ledger at one moment: what each holding should amount to, by the kind of its address."""

    wallets: dict[Holding, int]
    vaults: dict[Holding, int]
    fee_payers: dict[Holding, int]

    @property
    def amounts(self) -> dict[Holding, int]:
        """All of them."""
        return self.wallets | self.vaults | self.fee_payers


def vault_amounts(token: Mapping[Any, Any]) -> tuple[int, int]:
    """What a token's row says its vault holds: lamports and base units.

    Lamports are the endowment, the reserve and the fees that were not paid out; base units what was minted and not
    sold. A failed launch never happened; one under way is in the books already, and its settlement not on the chain.
    """
    if token["stage"] == Stage.FAILED.value:
        return 0, 0
    fees_lamports = token["creator_fees_lamports"] + token["platform_fees_lamports"]
    lamports = token["endowment_lamports"] + token["reserve_lamports"] + fees_lamports
    return lamports, token["total_supply"] - token["supply"]


def books(connection: Connection) -> Books:
    """Read in one snapshot. Fees of confirmed transactions are not taken off the fee payer yet: `network_fees`."""
    wallets = select(ACCOUNTS.c.wallet, BALANCES.c.asset, BALANCES.c.amount).join_from(
        ACCOUNTS, BALANCES, ACCOUNTS.c.account_id == BALANCES.c.account_id
    )
    found = Books({(wallet, asset): amount for wallet, asset, amount in connection.execute(wallets)}, {}, {})
    for token in connection.execute(select(TOKENS)).mappings():
        lamports, tokens = vault_amounts(token)
        found.vaults[token["vault"], SOL] = lamports
        found.vaults[token["vault"], token["address"]] = tokens
    for address in connection.execute(select(WALLETS.c.address).where(WALLETS.c.kind == FEE_PAYER)).scalars():
        found.fee_payers[address, SOL] = 0
    _add_beside(connection, found)
    return found


def _add_beside(connection: Connection, found: Books) -> None:
    statement = select(TRANSFERS.c.address, TRANSFERS.c.asset, func.sum(TRANSFERS.c.amount)).where(
        TRANSFERS.c.account_id.is_(None), TRANSFERS.c.kind.in_(BESIDE_THE_ROWS)
    )
    for address, asset, amount in connection.execute(statement.group_by(TRANSFERS.c.address, TRANSFERS.c.asset)):
        for amounts in (found.vaults, found.fee_payers):
            if (address, asset) in amounts:
                amounts[address, asset] += int(amount)


def network_fees(connection: Connection, created_from_ms: int, created_before_ms: int) -> int:
    """Lamports of network fees of confirmed settlements that were made in that time, less what traders paid of them."""
    confirmed = (
        SETTLEMENTS.c.state == State.CONFIRMED.value,
        SETTLEMENTS.c.created_at_ms >= created_from_ms,
        SETTLEMENTS.c.created_at_ms < created_before_ms,
    )
    fees = select(func.sum(SETTLEMENTS.c.fee_lamports)).where(*confirmed)
    charges = select(func.sum(WITHDRAWALS.c.fee_lamports)).join_from(
        WITHDRAWALS, SETTLEMENTS, WITHDRAWALS.c.withdrawal_id == SETTLEMENTS.c.settlement_id
    )
    paid = connection.execute(fees).scalar() or 0
    return int(paid) - int(connection.execute(charges.where(*confirmed)).scalar() or 0)


def unsettled_ids(connection: Connection) -> list[str]:
    """The ids of settlements that may be confirmed soon."""
    waiting = [State.WAITING.value, State.PENDING.value, State.SIGNED.value]
    return list(
        connection.execute(select(SETTLEMENTS.c.settlement_id).where(SETTLEMENTS.c.state.in_(waiting))).scalars()
    )


def moving(
    connection: Connection, after_slot: int, created_since_ms: int, unsettled_before: Sequence[str]
) -> list[tuple[Settlement, int]]:
    """The settlements that a chain read at that slot may not show, with the slot each was confirmed in, 0 for none.

    Confirmed ones are found among those made since then and those that were unsettled before the chain was read. What
    failed and was undone moves nothing; any other failed settlement stays on its way.
    """
    found: dict[str, tuple[Settlement, int]] = {}
    for state in (State.WAITING, State.PENDING, State.SIGNED, State.FAILED):
        for settlement in in_state(connection, state):
            if state is not State.FAILED or not settlement.kind.is_undone_by_failure:
                found[settlement.settlement_id] = settlement, 0
    missing = [each for each in unsettled_before if each not in found]
    for settlement, slot in confirmed_after(connection, after_slot, created_since_ms, missing):
        found[settlement.settlement_id] = settlement, slot
    return list(found.values())


def foreign_outflows(connection: Connection, since_ms: int) -> list[tuple[Holding, int]]:
    """What left addresses that are no account's, booked since then and signed by nobody here."""
    statement = select(TRANSFERS.c.address, TRANSFERS.c.asset, TRANSFERS.c.amount).where(
        TRANSFERS.c.account_id.is_(None),
        TRANSFERS.c.kind == "donation",
        TRANSFERS.c.amount < 0,
        TRANSFERS.c.created_at_ms > since_ms,
    )
    return [((row.address, row.asset), row.amount) for row in connection.execute(statement)]
