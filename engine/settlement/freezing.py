"""Freezing: what cannot land stops its account, with a reason its owner reads; its token only if the vault is at fault.

Whatever a trader leaves in a wallet, only that wallet's account is stopped by it.
"""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Final

from engine.persistence import freezes
from engine.persistence.database import Connection
from engine.services import Services
from engine.settlement.planning import Holdings, Payer
from engine.settlement.settlement import Kind, Settlement

log = logging.getLogger(__name__)

SHORT_FOR_MS: Final = 10_000
"""How long a payer must be seen short, so that one read of a lagging node freezes nobody."""

VAULT_KINDS: Final = (Kind.TRADE, Kind.CLAIM)
"""The kinds whose `vault` is a token's; elsewhere it is whoever is paid."""


def freeze(connection: Connection, settlement: Settlement, at_vault: bool, reason: str, now_ms: int) -> None:
    """In the caller's transaction: stop the token if its vault is at fault, else the account."""
    if at_vault:
        if freezes.hold_token(connection, settlement.token, f"Its vault cannot pay: {reason}", now_ms):
            log.error("alert=token_held token %s: %s", settlement.token, reason)
    elif freezes.freeze_account(connection, settlement.account_id, reason):
        log.error("alert=account_frozen account %s: %s", settlement.account_id, reason)


async def vault_is_short(services: Services, settlement: Settlement) -> bool:
    """Whether the vault, by the finalized chain, does not hold what it must pay.

    Raises:
        engine.errors.Unavailable: the chain cannot be asked.
    """
    if settlement.kind not in VAULT_KINDS:
        return False
    owed = [(asset, amount) for payer, asset, amount in settlement.outflows() if payer == settlement.vault]
    vault, account = settlement.vault, (settlement.vault, settlement.token)
    holdings = Holdings.of(await services.chain.balances([vault], [account], finalized=True))
    return any(holdings.spendable(vault, asset) < amount for asset, amount in owed)


class ShortPayers:
    """Remembers since when payers have been seen short, and freezes those that stay so."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._since_ms: dict[tuple[str, str], int] = {}

    async def seen(self, short: Sequence[Payer]) -> None:
        """What one look found; what it did not find is not short any more."""
        now_ms = self._services.clock.now_ms()
        keys = {(payer.settlement.settlement_id, payer.address): payer for payer in short}
        self._since_ms = {key: self._since_ms.get(key, now_ms) for key in keys}
        for key, payer in keys.items():
            if now_ms - self._since_ms[key] >= SHORT_FOR_MS:
                at_vault = payer.address == payer.settlement.vault and payer.settlement.kind in VAULT_KINDS
                reason = f"Solana holds less of {payer.asset} than settlement {payer.settlement.settlement_id} needs"
                work = partial(freeze, settlement=payer.settlement, at_vault=at_vault, reason=reason, now_ms=now_ms)
                await self._services.database.write(work)
