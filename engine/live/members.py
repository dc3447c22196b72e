"""Which sockets belong to which account: they showed a ticket, and belong until they leave or somebody signs out."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Final

from engine.live.connection import Connection
from engine.live.protocol import Kind, Request, Topic

log = logging.getLogger(__name__)

Redeem = Callable[[str], Awaitable[str | None]]
"""Whose ticket this is, which is used up by the asking; None for nobody's."""

Follow = Callable[[Connection, Topic, int | None], None]

TICKET_NEEDED: Final = "ticket_needed"


class Members:
    """The sockets on private channels."""

    def __init__(self, redeem: Redeem, sockets_per_account: int, follow: Follow) -> None:
        self._redeem = redeem
        self._most = sockets_per_account
        self._follow = follow
        self._sockets: defaultdict[str, set[Connection]] = defaultdict(set)
        self._joining: set[asyncio.Task[None]] = set()

    def subscribe(self, connection: Connection, request: Request) -> None:
        """Follow the socket's own account, once its ticket was looked at if it shows one."""
        if request.ticket is not None:
            task = asyncio.get_running_loop().create_task(self._join(connection, request.ticket, request.after_seq))
            self._joining.add(task)
            task.add_done_callback(self._joining.discard)
        elif connection.account is None:
            connection.refuse(TICKET_NEEDED, "Show a ticket: POST /api/me/socket-ticket gives one.")
        else:
            self._follow(connection, Topic(Kind.ACCOUNT, connection.account), request.after_seq)

    def leave(self, connection: Connection) -> None:
        """The socket is gone, or has to prove itself anew."""
        if connection.account is not None:
            self._sockets[connection.account].discard(connection)
            if not self._sockets[connection.account]:
                del self._sockets[connection.account]
            connection.account = None

    def of(self, account: str) -> tuple[Connection, ...]:
        """The account's sockets."""
        return tuple(self._sockets.get(account, ()))

    def close(self) -> None:
        """Look at no more tickets."""
        for task in self._joining:
            task.cancel()

    async def _join(self, connection: Connection, ticket: str, after_seq: int | None) -> None:
        try:
            account = await self._redeem(ticket)
        except Exception:
            log.exception("a ticket could not be looked at")
            account = None
        if connection.closed:
            return
        if account is None:
            connection.refuse("invalid_ticket", "This ticket was used, has ended, or never was one.")
        elif connection.account not in (None, account):
            connection.refuse("other_account", "This socket belongs to another account.")
        elif len(self._sockets.get(account, ())) >= self._most and connection.account is None:
            connection.refuse("too_many_sockets", f"An account may have {self._most} sockets here.")
        else:
            connection.account = account
            self._sockets[account].add(connection)
            self._follow(connection, Topic(Kind.ACCOUNT, account), after_seq)
