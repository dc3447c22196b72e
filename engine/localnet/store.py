"""What the chain remembers on disk: SQLite in the data directory, one transaction per slot, one node per
directory.

WAL with `synchronous=FULL`: a slot that `write` returned from survives a power cut, and only such slots
are confirmed.
"""

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import orjson
from solders.account import Account
from solders.pubkey import Pubkey
from solders.signature import Signature

from engine.errors import Refusal
from engine.localnet.timeline import ChainPoint
from engine.localnet.transactions import LandedTransaction

_SCHEMA: Final = """
create table if not exists chain(
    one integer primary key check (one = 1), slot integer not null, height integer not null,
    salt blob not null, faucet blob not null);
create table if not exists accounts(
    address blob primary key, lamports integer not null, owner blob not null,
    executable integer not null, data blob not null);
create table if not exists transactions(
    slot integer not null, position integer not null, signature blob not null unique, error text,
    block_time_s integer not null, memo text, wire blob not null, meta blob not null,
    primary key (slot, position)) without rowid;
create table if not exists mentions(
    address blob not null, slot integer not null, position integer not null,
    primary key (address, slot, position)) without rowid;
"""
_LATEST: Final = (2**62, 0)
_EARLIEST: Final = (-1, 0)


class DataDirectoryInUse(Refusal):
    """Another node runs on this data directory."""

    code: ClassVar[str] = "localnet_data_in_use"
    status: ClassVar[int] = 409


@dataclass(frozen=True, slots=True)
class Genesis:
    """What is drawn once per chain and kept: the salt of its block hashes and the faucet's secret key."""

    salt: bytes
    faucet: bytes


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """Everything a slot changed; an account of None is gone."""

    point: ChainPoint
    accounts: Sequence[tuple[Pubkey, Account | None]]
    transactions: Sequence[LandedTransaction]


@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """A transaction as it was stored; `error` and `meta` as JSON."""

    signature: Signature
    slot: int
    position: int
    error: Any
    block_time_s: int
    memo: str | None


class Store:
    """The database of one chain. `write` may run in another thread than the reads, one call at a time."""

    def __init__(self, directory: Path) -> None:
        """Open or create the store.

        Raises:
            DataDirectoryInUse: while another process holds the directory.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise DataDirectoryInUse(f"another localnet runs on the data directory {directory}") from error
        path = directory / "chain.sqlite"
        path.touch(mode=0o600)
        self._writer = self._connect(path)
        self._writer.executescript(_SCHEMA)
        self._reader = self._connect(path)

    @staticmethod
    def _connect(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        return connection

    def close(self) -> None:
        """Close the database and let go of the directory."""
        self._reader.close()
        self._writer.close()
        os.close(self._lock)

    def found(self, genesis: Genesis, point: ChainPoint) -> None:
        """Begin a new chain whose root is `point`."""
        self._writer.execute(
            "insert into chain values (1, ?, ?, ?, ?)",
            (point.slot, point.height, genesis.salt, genesis.faucet),
        )

    def chain(self) -> tuple[ChainPoint, Genesis] | None:
        """The last stored slot and the chain's genesis; None in an empty directory."""
        row = self._reader.execute("select slot, height, salt, faucet from chain").fetchone()
        return None if row is None else (ChainPoint(row[0], row[1]), Genesis(row[2], row[3]))

    def accounts(self) -> list[tuple[Pubkey, Account]]:
        """Every stored account."""
        rows = self._reader.execute("select address, lamports, owner, executable, data from accounts")
        return [
            (Pubkey(address), Account(lamports, data, Pubkey(owner), bool(executable)))
            for address, lamports, owner, executable, data in rows
        ]

    def write(self, record: SlotRecord) -> None:
        """Store a slot; it is on disk when this returns."""
        connection, slot = self._writer, record.point.slot
        connection.execute("begin immediate")
        try:
            self._write_accounts(record.accounts)
            connection.executemany(
                "insert into transactions values (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        slot,
                        position,
                        bytes(tx.signature),
                        None if tx.error is None else orjson.dumps(tx.error).decode(),
                        tx.block_time_s,
                        tx.memo,
                        tx.wire,
                        orjson.dumps(tx.meta),
                    )
                    for position, tx in enumerate(record.transactions)
                ],
            )
            connection.executemany(
                "insert into mentions values (?, ?, ?)",
                [
                    (bytes(address), slot, position)
                    for position, tx in enumerate(record.transactions)
                    for address in tx.addresses
                ],
            )
            connection.execute("update chain set slot = ?, height = ?", (slot, record.point.height))
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise

    def _write_accounts(self, accounts: Sequence[tuple[Pubkey, Account | None]]) -> None:
        self._writer.executemany(
            "insert or replace into accounts values (?, ?, ?, ?, ?)",
            [
                (bytes(key), account.lamports, bytes(account.owner), account.executable, account.data)
                for key, account in accounts
                if account is not None
            ],
        )
        self._writer.executemany(
            "delete from accounts where address = ?",
            [(bytes(key),) for key, account in accounts if account is None],
        )

    def count(self) -> int:
        """How many transactions the chain holds."""
        return int(self._reader.execute("select count(*) from transactions").fetchone()[0])

    def since(self, slot: int) -> list[StoredTransaction]:
        """The transactions after the slot, in order."""
        return self._select("where slot > ? order by slot, position", (slot,))

    def find(self, signature: Signature) -> StoredTransaction | None:
        """The transaction of this signature, however old."""
        found = self._select("where signature = ?", (bytes(signature),))
        return found[0] if found else None

    def body(self, slot: int, position: int) -> tuple[bytes, dict[str, Any]]:
        """Bytes and meta of a stored transaction."""
        row = self._reader.execute(
            "select wire, meta from transactions where slot = ? and position = ?", (slot, position)
        ).fetchone()
        return row[0], orjson.loads(row[1])

    def mentioning(
        self, address: Pubkey, up_to_slot: int, before: Signature | None, until: Signature | None, limit: int
    ) -> list[StoredTransaction]:
        """Transactions that name the address, newest first, between two signatures (both exclusive)."""
        upper, lower = _LATEST, _EARLIEST
        if before is not None:
            found = self.find(before)
            if found is None:
                return []
            upper = (found.slot, found.position)
        if until is not None and (found := self.find(until)) is not None:
            lower = (found.slot, found.position)
        return self._select(
            "join mentions using (slot, position) where address = ? and slot <= ? "
            "and (slot, position) < (?, ?) and (slot, position) > (?, ?) "
            "order by slot desc, position desc limit ?",
            (bytes(address), up_to_slot, *upper, *lower, limit),
        )

    def _select(self, tail: str, values: tuple[Any, ...]) -> list[StoredTransaction]:
        rows = self._reader.execute(
            f"select signature, slot, position, error, block_time_s, memo from transactions {tail}", values
        )
        return [
            StoredTransaction(Signature(sig), slot, position, error and orjson.loads(error), time_s, memo)
            for sig, slot, position, error, time_s, memo in rows
        ]
