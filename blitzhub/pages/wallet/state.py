"""What the wallet page knows on the server: the account's balances, what moved, and what could be closed."""

from collections.abc import Mapping, Sequence
from typing import Any

import reflex as rx

from blitzhub import routes, services


class WalletState(rx.State):
    """One account's money in one tab, as the API says it; empty for nobody. `known`: it has been looked up."""

    wallet: dict[str, Any] = rx.field(default_factory=dict)
    known: bool = False

    @rx.event
    async def load(self) -> None:
        """Read everything the page shows."""
        await self._read()
        self.known = True

    async def _read(self) -> None:
        account = await services.account_of_cookies(self.router.headers.cookie)
        self.wallet = {} if account is None else await services.wallet(account)

    async def _account_changed(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Something moved: read again, where this page is the one that is open."""
        if self.router.url.path.rstrip("/") == routes.WALLET:
            await self._read()
