"""Launching a token: keys, rents and the row first, then the mint on the chain, then trading.

The launch is a settlement of its own kind. Its confirmation makes the token tradable and executes the creator's first
buy in the same transaction, so nobody can trade before it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.curve import NO_OPENING, FeeSchedule, Opening, PowerCurve, Terms
from engine.errors import Refusal
from engine.identifiers import SOL, AccountId, TokenAddress, first_buy_client_order_id, order_id
from engine.persistence import launches as rows
from engine.persistence.controls import paused_since_ms
from engine.persistence.database import Connection
from engine.persistence.trading import lock_balances
from engine.ports import BusMessage
from engine.services import Services
from engine.settlement import key_names
from engine.settlement.programs import TOKEN_ACCOUNT_SIZE, mint_size_bytes
from engine.trading import events
from engine.trading.orders import Order, Side, body_hash
from engine.trading.prices import Stage
from engine.trading.rows import Row, booking_id, pending_settlement, sol_transfer_row
from engine.units import LOCKED_LAMPORTS

DEFAULT_K: Final = "1/1000000000"
DEFAULT_N: Final = 1
DECIMALS: Final = 6
CURVE_SUPPLY: Final = 400_000 * 10**DECIMALS
TOTAL_SUPPLY: Final = 600_000 * 10**DECIMALS
FIRST_BUY_DEADLINE_MS: Final = 10 * 60_000
"""The chain may take its time to confirm the launch; the first buy's own deadline starts only then."""

ExecuteOrders = Callable[[Sequence[Order], bool, Connection], list[BusMessage]]


class NotEnoughToLaunch(Refusal):
    """The creator cannot pay the rents and the first buy."""

    code = "funds"
    status = 422


class LaunchesPaused(Refusal):
    """Operators have paused the platform."""

    code = "paused"
    status = 409


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What a creator asks for; texts are validated by `engine.trading.naming` before they come here.

    `client_id` is a UUID made by the client: the same id is the same token, for ever. `first_buy_lamports` is fee
    included, 0 for none.
    """

    client_id: str
    name: str
    symbol: str
    description: str | None = None
    image: str | None = None
    first_buy_lamports: int = 0
    first_buy_min_tokens_out: int = 1
    opening: Opening = NO_OPENING


@dataclass(frozen=True, slots=True)
class LaunchCost:
    """What a launch takes from the creator, in lamports, the first buy apart."""

    mint_rent_lamports: int
    vault_account_rent_lamports: int
    endowment_lamports: int

    @property
    def total_lamports(self) -> int:
        """All of it."""
        return self.mint_rent_lamports + self.vault_account_rent_lamports + self.endowment_lamports

    def first_buy_lamports(self, lamports: int) -> int:
        """What a first buy of so much takes: the creator's own token account costs as much as the vault's."""
        return lamports + self.vault_account_rent_lamports if lamports else 0


def default_terms(services: Services) -> Terms:
    """The terms that every new token gets."""
    settings = services.settings
    return Terms(
        PowerCurve(DEFAULT_K, DEFAULT_N, DECIMALS),
        FeeSchedule(settings.fee_bps, settings.creator_share_percent),
        CURVE_SUPPLY,
        TOTAL_SUPPLY,
        settings.minimum_buy_lamports,
    )


def metadata_uri(services: Services, token: str) -> str:
    """Where the mint's metadata points to."""
    return f"{services.settings.public_url}/api/tokens/{token}/metadata.json"


async def launch_cost(services: Services, name: str, symbol: str) -> LaunchCost:
    """What launching a token of this name costs on the chain.

    Raises:
        engine.errors.Unavailable: the chain cannot be asked.
    """
    longest_address = "1" * 44
    size_bytes = mint_size_bytes(name, symbol, metadata_uri(services, longest_address))
    return LaunchCost(
        mint_rent_lamports=await services.chain.rent_lamports(size_bytes),
        vault_account_rent_lamports=await services.chain.rent_lamports(TOKEN_ACCOUNT_SIZE),
        endowment_lamports=LOCKED_LAMPORTS,
    )


async def request_launch(services: Services, account_id: AccountId, request: LaunchRequest) -> TokenAddress:
    """Take the rents from the creator and queue the launch; asking again with the same `client_id` changes nothing.

    Raises:
        NotEnoughToLaunch: the free balance does not cover rents and first buy.
        LaunchesPaused: operators have paused the platform.
        engine.errors.Unavailable: chain, signer or broker are out of reach; nothing was changed.
    """
    terms = default_terms(services)
    cost = await launch_cost(services, request.name, request.symbol)
    key_name = key_names.mint(account_id, request.client_id)
    token = TokenAddress(await services.signer.create_key(key_name))
    vault_key_name = key_names.vault(token)
    vault = await services.signer.create_key(vault_key_name)
    await services.broker.declare(token)
    now_ms = services.clock.now_ms()
    row = _token_row(services, account_id, request, terms, token, vault, now_ms)
    wallets = [
        {"address": token, "kind": "mint", "key_name": key_name, "token": token, "created_at_ms": now_ms},
        {"address": vault, "kind": "vault", "key_name": vault_key_name, "token": token, "created_at_ms": now_ms},
    ]

    def book(connection: Connection) -> list[BusMessage]:
        if rows.exists(connection, token):
            return []
        if paused_since_ms(connection) is not None:
            raise LaunchesPaused("Launching is paused for the moment. Nothing was spent.")
        return _book(connection, row, wallets, request, cost, now_ms)

    services.bus.publish(await services.database.write(book))
    return token


def _book(
    connection: Connection, row: Row, wallets: list[Row], request: LaunchRequest, cost: LaunchCost, now_ms: int
) -> list[BusMessage]:
    account_id, token = row["creator"], row["address"]
    sol = lock_balances(connection, [(account_id, SOL)])[account_id, SOL]
    free_lamports = sol["amount"] - LOCKED_LAMPORTS
    needed_lamports = cost.total_lamports + cost.first_buy_lamports(request.first_buy_lamports)
    if needed_lamports > free_lamports:
        raise NotEnoughToLaunch(
            "Not enough SOL for the launch and the first buy.",
            needed_lamports=str(needed_lamports),
            free_lamports=str(max(free_lamports, 0)),
        )
    sol["amount"] -= cost.total_lamports
    sol["account_seq"] += 1
    creator = rows.creator(connection, account_id)
    wallet, row["simulated"] = creator["wallet"], creator["simulated"]
    settlement_id = booking_id("launch", token)
    transfer = sol_transfer_row(
        "launch", account_id, -cost.total_lamports, sol["account_seq"], token, wallet, settlement_id, now_ms
    )
    legs = {
        "settlement_id": settlement_id,
        "kind": "launch",
        "side": None,
        "token": token,
        "seq": 0,
        "account_id": account_id,
        "account_seq": sol["account_seq"],
        "wallet": wallet,
        "vault": row["vault"],
        "lamports": cost.total_lamports,
        "tokens": row["total_supply"],
        "rent_lamports": cost.mint_rent_lamports,
    }
    rows.book(connection, row, wallets, sol, transfer, pending_settlement(legs, now_ms))
    return [events.balance_changed(account_id, "launch", -cost.total_lamports, sol["account_seq"])]


def _token_row(
    services: Services, account_id: str, request: LaunchRequest, terms: Terms, token: str, vault: str, now_ms: int
) -> Row:
    return {
        "address": token,
        "vault": vault,
        "creator": account_id,
        "client_id": request.client_id,
        "name": request.name,
        "symbol": request.symbol,
        "description": request.description or None,
        "image": request.image or None,
        "uri": metadata_uri(services, token),
        "first_buy_lamports": request.first_buy_lamports,
        "first_buy_min_tokens_out": request.first_buy_min_tokens_out,
        "k": DEFAULT_K,
        "n": DEFAULT_N,
        "decimals": DECIMALS,
        "total_supply": terms.total_supply,
        "curve_supply": terms.curve_supply,
        "fee_bps": terms.fees.fee_bps,
        "creator_share_percent": terms.fees.creator_share_percent,
        "minimum_buy_lamports": terms.minimum_buy_lamports,
        "opening_fee_bps": request.opening.fee_bps,
        "opening_fee_ms": request.opening.fee_ms,
        "opening_cap_tokens": request.opening.cap_tokens,
        "opening_cap_ms": request.opening.cap_ms,
        "stage": Stage.LAUNCHING.value,
        "endowment_lamports": LOCKED_LAMPORTS,
        "created_at_ms": now_ms,
        "updated_at_ms": now_ms,
    }


def confirmed(
    connection: Connection, settlement: Mapping[str, Any], now_ms: int, execute: ExecuteOrders
) -> list[BusMessage]:
    """The mint is on the chain: make the token tradable and execute the creator's first buy before anybody else's.

    Runs in the transaction that records the confirmation; returns what to publish after it.
    """
    token = rows.lock(connection, settlement["token"])
    if token["stage"] != Stage.LAUNCHING:
        return []
    token |= {"stage": Stage.CURVE.value, "tradable_at_ms": now_ms, "updated_at_ms": now_ms}
    rows.write_stage(connection, token)
    messages = [events.launched(token), events.stage_changed(token)]
    if token["first_buy_lamports"]:
        messages += execute([_first_buy(token, now_ms)], True, connection)
    return messages


def failed(connection: Connection, settlement: Mapping[str, Any], now_ms: int, error: str) -> list[BusMessage]:
    """The launch can never land: give the creator everything back and close the token."""
    token = rows.lock(connection, settlement["token"])
    if token["stage"] != Stage.LAUNCHING:
        return []
    token |= {"stage": Stage.FAILED.value, "failure": error[:200], "updated_at_ms": now_ms}
    account_id = token["creator"]
    sol = lock_balances(connection, [(account_id, SOL)])[account_id, SOL]
    sol["amount"] += settlement["lamports"]
    sol["account_seq"] += 1
    refund = sol_transfer_row(
        "refund",
        account_id,
        settlement["lamports"],
        sol["account_seq"],
        token["address"],
        settlement["wallet"],
        settlement["settlement_id"],
        now_ms,
    )
    rows.write_failure(connection, token, sol, refund)
    return [
        events.stage_changed(token),
        events.balance_changed(account_id, "refund", settlement["lamports"], sol["account_seq"]),
    ]


def _first_buy(token: Row, now_ms: int) -> Order:
    account_id = AccountId(token["creator"])
    client_order_id = first_buy_client_order_id(token["address"])
    amount, bound = token["first_buy_lamports"], token["first_buy_min_tokens_out"]
    return Order(
        order_id=order_id(account_id, client_order_id),
        account_id=account_id,
        client_order_id=client_order_id,
        token=TokenAddress(token["address"]),
        side=Side.BUY,
        amount=amount,
        bound=bound,
        deadline_ms=now_ms + FIRST_BUY_DEADLINE_MS,
        body_hash=body_hash(Side.BUY, token["address"], amount, bound, None),
        accepted_at_ms=token["created_at_ms"],
        simulated=bool(token["simulated"]),
    )
