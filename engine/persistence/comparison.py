"""What the ledger says should be on the chain, address by address."""

from sqlalchemy import Connection, and_, or_, select

from engine.identifiers import SOL
from engine.persistence.trading import ACCOUNTS, BALANCES, SETTLEMENTS, TOKENS
from engine.settlement.settlement import Kind, State

Expected = dict[tuple[str, str], int]
"""(address, asset) → amount, SOL or base units."""


def expected(connection: Connection) -> Expected:
    """Of every trading wallet and every launched token's vault that has nothing unsettled.

    A vault's lamports are its endowment, the reserve and the fees that were not paid out; its tokens are what was
    minted and not sold.
    """
    busy = _busy(connection)
    amounts: Expected = {}
    wallets = select(ACCOUNTS.c.wallet, BALANCES.c.asset, BALANCES.c.amount).join_from(
        ACCOUNTS, BALANCES, ACCOUNTS.c.account_id == BALANCES.c.account_id
    )
    for wallet, asset, amount in connection.execute(wallets):
        amounts[wallet, asset] = amount
    for row in connection.execute(select(TOKENS).where(TOKENS.c.tradable_at_ms > 0)).mappings():
        fees_lamports = row["creator_fees_lamports"] + row["platform_fees_lamports"]
        amounts[row["vault"], SOL] = row["endowment_lamports"] + row["reserve_lamports"] + fees_lamports
        amounts[row["vault"], row["address"]] = row["total_supply"] - row["supply"]
    return {key: amount for key, amount in amounts.items() if key[0] not in busy}


def _busy(connection: Connection) -> set[str]:
    """Addresses with money on its way. What failed and was undone has none: it never happened."""
    on_its_way = SETTLEMENTS.c.state.in_([State.WAITING.value, State.PENDING.value, State.SIGNED.value])
    undone = [kind.value for kind in Kind if kind.is_undone_by_failure]
    stuck = and_(SETTLEMENTS.c.state == State.FAILED.value, SETTLEMENTS.c.kind.not_in(undone))
    statement = select(SETTLEMENTS.c.wallet, SETTLEMENTS.c.vault).where(or_(on_its_way, stuck))
    return {address for row in connection.execute(statement) for address in row}
