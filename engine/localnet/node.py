"""The node that runs: chain, store and server, and the beat that turns time into slots and commitments."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from engine.localnet.chain import Chain
from engine.localnet.failures import invalid_params
from engine.localnet.faults import Dice, Faults, FaultsRefused, read_faults
from engine.localnet.params import Params
from engine.localnet.rpc_accounts import AccountMethods
from engine.localnet.rpc_cluster import ClusterMethods
from engine.localnet.rpc_transactions import TransactionMethods
from engine.localnet.server import Server
from engine.localnet.store import Store
from engine.localnet.subscriptions import Subscriptions
from engine.localnet.timeline import Commitment, Timing

CUT_POLL_MS: Final = 250


def _now_ms() -> float:
    return time.monotonic() * 1_000


def _later(delay_ms: int, call: Callable[[], None]) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(delay_ms / 1_000, call)


def _time_s() -> int:
    return int(time.time())


HEALTHY: Final = Faults()


class Node:
    """A localnet on one data directory."""

    def __init__(self, directory: Path, timing: Timing, faults: Faults = HEALTHY) -> None:
        """Open the directory and bring the chain back to where it was.

        Raises:
            DataDirectoryInUse: if another node runs on it.
        """
        self._timing = timing
        self._store = Store(directory)
        self.chain = Chain(self._store, timing, _now_ms(), _time_s)
        self._subscriptions = Subscriptions(self.chain)
        self._dice = Dice(faults)
        methods = (
            ClusterMethods(self.chain, self._dice).table()
            | AccountMethods(self.chain).table()
            | TransactionMethods(self.chain, self._dice, _now_ms, self._subscriptions.reached, _later).table()
            | {"localnetFaults": self._set_faults}
        )
        self._timer: asyncio.TimerHandle | None = None
        self._server = Server(methods, self._subscriptions, self._dice)

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
        cutting = asyncio.create_task(self._cut_sockets())
        slot_s = self._timing.slot_ms / 1_000
        due_s = time.monotonic() + slot_s
        try:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), max(due_s - time.monotonic(), 0))
                due_s = max(due_s + slot_s, time.monotonic())
                await self._end_slot()
        finally:
            cutting.cancel()

    async def _cut_sockets(self) -> None:
        """Cut every WebSocket as often as the faults say, for ever."""
        while True:
            await asyncio.sleep((self._dice.faults.cut_ms or CUT_POLL_MS) / 1_000)
            if self._dice.faults.cut_ms:
                self._server.cut_sockets()

    def _set_faults(self, params: Params) -> dict[str, int]:
        """A method of this node alone: the faults from now on, those left out are off; answers with all of them."""
        try:
            self._dice.faults = read_faults(params.members(0))
        except FaultsRefused as error:
            raise invalid_params(error.detail) from error
        return asdict(self._dice.faults)

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
