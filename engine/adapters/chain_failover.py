"""Several Solana nodes as one chain: the first that answers and keeps up is asked, the others stand by.

A node that fails rests for a while; one that is many slots behind the best is passed over until it has caught up. What
must be told by one and the same state (that a transaction can never land) names a slot, so it may be asked of any.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from engine.adapters.chain_rpc import RpcChain
from engine.errors import Unavailable
from engine.ports import (
    AddressHistory,
    BalanceChange,
    Blockhash,
    ChainAccount,
    ChainBalances,
    ChainTip,
    Movement,
    SignatureStatus,
)

log = logging.getLogger(__name__)

REST_S: Final = 5.0
LAG_CHECK_S: Final = 2.0
ANSWER_LIMIT_S: Final = 4.0

Answer = TypeVar("Answer")


@dataclass(slots=True, eq=False)
class _Node:
    """A node, until when it rests, and whether it lags behind the others."""

    name: str
    chain: RpcChain
    rests_until_s: float = 0.0
    lags: bool = False


class FailoverChain:
    """`Chain` over several nodes, in the order of preference. One instance belongs to one event loop."""

    def __init__(self, nodes: Sequence[tuple[str, str]], lag_slots: int) -> None:
        """`nodes` are (RPC URL, WebSocket URL); a node more than `lag_slots` behind the best is not asked."""
        self._nodes = [_Node(f"node {number}", RpcChain(*urls)) for number, urls in enumerate(nodes, 1)]
        self._lag_slots = lag_slots
        self._checked_s = float("-inf")
        self._checking: asyncio.Task[None] | None = None
        self._listening: _Node | None = None

    async def latest_blockhash(self) -> Blockhash:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.latest_blockhash())

    async def send(self, transactions: Sequence[bytes]) -> list[str | None]:
        """See `Chain`: to every node that answers, for a transaction lands the better the more hear of it."""
        nodes = self._usable()
        answers = await asyncio.gather(
            *(self._limited(node, lambda chain: chain.send(transactions)) for node in nodes), return_exceptions=True
        )
        taken = [answer for answer in answers if isinstance(answer, list)]
        if taken:
            return [min(each, key=lambda refusal: refusal is not None) for each in zip(*taken, strict=True)]
        raise next(answer for answer in answers if isinstance(answer, BaseException))

    async def statuses(
        self, signatures: Sequence[str], search_history: bool = False, since_slot: int = 0
    ) -> list[SignatureStatus | None]:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.statuses(signatures, search_history, since_slot))

    async def confirmations(self) -> AsyncIterator[str]:
        """See `Chain`: of one node at a time; the next call takes another if that one's socket broke."""
        node = self._usable()[0]
        self._listening = node
        async for signature in node.chain.confirmations():
            yield signature
        self._rest(node, "its socket broke")

    async def watch(self, signatures: Sequence[str]) -> None:
        """See `Chain`."""
        if self._listening is not None:
            await self._listening.chain.watch(signatures)

    async def finalized(self) -> ChainTip:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.finalized())

    async def usable_blockhashes(self, blockhashes: Sequence[str], since_slot: int) -> set[str]:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.usable_blockhashes(blockhashes, since_slot))

    async def balances(
        self, addresses: Sequence[str], token_holdings: Sequence[tuple[str, str]], finalized: bool = False
    ) -> ChainBalances:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.balances(addresses, token_holdings, finalized))

    async def accounts(self, addresses: Sequence[str]) -> list[ChainAccount | None]:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.accounts(addresses))

    async def rent_lamports(self, size_bytes: int) -> int:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.rent_lamports(size_bytes))

    async def histories(self, addresses: Sequence[tuple[str, str | None]]) -> list[AddressHistory]:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.histories(addresses))

    async def changes(self, wanted: Sequence[tuple[str, str]]) -> list[BalanceChange]:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.changes(wanted))

    async def recent(self, address: str, asset: str, after_slot: int) -> dict[str, int]:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.recent(address, asset, after_slot))

    async def lamports_moved(self, wanted: Sequence[tuple[str, str]]) -> list[int | None]:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.lamports_moved(wanted))

    async def movements(self, address: str, asset: str, signatures: Sequence[str]) -> list[Movement]:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.movements(address, asset, signatures))

    async def airdrop(self, address: str, lamports: int) -> str:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.airdrop(address, lamports))

    async def slot(self) -> int:
        """See `Chain`."""
        return await self._ask(lambda chain: chain.slot())

    async def close(self) -> None:
        """See `Chain`."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)
        for node in self._nodes:
            await node.chain.close()

    async def _ask(self, question: Callable[[RpcChain], Awaitable[Answer]]) -> Answer:
        """The answer of the first node that has one.

        Raises:
            engine.errors.Unavailable: none has.
        """
        self._look_for_lag()
        refused: Unavailable | None = None
        for node in self._usable():
            try:
                return await self._limited(node, question)
            except Unavailable as error:
                refused = error
        assert refused is not None, "there is at least one node"
        raise refused

    async def _limited(self, node: _Node, question: Callable[[RpcChain], Awaitable[Answer]]) -> Answer:
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return await question(node.chain)
        except TimeoutError as error:
            self._rest(node, "it did not answer in time")
            raise Unavailable("The Solana node did not answer in time.") from error
        except Unavailable as error:
            self._rest(node, str(error))
            raise

    def _rest(self, node: _Node, why: str) -> None:
        if time.monotonic() >= node.rests_until_s:
            log.warning("Solana %s rests for %d s: %s", node.name, REST_S, why)
        node.rests_until_s = time.monotonic() + REST_S

    def _usable(self) -> list[_Node]:
        """The nodes to ask, in order; all of them when none is fit."""
        now_s = time.monotonic()
        fit = [node for node in self._nodes if now_s >= node.rests_until_s and not node.lags]
        return fit or sorted(self._nodes, key=lambda node: node.lags)

    def _look_for_lag(self) -> None:
        now_s = time.monotonic()
        if now_s - self._checked_s >= LAG_CHECK_S and (self._checking is None or self._checking.done()):
            self._checked_s = now_s
            self._checking = asyncio.create_task(self._check_lag(), name="chain-lag")

    async def _check_lag(self) -> None:
        asked = [node for node in self._nodes if time.monotonic() >= node.rests_until_s]
        answers = await asyncio.gather(
            *(self._limited(node, lambda chain: chain.slot()) for node in asked), return_exceptions=True
        )
        slots = {node: slot for node, slot in zip(asked, answers, strict=True) if isinstance(slot, int)}
        for node, slot in slots.items():
            lags = slot < max(slots.values()) - self._lag_slots
            if lags != node.lags:
                log.warning("Solana %s %s", node.name, f"lags at slot {slot}" if lags else "has caught up")
            node.lags = lags
