"""The node that runs: chain, store and server, and the beat that turns time into slots and commitments."""

import asyncio
import contextlib
import time
from pathlib import Path

from engine.localnet.chain import Chain
from engine.localnet.rpc_accounts import AccountMethods
from engine.localnet.rpc_cluster import ClusterMethods
from engine.localnet.rpc_transactions import TransactionMethods
from engine.localnet.server import Server
from engine.localnet.store import Store
from engine.localnet.subscriptions import Subscriptions
from engine.localnet.timeline import Commitment, Timing


def _now_ms() -> float:
    return time.monotonic() * 1_000


def _time_s() -> int:
    return int(time.time())


class Node:
    """A localnet on one data directory."""

    def __init__(self, directory: Path, timing: Timing) -> None:
        """Open the directory and bring the chain back to where it was.

        Raises:
            DataDirectoryInUse: if another node runs on it.
        """
        self._timing = timing
        self._store = Store(directory)
        self.chain = Chain(self._store, timing, _now_ms(), _time_s)
        self._subscriptions = Subscriptions(self.chain)
        methods = (
            ClusterMethods(self.chain).table()
            | AccountMethods(self.chain).table()
            | TransactionMethods(self.chain, _now_ms, self._subscriptions.reached).table()
        )
        self._timer: asyncio.TimerHandle | None = None
        self._server = Server(methods, self._subscriptions)

    async def serve(self, port: int) -> None:
        """Open the ports.

        Raises:
            OSError: if one is taken.
        """
        await self._server.start(port)

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until `stop` is set. An error of the store ends the node: it must not confirm what it
        cannot keep.
        """
        slot_s = self._timing.slot_ms / 1_000
        due_s = time.monotonic() + slot_s
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), max(due_s - time.monotonic(), 0))
            due_s = max(due_s + slot_s, time.monotonic())
            await self._end_slot()

    async def close(self) -> None:
        """Stop serving, keep what the last slot holds, and let go of the directory."""
        await self._server.stop()
        self._store.write(self.chain.seal(_now_ms()))
        self._store.close()

    async def _end_slot(self) -> None:
        record = self.chain.seal(_now_ms())
        timeline = self.chain.timeline
        self._subscriptions.slot_opened(timeline.current, timeline.point(Commitment.FINALIZED).slot)
        # In a thread, because a disk may take its time; the next slot ends only after this one is stored.
        await asyncio.to_thread(self._store.write, record)
        timeline.stored(record.point.slot)
        self._advance()

    def _advance(self) -> None:
        for slots in self.chain.advance(_now_ms()).values():
            for sealed in slots:
                for signature in sealed.signatures:
                    self._subscriptions.reached(signature)
        if self._timer is not None:
            self._timer.cancel()
        due_ms = self.chain.timeline.next_due_ms()
        if due_ms is not None:
            self._timer = asyncio.get_running_loop().call_at(due_ms / 1_000, self._advance)
