"""A ledger of any size and a localnet whose accounts hold what it says: for tests of what happens when they do not.

The chain's accounts are written into the node's own file while it does not run, which is also how a test changes one
behind everybody's back.
"""

import random
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import base58
from sqlalchemy import insert, update

from engine.identifiers import SOL
from engine.localnet.store import Store
from engine.persistence.comparison import Holding, books, network_fees
from engine.persistence.database import Database
from engine.persistence.launches import WALLETS
from engine.persistence.trading import SETTLEMENTS, TRANSFERS, lock_for, write
from engine.settlement.programs import SYSTEM, TOKEN_2022, token_account
from engine.trading.batch import Batch
from engine.trading.orders import Side
from engine.units import LOCKED_LAMPORTS
from tests.fakes import START_MS
from tests.ledger import ONE_SOL, RENT, account, fund, list_tokens, make_order, token, wallet
from tests.localnet import Localnet
from tests.market_data import address

FEE_PAYER: Final = address(70_000)
FEE_LAMPORTS: Final = 15_000
ORDERS_PER_BATCH: Final = 500


def write_ledger(database: Database, accounts: int, tokens: int, buys_each: int, seed: int = 1, **terms: Any) -> None:
    """Accounts with deposits, tokens with a vault's endowment, and buys whose settlements are all confirmed.

    `terms` are columns of every token's row.
    """
    draw = random.Random(seed)
    orders = [
        make_order(Side.BUY, draw.randint(10_000_000, 20_000_000), number=number, who=who, on=token(on))
        for number, (who, on) in enumerate(
            (who, on) for who in range(accounts) for on in draw.sample(range(tokens), buys_each)
        )
    ]
    wallets = {account(number): wallet(number) for number in range(accounts)}
    with database.transaction() as connection:
        fund(connection, range(accounts))
        list_tokens(connection, range(tokens), endowment_lamports=LOCKED_LAMPORTS, **terms)
        connection.execute(insert(WALLETS).values(address=FEE_PAYER, kind="fee_payer", key_name="fee-payer"))
        gift = {"transfer_id": "f" * 32, "kind": "donation", "asset": SOL, "amount": 100 * ONE_SOL, "account_seq": 0}
        connection.execute(insert(TRANSFERS).values(gift | {"address": FEE_PAYER, "created_at_ms": START_MS}))
        for start in range(0, len(orders), ORDERS_PER_BATCH):
            part = orders[start : start + ORDERS_PER_BATCH]
            batch = Batch(lock_for(connection, part, START_MS), wallets, START_MS, RENT)
            for order in part:
                batch.apply(order)
            write(connection, batch.changes)
        confirmed = {"state": "confirmed", "slot": 1, "fee_lamports": FEE_LAMPORTS, "confirmed_at_ms": START_MS}
        connection.execute(update(SETTLEMENTS).values(confirmed))


def write_chain(database: Database, directory: Path) -> int:
    """A chain in which every holding of the ledger is just so; returns how many there are."""
    with database.snapshot() as connection:
        found = books(connection)
        fees_lamports = network_fees(connection, 0, 2**62)
    for holding in found.fee_payers:
        found.fee_payers[holding] -= fees_lamports
    Store(directory).close()
    with closing(sqlite3.connect(directory / "chain.sqlite")) as chain, chain:
        chain.executemany(
            "insert into accounts values (?, ?, ?, 0, ?)", [_row(*each) for each in found.amounts.items()]
        )
    return len(found.amounts)


def _row(holding: Holding, amount: int) -> tuple[bytes, int, bytes, bytes]:
    owner, asset = holding
    if asset == SOL:
        return base58.b58decode(owner), amount, bytes(SYSTEM), b""
    held = base58.b58decode(asset) + base58.b58decode(owner) + struct.pack("<Q", amount)
    data = held + bytes(36) + b"\1" + bytes(56) + b"\2" + struct.pack("<HH", 7, 0)
    return bytes(token_account(owner, asset)), RENT, bytes(TOKEN_2022), data


@dataclass(frozen=True, slots=True)
class Tampering:
    """Changes of accounts in the file of a node that is down for it."""

    node: Localnet

    @contextmanager
    def chain(self) -> Iterator[sqlite3.Connection]:
        """The node's file while the node is down; it runs again afterwards."""
        self.node.kill()
        with closing(sqlite3.connect(self.node.data / "chain.sqlite")) as chain, chain:
            yield chain
        self.node.start()


def change(chain: sqlite3.Connection, holding: Holding, amount: int) -> None:
    """Add so much to what an address holds."""
    owner, asset = holding
    if asset == SOL:
        key = base58.b58decode(owner)
        changed = chain.execute("update accounts set lamports = lamports + ? where address = ?", (amount, key)).rowcount
    else:
        key = bytes(token_account(owner, asset))
        ((data,),) = chain.execute("select data from accounts where address = ?", (key,))
        (held,) = struct.unpack("<Q", data[64:72])
        data = data[:64] + struct.pack("<Q", held + amount) + data[72:]
        changed = chain.execute("update accounts set data = ? where address = ?", (data, key)).rowcount
    assert changed == 1
