"""Tickets for the market socket: whoever shows one joins its account's channel there, once and within seconds.

A WebSocket carries no header that a page could set, and its address ends in logs; so the credentials go to the API, and
the socket gets something that is worth nothing a moment later. The cache keeps them for all backends.
"""

import hashlib
from typing import Final

import orjson

from engine.errors import Unavailable
from engine.identifiers import AccountId, new_secret
from engine.ports import Cache
from engine.services import Services
from engine.trading import events

TICKET_MS: Final = 30_000
_MAX_TICKET: Final = 100


class NoTickets(Unavailable):
    """The cache keeps nothing now, so a ticket would be worth nothing."""

    code = "tickets_unavailable"


async def issue(services: Services, account_id: AccountId) -> tuple[str, int]:
    """A ticket and when it ends, in epoch milliseconds.

    Raises:
        NoTickets: the cache is away.
    """
    ticket, now_ms = new_secret(), services.clock.now_ms()
    value = orjson.dumps([account_id, now_ms])
    await services.cache.set(_key(ticket), value, TICKET_MS)
    if await services.cache.get(_key(ticket)) != value:
        raise NoTickets("Tickets cannot be kept at the moment; please try again.")
    return ticket, now_ms + TICKET_MS


async def redeem(cache: Cache, ticket: str) -> AccountId | None:
    """Whose ticket it is; None if it was used, ended, or was issued before a sign-out of its account."""
    value = await cache.take(_key(ticket)) if len(ticket) <= _MAX_TICKET else None
    if value is None:
        return None
    account_id, issued_at_ms = orjson.loads(value)
    ended = await cache.get(_ended_key(account_id))
    return None if ended is not None and issued_at_ms <= int(ended) else AccountId(account_id)


async def end_tickets(services: Services, account_id: AccountId) -> None:
    """Somebody signed out or a key was revoked: tickets are void, and every socket of the account needs a new one."""
    await services.cache.set(_ended_key(account_id), str(services.clock.now_ms()).encode(), TICKET_MS)
    services.bus.publish([events.signed_out(account_id)])


def _key(ticket: str) -> str:
    return f"ticket:{hashlib.sha256(ticket.encode('utf-8', 'replace')).hexdigest()}"


def _ended_key(account_id: str) -> str:
    return f"tickets-ended:{account_id}"
