"""What the token page knows on the server: the token's facts, and the visitor's own orders and holding of it.

Figures of the market are not in here: they come over the market socket.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import reflex as rx

from blitzhub import services

_OWN_ORDERS: Final = 50


class TokenState(rx.State):
    """One token in one tab. `token` is as the API says it, empty for none; `held` is base units as text.

    `wanted` is the address that all of this is about.
    """

    token: dict[str, Any] = rx.field(default_factory=dict)
    wanted: str = ""
    held: str = ""
    orders: list[dict[str, Any]] = rx.field(default_factory=list)

    @rx.event
    async def load(self) -> None:
        """Read the token named in the page's address, and what the visitor has of it."""
        wanted = self._address()
        self.token = await services.token(wanted) or {}
        await self._read_own()
        self.wanted = wanted

    def _address(self) -> str:
        return str(self.router.url.path).rstrip("/").rsplit("/", 1)[-1]

    async def _read_own(self) -> None:
        account = await services.account_of_cookies(self.router.headers.cookie)
        if account is None or not self.token:
            self.held, self.orders = "", []
            return
        address = self.token["address"]
        self.orders = await services.own_orders(account, address, _OWN_ORDERS)
        self.held = await services.held(account, address)

    async def _account_changed(self, events: Sequence[Mapping[str, Any]]) -> None:
        """An order or the balance changed: read again what this page shows of the account."""
        if not self.token:
            return
        if self.token["stage"] == "launching":
            self.token = await services.token(self.token["address"]) or self.token
        await self._read_own()
