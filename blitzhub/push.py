"""Pushes an account's own events into that account's open tabs.

A push is only a hint: the tab's State reads the truth again. The bus is listened to only for accounts with a tab
open here. Reflex has no hook for a tab's coming and going, so the socket namespace's own are wrapped.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Protocol

import orjson
import reflex as rx

from blitzhub import services
from engine.ports import Subscription
from engine.trading.events import account_channel

_log = logging.getLogger(__name__)
_SPACING_S: Final = 0.1
"""At most this often per account, however many orders a bot of the same account sends."""


class AccountState(Protocol):
    """A State that shows something of the account."""

    async def _account_changed(self, events: Sequence[Mapping[str, Any]]) -> None: ...


class Tabs:
    """Which tabs (Reflex client tokens) each account has open; plain bookkeeping."""

    def __init__(self) -> None:
        self._tabs: defaultdict[str, set[str]] = defaultdict(set)
        self._account: dict[str, str] = {}

    def open(self, account: str, tab: str) -> bool:
        """Note a tab; returns whether it is the account's first."""
        if self._account.get(tab) not in (None, account):
            self.close(tab)
        self._account[tab] = account
        self._tabs[account].add(tab)
        return len(self._tabs[account]) == 1

    def close(self, tab: str) -> str | None:
        """Forget a tab; returns its account if that was the account's last."""
        account = self._account.pop(tab, None)
        if account is None:
            return None
        self._tabs[account].discard(tab)
        if self._tabs[account]:
            return None
        del self._tabs[account]
        return account

    def of(self, account: str) -> tuple[str, ...]:
        """The account's open tabs."""
        return tuple(self._tabs.get(account, ()))


class Push:
    """The registry, the listener on the bus, and the hand-over into the tabs' States."""

    def __init__(self, app: rx.App, states: Sequence[type[rx.State]]) -> None:
        self._app = app
        self._states = tuple(states)
        self._tabs = Tabs()
        self._subscription: Subscription | None = None
        self._waiting: dict[str, list[Mapping[str, Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def install(self) -> None:
        """Wrap the namespace's connect and disconnect; done once, before the app serves."""
        namespace = self._app.event_namespace
        on_connect, on_disconnect = namespace.on_connect, namespace.on_disconnect

        async def connect(sid: str, environ: dict[str, Any], auth: Any = None) -> None:
            await on_connect(sid, environ, auth)
            tab = namespace.sid_to_token.get(sid)  # after: a duplicated tab gets a token of its own
            headers = dict(environ["asgi.scope"]["headers"])
            account = await services.account_of_cookies(headers.get(b"cookie", b"").decode("latin-1"))
            if tab and account:
                await self._opened(account, tab)

        def disconnect(sid: str, *reason: Any) -> Any:
            tab = namespace.sid_to_token.get(sid)  # before: the original forgets it
            record = namespace._token_manager.token_to_socket.get(tab) if tab else None
            if record is not None and record.sid == sid:
                self._spawn(self._closed(tab))
            return on_disconnect(sid, *reason)

        namespace.on_connect, namespace.on_disconnect = connect, disconnect

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Listen to the bus while the app runs."""
        self._subscription = await services.subscribe()
        listener = asyncio.create_task(self._listen(self._subscription), name="push")
        try:
            yield
        finally:
            await self._subscription.close()
            for task in (listener, *self._tasks):
                task.cancel()
            await asyncio.gather(listener, *self._tasks, return_exceptions=True)

    async def _opened(self, account: str, tab: str) -> None:
        if self._tabs.open(account, tab) and self._subscription is not None:
            await self._subscription.add(account_channel(account))

    async def _closed(self, tab: str) -> None:
        account = self._tabs.close(tab)
        if account is not None and self._subscription is not None:
            await self._subscription.remove(account_channel(account))

    async def _listen(self, subscription: Subscription) -> None:
        async for message in subscription:
            account = message.channel.removeprefix(account_channel(""))
            event = orjson.loads(message.payload) if message.payload else {"type": "lost"}
            self._queue(account, event)

    def _queue(self, account: str, event: Mapping[str, Any]) -> None:
        """Note the event; the first one of a quiet account goes at once, later ones wait for the spacing."""
        if account in self._waiting:
            self._waiting[account].append(event)
            return
        self._waiting[account] = [event]
        self._spawn(self._drain(account))

    async def _drain(self, account: str) -> None:
        try:
            while events := self._waiting[account]:
                self._waiting[account] = []
                await self._hand_over(account, events)
                await asyncio.sleep(_SPACING_S)
        finally:
            del self._waiting[account]

    async def _hand_over(self, account: str, events: Sequence[Mapping[str, Any]]) -> None:
        for tab in self._tabs.of(account):
            # An unknown token would silently get a new State that nobody ever sees or frees.
            if tab not in self._app.event_namespace._token_manager.token_to_socket:
                continue
            try:
                await self._change(tab, events)
            except Exception:
                _log.exception("push into a tab of %s failed", account)

    async def _change(self, tab: str, events: Sequence[Mapping[str, Any]]) -> None:
        async with self._app.modify_state(rx.BaseStateToken(ident=tab, cls=self._states[0])) as root:
            for state in self._states:
                shown: AccountState = await root.get_state(state)
                await shown._account_changed(events)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
