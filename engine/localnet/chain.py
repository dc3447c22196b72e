"""The chain itself: the one owner of LiteSVM, which executes transactions, seals slots and answers for
their state.

LiteSVM's own duplicate check, block hash check and signature check are off: the first forgets, the second
knows one hash, the third accepts transactions without signatures. Callers check signatures
(`check_signatures`) beforehand. All methods run in one thread; calls into LiteSVM hold the interpreter
lock anyway.
"""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from solders.account import Account
from solders.hash import Hash
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.sysvar import CLOCK
from solders.sysvar import SLOT_HASHES as SLOT_HASHES_ACCOUNT
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import (
    FailedTransactionMetadata,
    SimulatedTransactionInfo,
    TransactionMetadata,
)
from solders.transaction_status import TransactionErrorFieldless, TransactionErrorType

from engine.localnet.accounts import NATIVE_MINT, native_mint_account
from engine.localnet.failures import error_json, status_json
from engine.localnet.store import Genesis, SlotRecord, Store
from engine.localnet.timeline import (
    MAX_BLOCKHASH_AGE,
    BlockhashWindow,
    ChainPoint,
    Commitment,
    SealedSlot,
    Timeline,
    Timing,
)
from engine.localnet.tokens import TokenIndex
from engine.localnet.transactions import (
    AccountKeys,
    LandedTransaction,
    inner_json,
    memo_of,
    resolve_keys,
)
from engine.localnet.versions import AccountVersions
from engine.units import LAMPORTS_PER_SOL

FAUCET_LAMPORTS: Final = 500_000_000 * LAMPORTS_PER_SOL
SLOT_HASHES: Final = 512
"""How many past slots programs can look up, newest first; making an address lookup table takes one of them."""
SLOTS_OWN: Final = frozenset({CLOCK, SLOT_HASHES_ACCOUNT})
"""Accounts that say something else in every slot."""
STATUS_CACHE_SLOTS: Final = 300
"""How long a status is found without searching the history, as on a real node."""


@dataclass(frozen=True, slots=True)
class Landed:
    """Where a transaction is in the chain, and its error as JSON."""

    slot: int
    error: Any


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a transaction would do on the newest state."""

    error: TransactionErrorType | None
    meta: TransactionMetadata | None
    post_accounts: dict[Pubkey, Account]


class Chain:
    """State and history of the chain at every commitment. Times are milliseconds of a monotonic clock."""

    def __init__(self, store: Store, timing: Timing, now_ms: float, time_s: Callable[[], int]) -> None:
        self.store = store
        self._time_s = time_s
        self._svm = LiteSVM().with_sigverify(False).with_blockhash_check(False).with_transaction_history(0)
        restored = store.chain()
        if restored is None:
            first_slot = self._svm.get_clock().slot
            restored = ChainPoint(first_slot, 0), Genesis(os.urandom(32), bytes(Keypair()))
            store.found(restored[1], restored[0])
        root, self.genesis = restored
        self.faucet = Keypair.from_bytes(self.genesis.faucet)
        # The slot after the root may have been seen, half full, before a crash: its number is not used again.
        current = ChainPoint(root.slot + 2, root.height + 1)
        self.timeline = Timeline(timing, root, current, now_ms)
        self.hashes = BlockhashWindow(
            self.genesis.salt,
            range(max(0, current.height - MAX_BLOCKHASH_AGE), current.height + 1),
            timing.blockhash_blocks,
        )
        self._versions = AccountVersions()
        self._programs: dict[Pubkey, Account] = {}
        self.tokens = TokenIndex(self._svm.get_account)
        self._slot_hashes: deque[tuple[int, Hash]] = deque(maxlen=SLOT_HASHES)
        self._pending: list[LandedTransaction] = []
        self._recent: dict[Signature, Landed] = {}
        self._recent_by_slot: dict[int, list[Signature]] = {}
        self.transaction_count = store.count()
        self._restore(root.slot)
        self._open_slot()

    def _restore(self, root_slot: int) -> None:
        self._svm.set_account(NATIVE_MINT, native_mint_account())
        self._svm.set_account(self.faucet.pubkey(), Account(FAUCET_LAMPORTS, b"", SYSTEM_PROGRAM))
        for key, account in self.store.accounts():
            self._svm.set_account(key, account)
            self.tokens.note(key, account)
        for stored in self.store.since(root_slot - STATUS_CACHE_SLOTS):
            self._remember(stored.signature, Landed(stored.slot, stored.error))

    def _open_slot(self) -> None:
        self.block_time_s = self._time_s()
        self._svm_is_current = False

    def _current_svm(self) -> LiteSVM:
        """LiteSVM in the current slot. Most slots are empty, so it hears of one only when something happens in it."""
        if not self._svm_is_current:
            self._svm.warp_to_slot(self.timeline.current.slot)
            clock = self._svm.get_clock()
            clock.unix_timestamp = self.block_time_s
            self._svm.set_clock(clock)
            self._svm.set_slot_hashes(list(self._slot_hashes))
            self._svm_is_current = True
        return self._svm

    # -- slots ------------------------------------------------------------

    def seal(self, now_ms: float) -> SlotRecord:
        """Close the current slot, open the next, and return what has to be stored before `stored` is
        called.
        """
        point = self.timeline.current
        record = SlotRecord(point, self._versions.changed_in(point.slot), tuple(self._pending))
        self._pending.clear()
        self._slot_hashes.appendleft((point.slot, self.hashes.latest))
        self.timeline.seal(now_ms)
        self.hashes.open(self.timeline.current.height)
        self._open_slot()
        return record

    def advance(self, now_ms: float) -> dict[Commitment, list[SealedSlot]]:
        """Let slots reach their next commitment; returns those that did."""
        reached = self.timeline.advance(now_ms)
        for sealed in reached[Commitment.FINALIZED]:
            self._versions.finalize(sealed.point.slot)
            for signature in self._recent_by_slot.pop(sealed.point.slot - STATUS_CACHE_SLOTS, ()):
                del self._recent[signature]
        return reached

    # -- transactions ------------------------------------------------------------

    def is_known(self, signature: Signature) -> bool:
        """Whether the transaction has landed, ever."""
        return signature in self._recent or self.store.find(signature) is not None

    def execute(self, transaction: VersionedTransaction, wire: bytes, now_ms: float) -> bool:
        """Run a transaction in the current slot, checked and signed as it must be already; whether it landed.

        One that is known, has no usable block hash or whose payer cannot pay the fee leaves no trace, as
        with a leader.
        """
        signature = transaction.signatures[0]
        if transaction.message.recent_blockhash not in self.hashes or self.is_known(signature):
            return False
        keys = resolve_keys(transaction.message, self._read)
        before = [self._read(key) for key in keys.all]
        outcome = self._current_svm().send_transaction(transaction)
        failed = isinstance(outcome, FailedTransactionMetadata)
        after = [
            self._svm.get_account(key) if writable else account
            for key, writable, account in zip(keys.all, keys.writable, before, strict=True)
        ]
        if failed and _lamports(before[0]) == _lamports(after[0]):
            return False
        slot = self.timeline.current.slot
        for key, writable, old, new in zip(keys.all, keys.writable, before, after, strict=True):
            if writable and old != new:
                self._versions.record(key, slot, old, new)
                self.tokens.note(key, new)
        error = error_json(outcome.err()) if isinstance(outcome, FailedTransactionMetadata) else None
        meta = outcome.meta() if isinstance(outcome, FailedTransactionMetadata) else outcome
        self._pending.append(
            LandedTransaction(
                signature,
                slot,
                self.block_time_s,
                error,
                memo_of(transaction.message),
                wire,
                tuple(dict.fromkeys(keys.all)),
                self._meta(keys, before, after, error, meta),
            )
        )
        self._remember(signature, Landed(slot, error))
        self.transaction_count += 1
        self.timeline.landed(signature, now_ms)
        return True

    def simulate(self, transaction: VersionedTransaction, check_blockhash: bool = True) -> Simulation:
        """Run a transaction on the newest state without keeping anything; its signatures are not looked
        at.
        """
        if check_blockhash and transaction.message.recent_blockhash not in self.hashes:
            return Simulation(TransactionErrorFieldless.BlockhashNotFound, None, {})
        if self.is_known(transaction.signatures[0]):
            return Simulation(TransactionErrorFieldless.AlreadyProcessed, None, {})
        outcome = self._current_svm().simulate_transaction(transaction)
        if isinstance(outcome, SimulatedTransactionInfo):
            return Simulation(None, outcome.meta(), dict(outcome.post_accounts()))
        return Simulation(outcome.err(), outcome.meta(), {})

    def landed(self, signature: Signature, search_history: bool = True) -> Landed | None:
        """Where the transaction is; without the history only recent ones are found."""
        recent = self._recent.get(signature)
        if recent is not None or not search_history:
            return recent
        stored = self.store.find(signature)
        return None if stored is None else Landed(stored.slot, stored.error)

    def _remember(self, signature: Signature, landed: Landed) -> None:
        self._recent[signature] = landed
        self._recent_by_slot.setdefault(landed.slot, []).append(signature)

    def _meta(
        self,
        keys: AccountKeys,
        before: list[Account | None],
        after: list[Account | None],
        error: Any,
        meta: TransactionMetadata,
    ) -> dict[str, Any]:
        return {
            "err": error,
            "status": status_json(error),
            "fee": meta.fee(),
            "preBalances": [_lamports(account) for account in before],
            "postBalances": [_lamports(account) for account in after],
            "innerInstructions": inner_json(meta),
            "logMessages": meta.logs(),
            "preTokenBalances": self.tokens.balances(before),
            "postTokenBalances": self.tokens.balances(after),
            "rewards": [],
            "loadedAddresses": {
                "writable": [str(key) for key in keys.loaded_writable],
                "readonly": [str(key) for key in keys.loaded_readonly],
            },
            "computeUnitsConsumed": meta.compute_units_consumed(),
        }

    # -- accounts ------------------------------------------------------------

    def account(self, key: Pubkey, slot: int) -> Account | None:
        """The account as of a slot that is not older than the finalized one."""
        return self._versions.at(key, slot, self._read(key))

    def rent_exempt_lamports(self, data_bytes: int) -> int:
        """The least lamports an account with so many bytes of data must hold."""
        return self._svm.minimum_balance_for_rent_exemption(data_bytes)

    def _read(self, key: Pubkey) -> Account | None:
        # Programs never change here and their accounts are large to copy.
        program = self._programs.get(key)
        if program is not None:
            return program
        svm = self._current_svm() if key in SLOTS_OWN else self._svm
        account = svm.get_account(key)
        if account is not None and account.executable:
            self._programs[key] = account
        return account


def _lamports(account: Account | None) -> int:
    return 0 if account is None else account.lamports
