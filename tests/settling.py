"""A small ledger for settlement tests: accounts, tokens and trades written as rows, on a real database and localnet.

It moves balances as the trade worker does (token's `seq`, account's `account_seq`), at prices of its own.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, func, insert, select, update

from engine.bootstrap import open_services
from engine.identifiers import SOL, new_id
from engine.ledger.comparison import Line
from engine.ledger.foreign import Foreign
from engine.ledger.sides import Sides
from engine.persistence.launches import WALLETS
from engine.persistence.tables import AccountRow, OrderRow, SettlementRow, TokenRow, TradeRow, WalletRow
from engine.persistence.trading import ACCOUNTS, BALANCES, ORDERS, SETTLEMENTS, TOKENS, TRADES
from engine.ports import BusMessage, KeyStore
from engine.services import Services
from engine.settings import Settings, load
from engine.settlement.confirming import Hooks
from engine.settlement.programs import TOKEN_ACCOUNT_SIZE, mint_size_bytes
from engine.settlement.service import ALONE, SettlementService
from engine.settlement.settlement import Kind
from engine.settlement.signer import LocalSigner
from engine.trading import graduation
from engine.units import LOCKED_LAMPORTS
from tests.localnet import Localnet

SUPPLY = 600_000_000_000


def settings_for(directory: Path, node: Localnet, **changes: Any) -> Settings:
    """Embedded settings on that node."""
    environ = {
        "BLITZ_DATA_DIR": str(directory),
        "BLITZ_SOLANA_RPC_URL": node.rpc_url,
        "BLITZ_SOLANA_WS_URL": node.ws_url,
    }
    return replace(load(environ), **changes)


def defaults(row: type[Any]) -> dict[str, Any]:
    """The columns of a row that have a default."""
    return {name: field.default for name, field in row.model_fields.items() if not field.is_required()}


@dataclass(slots=True)
class Ledger:
    """Writes what the trade worker and the launch would write."""

    services: Services

    @property
    def keys(self) -> KeyStore:
        """The key store itself, past the signer."""
        assert isinstance(self.services.signer, LocalSigner)
        return self.services.signer.keys

    def account(self, name: str, lamports: int) -> str:
        """An account with that balance; returns its trading wallet, which the test must fund on the chain."""
        account_id = self.keys.create(f"account/{name}")
        wallet = self.keys.create(f"wallet/{account_id}")
        with self.services.database.transaction() as connection:
            connection.execute(insert(ACCOUNTS), defaults(AccountRow) | {"account_id": account_id, "wallet": wallet})
            _own(connection, wallet, "trading", f"wallet/{account_id}", account_id=account_id)
            values = {"account_id": account_id, "asset": SOL, "amount": lamports, "account_seq": 0}
            connection.execute(insert(BALANCES), values)
        return wallet

    async def launch(self, creator: str, name: str = "Voltage Cat", uri: str = "http://localhost:8600/t.json") -> str:
        """A token and its launch settlement; returns the token's address."""
        chain, keys = self.services.chain, self.keys
        client_id = str(uuid4())
        token = keys.create(f"mint/{client_id}")
        vault = keys.create(f"vault/{token}")
        texts = {"name": name, "symbol": "VOLT", "uri": uri}
        rent = await chain.rent_lamports(mint_size_bytes(*texts.values()))
        lamports = rent + await chain.rent_lamports(TOKEN_ACCOUNT_SIZE) + LOCKED_LAMPORTS
        row = (
            defaults(TokenRow)
            | texts
            | {
                "address": token,
                "vault": vault,
                "creator": self.account_of(creator),
                "client_id": client_id,
                "k": "1/1000000000",
                "n": 1,
                "decimals": 6,
                "total_supply": SUPPLY,
                "curve_supply": 400_000_000_000,
                "fee_bps": 100,
                "creator_share_percent": 30,
                "stage": "launching",
                "endowment_lamports": LOCKED_LAMPORTS,
            }
        )
        with self.services.database.transaction() as connection:
            connection.execute(insert(TOKENS), row)
            _own(connection, token, "mint", f"mint/{client_id}", token=token)
            _own(connection, vault, "vault", f"vault/{token}", token=token)
            account_seq = _move(connection, self.account_of(creator), SOL, -lamports)
            legs = {"kind": "launch", "side": None, "seq": 0, "lamports": lamports, "tokens": SUPPLY}
            legs |= {"rent_lamports": rent, "account_seq": account_seq}
            self._settlement(connection, new_id(), creator, row, legs)
        return token

    async def trade(self, wallet: str, token: str, side: str, lamports: int, tokens: int) -> str:
        """A fill with its order and settlement; returns the settlement's id."""
        rent = await self.services.chain.rent_lamports(TOKEN_ACCOUNT_SIZE)
        order_id = new_id()
        with self.services.database.transaction() as connection:
            self._trade(connection, order_id, wallet, token, (side, lamports, tokens, rent))
        return order_id

    def _trade(
        self, connection: Connection, order_id: str, wallet: str, token: str, terms: tuple[str, int, int, int]
    ) -> None:
        side, lamports, tokens, rent = terms
        account_id, sign = self.account_of(wallet), 1 if side == "buy" else -1
        held = connection.execute(
            select(func.count()).where(BALANCES.c.account_id == account_id, BALANCES.c.asset == token)
        ).scalar_one()
        rent_lamports = rent if not held else 0
        account_seq = _move(connection, account_id, SOL, -sign * lamports - rent_lamports)
        _move(connection, account_id, token, sign * tokens)
        state = {
            "seq": TOKENS.c.seq + 1,
            "reserve_lamports": TOKENS.c.reserve_lamports + sign * lamports,
            "supply": TOKENS.c.supply + sign * tokens,
        }
        connection.execute(update(TOKENS).where(TOKENS.c.address == token).values(state))
        row = dict(connection.execute(select(TOKENS).where(TOKENS.c.address == token)).mappings().one())
        fill = {"order_id": order_id, "token": token, "account_id": account_id, "side": side}
        amounts = {"seq": row["seq"], "account_seq": account_seq, "lamports": lamports, "tokens": tokens}
        order = {"client_order_id": str(uuid4()), "body_hash": "0" * 32, "amount": lamports, "state": "filled"}
        connection.execute(insert(ORDERS), defaults(OrderRow) | fill | order)
        connection.execute(insert(TRADES), defaults(TradeRow) | fill | amounts)
        legs = amounts | {"kind": "trade", "side": side, "rent_lamports": rent_lamports}
        self._settlement(connection, order_id, wallet, row, legs)

    def _settlement(
        self, connection: Connection, settlement_id: str, wallet: str, token: dict[str, Any], legs: dict[str, Any]
    ) -> None:
        row = defaults(SettlementRow) | legs
        row |= {"settlement_id": settlement_id, "token": token["address"], "vault": token["vault"], "wallet": wallet}
        row |= {"account_id": self.account_of(wallet), "state": "pending"}
        row |= {"created_at_ms": self.services.clock.now_ms()}
        connection.execute(insert(SETTLEMENTS), row)

    def account_of(self, wallet: str) -> str:
        """The account that a trading wallet belongs to."""
        with self.services.database.snapshot() as connection:
            statement = select(ACCOUNTS.c.account_id).where(ACCOUNTS.c.wallet == wallet)
            return str(connection.execute(statement).scalar_one())

    def settlement(self, settlement_id: str) -> dict[str, Any]:
        """The settlement's row."""
        with self.services.database.snapshot() as connection:
            statement = select(SETTLEMENTS).where(SETTLEMENTS.c.settlement_id == settlement_id)
            return dict(connection.execute(statement).mappings().one())

    def states(self) -> dict[str, int]:
        """How many settlements are in each state."""
        with self.services.database.snapshot() as connection:
            statement = select(SETTLEMENTS.c.state, func.count()).group_by(SETTLEMENTS.c.state)
            return {state: count for state, count in connection.execute(statement)}


def _own(connection: Connection, address: str, kind: str, key_name: str, **owner: str) -> None:
    row = defaults(WalletRow) | {"address": address, "kind": kind, "key_name": key_name} | owner
    connection.execute(insert(WALLETS), row)


def _move(connection: Connection, account_id: str, asset: str, amount: int) -> int:
    """Add to a balance; the account's next `account_seq` for SOL."""
    found = (BALANCES.c.account_id == account_id) & (BALANCES.c.asset == asset)
    row = connection.execute(select(BALANCES).where(found)).mappings().one_or_none()
    if row is None:
        values = {"account_id": account_id, "asset": asset, "amount": amount, "account_seq": 0}
        connection.execute(insert(BALANCES), values)
        return 0
    account_seq = int(row["account_seq"]) + (asset == SOL)
    values = {"amount": row["amount"] + amount, "account_seq": account_seq}
    connection.execute(update(BALANCES).where(found).values(values))
    return account_seq


@asynccontextmanager
async def opened(settings: Settings, wrap: Callable[[Any], Any] | None = None) -> AsyncIterator[Ledger]:
    """Services on these settings; `wrap` may put something between the engine and its chain."""
    async with open_services(settings) as services:
        if wrap is not None:
            services = replace(services, chain=wrap(services.chain))
        yield Ledger(services)


async def differences(services: Services) -> list[Line]:
    """What one look finds unexplained: arrivals that are not booked yet, and what should not be.

    What the faucet gave the fee payer is no difference; it is booked within a minute.
    """
    sides, foreign = Sides(services), Foreign(services)
    look = await sides.look()
    payers = [each for each in look.slots if look.roles[each[0]] == "fee_payers"]
    for each in payers:
        await foreign.learn(each)
    look = await sides.again(look, [name for each in payers for name in foreign.transfer_ids(each)])
    lines = [
        replace(line, in_flight=(*line.in_flight, *foreign.on_its_way((line.address, line.asset), look)))
        for line in look.lines
    ]
    return [line for line in lines if line.unexplained]


class Launches:
    """The hooks a settlement service calls about launches, remembering the calls."""

    def __init__(self) -> None:
        self.confirmed: list[str] = []
        self.failed: list[tuple[str, str]] = []

    def on_confirmed(self, connection: Connection, row: Any, now_ms: int) -> list[BusMessage]:
        """The token becomes tradable."""
        self.confirmed.append(row["token"])
        values = {"stage": "curve", "tradable_at_ms": now_ms}
        connection.execute(update(TOKENS).where(TOKENS.c.address == row["token"]).values(values))
        return [BusMessage("board", b"launched")]

    def on_failed(self, connection: Connection, row: Any, now_ms: int, error: str) -> list[BusMessage]:
        """The launch is over."""
        self.failed.append((row["token"], error))
        return []

    def service(self, services: Services, name: str = ALONE) -> SettlementService:
        """A settlement service with these hooks."""
        return SettlementService(
            services,
            {
                Kind.LAUNCH: Hooks(self.on_confirmed, self.on_failed),
                Kind.GRADUATION: Hooks(graduation.confirmed),
            },
            name,
        )


class Faulty:
    """The chain with one of its methods replaced."""

    def __init__(self, chain: Any, **replaced: Any) -> None:
        self._chain, self._replaced = chain, replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced.get(name) or getattr(self._chain, name)
