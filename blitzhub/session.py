"""Who is signed in, in one tab: the account's figures and notices that every page shows.

Identity comes from the cookie of the socket's handshake and from nowhere else; no handler takes it as an argument,
and what a tab shows of an account is read again from the database whenever something may have changed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import reflex as rx

from blitzhub import order_words, services, withdrawal_words
from blitzhub.components.browser import Notice, with_notice


class SessionState(rx.State):
    """The signed-in account of this tab; nobody until it is `known`. Amounts are decimal text, empty for none.

    `role` is what a member of staff may do, empty for a trader: it shows links, and guards nothing.
    """

    address: str = ""
    lamports: str = ""
    localnet: bool = False
    role: str = ""
    known: bool = False
    notices: list[Notice] = rx.field(default_factory=list)

    @rx.event
    async def load(self) -> None:
        """Read the account and its balance; run when a page opens."""
        self.localnet = services.settings().localnet
        await self._read_account()
        self.role = await services.role_of(self.address) if self.address else ""
        self.known = True

    async def _account(self) -> str | None:
        """The account of the cookie this tab's socket was opened with, if its session still stands."""
        return await services.account_of_cookies(self.router.headers.cookie)

    async def _read_account(self) -> None:
        account = await self._account()
        if account is None:
            self.address = self.lamports = self.role = ""
            return
        balances = await services.balances(account)
        self.address = account
        self.lamports = balances["lamports"]

    async def _account_changed(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Something happened to the account: read its figures again, say what became of its orders and withdrawals."""
        await self._read_account()
        if not self.address:
            return
        for event in order_words.latest_of_each_order(events):
            token = await services.token(event["token"])
            words = order_words.toast(event, token["symbol"] if token else "")
            self.notices = with_notice(
                self.notices, event["order_id"], words.text, kind=words.kind, detail=words.detail
            )
        for event in withdrawal_words.latest_of_each_withdrawal(events):
            words = withdrawal_words.toast(event)
            self.notices = with_notice(
                self.notices, event["withdrawal_id"], words.text, kind=words.kind, detail=words.detail
            )
