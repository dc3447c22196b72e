"""What the database says of the tokens: whose queues are consumed, and whose are held."""

import logging
from collections.abc import Awaitable, Callable

from engine.identifiers import TokenAddress

log = logging.getLogger(__name__)

TokenList = Callable[[], Awaitable[list[TokenAddress]]]


async def no_tokens() -> list[TokenAddress]:
    """A list of none."""
    return []


class Tokens:
    """Both lists, read anew each time; the last known ones while the database is away."""

    def __init__(self, consumed: TokenList, held: TokenList) -> None:
        self._consumed = consumed
        self._held = held
        self._known: tuple[list[TokenAddress], list[TokenAddress]] | None = None

    async def read(self) -> tuple[list[TokenAddress], list[TokenAddress]]:
        """The tokens whose queues are consumed, and those that are held."""
        try:
            self._known = (await self._consumed(), await self._held())
        except Exception:
            if self._known is None:
                raise
            log.exception("the list of tokens could not be read again")
        return self._known
