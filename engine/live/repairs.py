"""What the bus has lost without a word is found in the database: once a second for tokens, every ten for accounts."""

import asyncio
from collections.abc import Callable, Mapping

from engine.live.board_feed import BoardFeed
from engine.live.connection import Limits
from engine.live.source import MarketSource
from engine.live.watch import Watch, account_of
from engine.ports import Clock
from engine.trading.events import BOARD, account_channel, token_channel


class Repairs:
    """Compares what is watched with the database; `look` is to be called every `repair_ms`."""

    def __init__(
        self,
        source: MarketSource,
        clock: Clock,
        limits: Limits,
        watches: Mapping[str, Watch],
        load: Callable[[Watch], None],
    ) -> None:
        self.board_read_s = 0.0
        self._accounts_read_s = 0.0
        self._source = source
        self._clock = clock
        self._limits = limits
        self._watches = watches
        self._load = load
        self._behind: dict[str, int] = {}

    def forget(self, channel: str) -> None:
        """Nobody watches it any more."""
        self._behind.pop(channel, None)

    async def look(self) -> None:
        """Reload what the database knows better for two rounds in a row: one round apart it may be under way."""
        if not self._watches:
            return
        behind = await self._tokens_behind() | await self._accounts_behind()
        for channel, seq in behind.items():
            if self._behind.get(channel) == seq and channel in self._watches:
                self._load(self._watches[channel])
        self._behind = behind
        board = self._watches.get(BOARD)
        now_s = asyncio.get_running_loop().time()
        if board is not None and (now_s - self.board_read_s) * 1000 > self._limits.board_refresh_ms:
            self._load(board)

    async def _tokens_behind(self) -> dict[str, int]:
        changed = await self._source.changed_since(self._clock.now_ms() - self._limits.repair_window_ms)
        behind: dict[str, int] = {}
        board = self._watches.get(BOARD)
        for address, seq in changed:
            channel = token_channel(address)
            watch = self._watches.get(channel)
            if watch is not None and watch.feed is not None and watch.feed.seq < seq:
                behind[channel] = watch.feed.seq
            if board is not None and isinstance(board.feed, BoardFeed):
                known = board.feed.token_seq(address)
                if known is not None and known < seq:
                    behind[BOARD] = -1
        return behind

    async def _accounts_behind(self) -> dict[str, int]:
        """Every so often, and in the next round again when one is behind."""
        known = {
            account: watch.feed.seq
            for channel, watch in self._watches.items()
            if (account := account_of(channel)) and watch.feed is not None
        }
        now_s = asyncio.get_running_loop().time()
        is_due = (now_s - self._accounts_read_s) * 1000 > self._limits.account_repair_ms
        if not known or not (is_due or any(map(account_of, self._behind))):
            return {}
        self._accounts_read_s = now_s
        seqs = await self._source.account_seqs(list(known))
        return {account_channel(account): seq for account, seq in known.items() if seqs.get(account, 0) > seq}
