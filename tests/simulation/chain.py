"""The simulated cluster: localnet's own chain in virtual time, and a network in front of it that loses and delays.

A transaction may be lost, may land long after it was sent, or land although its sender heard an error; heights and
statuses may be answered as of some slots ago. Programs, fees, block hashes and commitments are those of localnet.
"""

import asyncio
import hashlib
import random
import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from engine.errors import Unavailable
from engine.identifiers import SOL
from engine.localnet.chain import Chain
from engine.localnet.store import Genesis, SlotRecord, StoredTransaction
from engine.localnet.timeline import MAX_BLOCKHASH_AGE, ChainPoint, Commitment, Timing
from engine.localnet.transactions import LandedTransaction, check_signatures
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
from engine.settlement.programs import token_account
from tests.fakes import START_MS
from tests.simulation.hosts import Chaos, Host, now

TIMING: Final = Timing(confirm_ms=60, finalize_ms=300, slot_ms=40)
LOST: Final = 0.15
LATE: Final = 0.15
LATE_MOST_S: Final = 9.0
"""Longer than a block hash lives, which is six seconds here: some arrive when they can no longer land."""

AMOUNT: Final = slice(64, 72)


class MemoryStore:
    """`engine.localnet.store.Store` without a disk; the chain itself is never killed."""

    def __init__(self, seed: bytes) -> None:
        self._chain: tuple[ChainPoint, Genesis] | None = None
        self._genesis = Genesis(hashlib.sha256(seed).digest(), bytes(Keypair.from_seed(hashlib.sha256(seed).digest())))
        self.landed: list[LandedTransaction] = []
        self._by_signature: dict[Signature, LandedTransaction] = {}

    def chain(self) -> tuple[ChainPoint, Genesis]:
        """A chain that has just begun."""
        return ChainPoint(1, 1), self._genesis

    def count(self) -> int:
        """How many transactions there are."""
        return len(self.landed)

    def accounts(self) -> list[Any]:
        """No account is there yet."""
        return []

    def since(self, slot: int) -> list[StoredTransaction]:
        """No transaction is there yet."""
        return []

    def find(self, signature: Signature) -> StoredTransaction | None:
        """The transaction of this signature."""
        found = self._by_signature.get(signature)
        return found and StoredTransaction(signature, found.slot, 0, found.error, found.block_time_s, found.memo)

    def write(self, record: SlotRecord) -> None:
        """Keep a slot."""
        for transaction in record.transactions:
            self.landed.append(transaction)
            self._by_signature[transaction.signature] = transaction

    def meta(self, signature: Signature) -> LandedTransaction:
        """The whole transaction."""
        return self._by_signature[signature]


class Cluster:
    """The chain, its beat, and what is under way to it."""

    def __init__(self, seed: int, rng: random.Random, chaos: Chaos) -> None:
        self._rng, self._chaos = rng, chaos
        self.store = MemoryStore(struct.pack("<Q", seed))
        self.chain = Chain(self.store, TIMING, 0.0, lambda: START_MS // 1_000 + int(now()))  # type: ignore[arg-type]
        self._listeners: list[asyncio.Queue[str]] = []
        self._airdrops = 0

    async def run(self) -> None:
        """Seal a slot every beat and let slots reach their commitments."""
        while True:
            await asyncio.sleep(TIMING.slot_ms / 1_000)
            record = self.chain.seal(now() * 1_000)
            self.store.write(record)
            self.chain.timeline.stored(record.point.slot)
            for sealed in self.chain.advance(now() * 1_000)[Commitment.CONFIRMED]:
                for signature in sealed.signatures:
                    for listener in self._listeners:
                        listener.put_nowait(str(signature))

    def submit(self, raw: bytes) -> None:
        """Take a transaction from the network: now, later, or never."""
        if self._chaos.chance(LOST, "transaction lost"):
            return
        if self._chaos.chance(LATE, "transaction late"):
            delay_s = self._rng.uniform(0.0, LATE_MOST_S)
            asyncio.get_running_loop().call_later(delay_s, self._execute, raw)
        else:
            self._execute(raw)

    def _execute(self, raw: bytes) -> None:
        transaction = VersionedTransaction.from_bytes(raw)
        check_signatures(transaction)
        self.chain.execute(transaction, raw, now() * 1_000)

    def airdrop(self, address: str, lamports: int) -> str:
        """Pay from the faucet; each airdrop is a transaction of its own."""
        faucet = self.chain.faucet
        self._airdrops += 1
        pay = transfer(
            TransferParams(
                from_pubkey=faucet.pubkey(), to_pubkey=Pubkey.from_string(address), lamports=lamports + self._airdrops
            )
        )
        message = MessageV0.try_compile(faucet.pubkey(), [pay], [], self.chain.hashes.latest)
        transaction = VersionedTransaction(message, [faucet])
        self.chain.execute(transaction, bytes(transaction), now() * 1_000)
        return str(transaction.signatures[0])

    def listen(self) -> "asyncio.Queue[str]":
        """Signatures as they are confirmed."""
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._listeners.append(queue)
        return queue

    def landed(self) -> list[LandedTransaction]:
        """Every transaction that is on the chain, stored or not yet."""
        self.store.write(self.chain.seal(now() * 1_000))
        return self.store.landed


class SimulatedChain:
    """`engine.ports.Chain` as one process sees it."""

    def __init__(self, cluster: Cluster, host: Host) -> None:
        self._cluster, self._chain, self._host = cluster, cluster.chain, host

    async def latest_blockhash(self) -> Blockhash:
        """The newest block hash, good for 150 more blocks."""
        return await self._call("blockhash", self._latest)

    def _latest(self) -> Blockhash:
        height = self._chain.timeline.current.height
        return Blockhash(str(self._chain.hashes.latest), height + MAX_BLOCKHASH_AGE)

    async def send(self, transactions: Sequence[bytes]) -> list[str | None]:
        """Hand them to the network."""
        return await self._call("send", lambda: [self._cluster.submit(raw) for raw in transactions])

    async def statuses(
        self, signatures: Sequence[str], search_history: bool = False, since_slot: int = 0
    ) -> list[SignatureStatus | None]:
        """Where each stands; this node has seen every slot."""
        return await self._call(
            "statuses", lambda: [self._status(Signature.from_string(each), search_history) for each in signatures]
        )

    def _status(self, signature: Signature, search_history: bool) -> SignatureStatus | None:
        landed = self._chain.landed(signature, search_history)
        if landed is None:
            return None
        rank = self._chain.timeline.commitment_of(landed.slot).rank
        error = None if landed.error is None else str(landed.error)
        return SignatureStatus(landed.slot, rank >= 1, rank == 2, error)

    async def confirmations(self) -> AsyncIterator[str]:
        """Every confirmed signature, watched or not; the socket breaks whenever the network wants it to."""
        heard = self._cluster.listen()
        yield ""
        while True:
            signature = await heard.get()
            yield await self._call("hear", lambda signature=signature: signature)

    async def watch(self, signatures: Sequence[str]) -> None:
        """Everything is heard of."""

    async def finalized(self) -> ChainTip:
        """The newest finalized block."""
        return await self._call("finalized", self._finalized)

    def _finalized(self) -> ChainTip:
        point = self._chain.timeline.point(Commitment.FINALIZED)
        return ChainTip(point.slot, point.height)

    async def usable_blockhashes(self, blockhashes: Sequence[str], since_slot: int) -> set[str]:
        """Those that the finalized state still takes."""
        return await self._call("blockhashes", lambda: self._usable(blockhashes))

    def _usable(self, blockhashes: Sequence[str]) -> set[str]:
        height = self._finalized().height
        return {each for each in blockhashes if self._chain.hashes.usable_at(Hash.from_string(each), height)}

    async def balances(
        self, addresses: Sequence[str], token_holdings: Sequence[tuple[str, str]], finalized: bool = False
    ) -> ChainBalances:
        """Balances at one slot."""
        return await self._call("balances", lambda: self._balances(addresses, token_holdings, finalized))

    def _balances(
        self, addresses: Sequence[str], token_holdings: Sequence[tuple[str, str]], finalized: bool
    ) -> ChainBalances:
        slot = self._chain.timeline.point(Commitment.FINALIZED if finalized else Commitment.CONFIRMED).slot
        lamports, tokens = {}, {}
        for address in addresses:
            account = self._chain.account(Pubkey.from_string(address), slot)
            lamports[address] = account.lamports if account else 0
        for owner, mint in token_holdings:
            account = self._chain.account(token_account(owner, mint), slot)
            tokens[owner, mint] = int.from_bytes(account.data[AMOUNT], "little") if account else 0
        return ChainBalances(slot, lamports, tokens)

    async def accounts(self, addresses: Sequence[str]) -> list[ChainAccount | None]:
        """The confirmed accounts."""
        return await self._call("accounts", lambda: [self._account(Pubkey.from_string(each)) for each in addresses])

    def _account(self, key: Pubkey) -> ChainAccount | None:
        found = self._chain.account(key, self._chain.timeline.point(Commitment.CONFIRMED).slot)
        return None if found is None else ChainAccount(found.lamports, str(found.owner))

    async def rent_lamports(self, size_bytes: int) -> int:
        """What an account of that size must hold."""
        return await self._call("rent", lambda: self._chain.rent_exempt_lamports(size_bytes))

    async def histories(self, addresses: Sequence[tuple[str, str | None]]) -> list[AddressHistory]:
        """Finalized transactions of each address after its cursor."""
        return await self._call("histories", lambda: [self._history(*each) for each in addresses])

    def _history(self, address: str, cursor: str | None) -> AddressHistory:
        key = Pubkey.from_string(address)
        root = self._chain.timeline.point(Commitment.FINALIZED).slot
        found = [each for each in self._cluster.store.landed if each.slot <= root and key in each.addresses]
        names = [str(each.signature) for each in found]
        start = names.index(cursor) + 1 if cursor in names else 0
        succeeded = tuple(str(each.signature) for each in found[start:] if each.error is None)
        return AddressHistory(address, names[-1] if names else cursor, succeeded)

    async def changes(self, wanted: Sequence[tuple[str, str]]) -> list[BalanceChange]:
        """What each transaction did to the address's SOL."""
        return await self._call("changes", lambda: [self._change(*each) for each in wanted])

    def _change(self, address: str, signature: str) -> BalanceChange:
        landed = self._cluster.store.meta(Signature.from_string(signature))
        place = self._place(landed, Pubkey.from_string(address))
        lamports = landed.meta["postBalances"][place] - landed.meta["preBalances"][place]
        return BalanceChange(signature, address, lamports, landed.slot)

    async def lamports_moved(self, wanted: Sequence[tuple[str, str]]) -> list[int | None]:
        """What each transaction did to the address's lamports; None until its slot is stored."""
        return await self._call("lamports moved", lambda: [self._lamports_moved(*each) for each in wanted])

    def _lamports_moved(self, address: str, signature: str) -> int | None:
        stored = self._cluster.store.find(Signature.from_string(signature))
        return None if stored is None else self._change(address, signature).lamports

    async def recent(self, address: str, asset: str, after_slot: int) -> dict[str, int]:
        """Transactions that named the holding after that slot."""
        return await self._call("recent", lambda: self._recent(_holding(address, asset), after_slot))

    def _recent(self, key: Pubkey, after_slot: int) -> dict[str, int]:
        confirmed = self._chain.timeline.point(Commitment.CONFIRMED).slot
        return {
            str(each.signature): each.slot
            for each in self._cluster.store.landed
            if after_slot < each.slot <= confirmed and key in each.addresses
        }

    async def movements(self, address: str, asset: str, signatures: Sequence[str]) -> list[Movement]:
        """What transactions did to the holding."""
        return await self._call("movements", lambda: [self._movement(address, asset, each) for each in signatures])

    def _movement(self, address: str, asset: str, signature: str) -> Movement:
        landed = self._cluster.store.meta(Signature.from_string(signature))
        if asset == SOL:
            return Movement(signature, landed.slot, self._change(address, signature).lamports)
        place = self._place(landed, _holding(address, asset))
        before, after = (
            sum(int(each["uiTokenAmount"]["amount"]) for each in landed.meta[name] if each["accountIndex"] == place)
            for name in ("preTokenBalances", "postTokenBalances")
        )
        return Movement(signature, landed.slot, after - before)

    @staticmethod
    def _place(landed: LandedTransaction, key: Pubkey) -> int:
        return list(VersionedTransaction.from_bytes(landed.wire).message.account_keys).index(key)

    async def airdrop(self, address: str, lamports: int) -> str:
        """Ask the faucet."""
        return await self._call("airdrop", lambda: self._cluster.airdrop(address, lamports))

    async def slot(self) -> int:
        """The newest confirmed slot."""
        return await self._call("slot", lambda: self._chain.timeline.point(Commitment.CONFIRMED).slot)

    async def close(self) -> None:
        """Nothing is open."""

    async def _call(self, point: str, effect: Any) -> Any:
        return await self._host.call(point, effect, Unavailable)


def _holding(address: str, asset: str) -> Pubkey:
    """The account that holds this asset of the address."""
    return Pubkey.from_string(address) if asset == SOL else token_account(address, asset)
