"""Withdrawals: asking what one costs, requesting it, taking it back before it is signed.

A request takes the money out of the ledger at once and leaves a settlement that waits for its release
(`releases.py`; a closing pays nobody and needs none). Sending it is the settlement worker's business, and what its end
does to the ledger is `endings.py`'s.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.accounts.accounts import Account
from engine.accounts.sessions import SignInAgain
from engine.errors import AccountFrozen, NotFound, Refusal
from engine.identifiers import SOL
from engine.ledger.booking import Booking
from engine.ledger.destinations import Destination, destination
from engine.persistence import freezes
from engine.persistence import withdrawals as rows
from engine.persistence.database import Connection
from engine.persistence.switches import Switch, state
from engine.ports import BusMessage
from engine.services import Services
from engine.settlement.programs import TOKEN_ACCOUNT_SIZE
from engine.settlement.settlement import Kind, State
from engine.settlement.transactions import ComputeBudget, fee_lamports
from engine.trading import events
from engine.trading.inputs import UnknownToken, read_amount, read_client_id, read_token
from engine.trading.rows import Row, booking_id, pending_settlement
from engine.units import LOCKED_LAMPORTS, token_value_lamports

SIGNATURES = 2
"""The fee payer's and the wallet's."""


class WithdrawalsFrozen(Refusal):
    """None leaves for the moment; the refusal says since when."""

    code = "withdrawals_frozen"
    status = 503


class NotEnough(Refusal):
    """More than the account has, fee and rent included."""

    code = "funds"
    status = 422


class NotSettled(Refusal):
    """The account has it, but the chain has not confirmed all of it yet."""

    code = "not_settled"
    status = 422


class BelowRent(Refusal):
    """So little that the chain would not keep the account it goes to."""

    code = "below_rent"
    status = 422


class AboveLimit(Refusal):
    """More than may leave the platform in an hour."""

    code = "above_hourly_limit"
    status = 422


class ConflictingWithdrawal(Refusal):
    """The id belongs to another request."""

    code = "client_id_reused"
    status = 409


class TokenAccountInUse(Refusal):
    """It is not empty, or something is on its way to it."""

    code = "token_account_in_use"
    status = 409


class UnknownWithdrawal(NotFound):
    """The account never asked for that."""

    code = "unknown_withdrawal"


class TooLateToCancel(Refusal):
    """It is signed, or has ended."""

    code = "too_late_to_cancel"
    status = 409


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks; `signed_in_at_ms` is when they last proved to have the wallet's key, None for a bot's key."""

    account: Account
    signed_in_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request as received: nothing in it is trusted. A closing has neither amount nor destination."""

    client_id: object
    asset: object
    amount: object
    destination: object
    close: bool = False


@dataclass(frozen=True, slots=True)
class _Request:
    """A request that was read. `amount` is lamports or base units."""

    withdrawal_id: str
    client_id: str
    kind: Kind
    asset: str
    amount: int
    to: Destination
    fee_lamports: int
    release_at_ms: int

    @property
    def rent_lamports(self) -> int:
        """What a token account costs, or gives back."""
        return self.to.token_account_rent_lamports

    @property
    def cost_lamports(self) -> int:
        """What it takes besides the amount."""
        return 0 if self.kind is Kind.CLOSE else self.fee_lamports + self.rent_lamports


def network_fee_lamports(services: Services) -> int:
    """What the network charges for a withdrawal."""
    settings = services.settings
    budget = ComputeBudget(settings.compute_unit_limit, settings.compute_unit_price_microlamports)
    return fee_lamports(SIGNATURES, budget)


async def quote(services: Services, requester: Requester, asset: object, address: object) -> dict[str, Any]:
    """What paying the asset to that address would cost, when it could leave, and the most that can.

    Raises:
        engine.ledger.destinations.InvalidDestination, PlatformAddress: it cannot be paid.
        UnknownToken, engine.errors.Unavailable.
    """
    account, read_asset = requester.account, _read_asset(asset)
    to = await destination(services, account, address, read_asset)
    fee = network_fee_lamports(services)
    settled = await services.database.read(partial(_settled, account=account, asset=read_asset))
    free_lamports = max(0, settled.lamports - fee - to.token_account_rent_lamports)
    frozen = await services.database.read(partial(state, switch=Switch.WITHDRAWALS_FROZEN))
    return {
        "asset": read_asset,
        "destination": to.address,
        "kind": (Kind.WITHDRAWAL if to.recipient_id is None else Kind.TRANSFER).value,
        "fee_lamports": str(fee),
        "rent_lamports": str(to.token_account_rent_lamports),
        "max": str(free_lamports if read_asset == SOL else settled.tokens),
        "minimum": str(max(1, LOCKED_LAMPORTS - to.lamports) if read_asset == SOL else 1),
        "is_new": to.is_new,
        "delay_ms": services.settings.withdrawal_delay_ms if to.is_new else 0,
        "sign_in_again": to.is_new and not _is_fresh(services, requester),
        "frozen_since_ms": frozen.changed_at_ms if frozen is not None and frozen.is_set else None,
    }


async def request(services: Services, requester: Requester, wanted: Wanted) -> dict[str, Any]:
    """Take the money out of the ledger and queue what takes it out of the platform; the same id is the same request.

    Raises:
        WithdrawalsFrozen, NotEnough, NotSettled, BelowRent, SignInAgain, AboveLimit, ConflictingWithdrawal,
        TokenAccountInUse, UnknownToken: nothing was changed.
        engine.ledger.destinations.InvalidDestination, PlatformAddress: likewise.
        engine.errors.Unavailable: the chain cannot be asked; nothing was changed.
    """
    account = requester.account
    client_id = read_client_id(wanted.client_id)
    known = await services.database.read(partial(rows.one, withdrawal_id=_withdrawal_id(account, client_id)))
    if known is not None:
        return _repeated(known, wanted, account)
    asked = await (_closing if wanted.close else _leaving)(services, requester, client_id, wanted)
    book = partial(_book, account=account, asked=asked, now_ms=services.clock.now_ms())
    told, messages = await services.database.write(book)
    services.bus.publish(messages)
    return told if told is not None else await request(services, requester, wanted)


async def withdrawal(services: Services, account: Account, withdrawal_id: str) -> dict[str, Any]:
    """Where one request of the account, or one transfer to it, stands.

    Raises:
        UnknownWithdrawal.
    """
    row = await services.database.read(partial(rows.one, withdrawal_id=withdrawal_id))
    if row is None or account.account_id not in (row["account_id"], row["recipient_id"]):
        raise UnknownWithdrawal("You have not asked for this withdrawal.")
    return rows.told_json(row, account.account_id)


async def cancel(services: Services, account: Account, withdrawal_id: str) -> dict[str, Any]:
    """Take a request back and give everything back, unless it was signed already.

    Raises:
        UnknownWithdrawal, TooLateToCancel.
    """
    undo = partial(_cancel, account=account, withdrawal_id=withdrawal_id, now_ms=services.clock.now_ms())
    told, messages = await services.database.write(undo)
    services.bus.publish(messages)
    return told


def give_back(connection: Connection, withdrawal: Row, now_ms: int) -> list[BusMessage]:
    """Return what a request took, in the transaction that ends it without effect."""
    account_id, asset = withdrawal["account_id"], withdrawal["asset"]
    if withdrawal["kind"] == Kind.CLOSE.value:
        rows.restore_balance(connection, account_id, asset)
        return []
    locked = rows.lock(connection, account_id, asset)
    booking = Booking(locked, account_id, withdrawal["withdrawal_id"], now_ms)
    cost_lamports = withdrawal["fee_lamports"] + withdrawal["rent_lamports"]
    booking.move("refund", asset, withdrawal["amount"], withdrawal["wallet"])
    booking.move("refund_cost", SOL, cost_lamports, withdrawal["wallet"])
    rows.write(connection, locked, booking.transfers)
    lamports = cost_lamports + (withdrawal["amount"] if asset == SOL else 0)
    return [events.balance_changed(account_id, "refund", lamports, booking.account_seq)]


def told(connection: Connection, withdrawal_id: str) -> tuple[dict[str, Any], list[BusMessage]]:
    """The request as its account is told now, and the events that tell every account it concerns."""
    row = rows.one(connection, withdrawal_id)
    assert row is not None
    concerned = {row["account_id"], row["recipient_id"]} - {None}
    messages = [events.withdrawal_changed(one, rows.told_json(row, one)) for one in sorted(concerned)]
    return rows.told_json(row, row["account_id"]), messages


def _withdrawal_id(account: Account, client_id: str) -> str:
    return booking_id("withdrawal", account.account_id, client_id)


def _repeated(known: Row, wanted: Wanted, account: Account) -> dict[str, Any]:
    closes = known["kind"] == Kind.CLOSE.value
    body = (closes, known["asset"], None if closes else str(known["amount"]), None if closes else known["destination"])
    if body != (wanted.close, wanted.asset, wanted.amount, wanted.destination):
        raise ConflictingWithdrawal("This client_id belongs to another withdrawal.", client_id=known["client_id"])
    return rows.told_json(known, account.account_id)


def _read_asset(asset: object) -> str:
    return SOL if asset == SOL else read_token(asset)


async def _leaving(services: Services, requester: Requester, client_id: str, wanted: Wanted) -> _Request:
    account, asset = requester.account, _read_asset(wanted.asset)
    amount = read_amount(wanted.amount, "amount")
    to = await destination(services, account, wanted.destination, asset)
    if to.is_new and not _is_fresh(services, requester):
        raise SignInAgain("Sign in again before you send to an address you have not used before.")
    if asset == SOL and to.lamports + amount < LOCKED_LAMPORTS:
        least = LOCKED_LAMPORTS - to.lamports
        raise BelowRent("The chain keeps no wallet with so little in it.", minimum=str(least))
    delay_ms = services.settings.withdrawal_delay_ms if to.is_new else 0
    asked = _Request(
        withdrawal_id=_withdrawal_id(account, client_id),
        client_id=client_id,
        kind=Kind.WITHDRAWAL if to.recipient_id is None else Kind.TRANSFER,
        asset=asset,
        amount=amount,
        to=to,
        fee_lamports=network_fee_lamports(services),
        release_at_ms=services.clock.now_ms() + delay_ms,
    )
    await _check_limit(services, asked)
    return asked


async def _closing(services: Services, requester: Requester, client_id: str, wanted: Wanted) -> _Request:
    account, token = requester.account, read_token(wanted.asset)
    rent_lamports = await services.chain.rent_lamports(TOKEN_ACCOUNT_SIZE)
    to = Destination(account.wallet, None, False, 0, rent_lamports)
    fee = network_fee_lamports(services)
    if fee >= rent_lamports:
        raise NotEnough("The network's fee is more than the rent that would come back.")
    withdrawal_id = _withdrawal_id(account, client_id)
    return _Request(withdrawal_id, client_id, Kind.CLOSE, token, 0, to, fee, services.clock.now_ms())


async def _check_limit(services: Services, asked: _Request) -> None:
    if asked.kind is not Kind.WITHDRAWAL:
        return
    token = None if asked.asset == SOL else await services.tokens.token(asked.asset)
    limit = services.settings.withdrawals_hourly_lamports
    lamports = asked.amount
    if asked.asset != SOL:
        price = int((token or {}).get("price") or 0)
        lamports = token_value_lamports(asked.amount, price, int((token or {}).get("decimals") or 0))
    if lamports > limit:
        raise AboveLimit("So much cannot leave at once; ask for less.", limit_lamports=str(limit))


def _is_fresh(services: Services, requester: Requester) -> bool:
    signed_in_at_ms = requester.signed_in_at_ms
    since_ms = services.clock.now_ms() - services.settings.reauthentication_ms
    return signed_in_at_ms is not None and signed_in_at_ms >= since_ms


@dataclass(frozen=True, slots=True)
class _Settled:
    """What an account has of SOL, above the locked minimum, and of a token, and the chain has confirmed."""

    lamports: int
    tokens: int


def _settled(connection: Connection, account: Account, asset: str) -> _Settled:
    lamports, tokens = rows.holdings(connection, account.account_id, asset)
    lamports -= LOCKED_LAMPORTS + rows.unsettled_inflow(connection, account.account_id, account.wallet, SOL)
    unsettled = 0 if asset == SOL else rows.unsettled_inflow(connection, account.account_id, account.wallet, asset)
    return _Settled(max(0, lamports), max(0, (tokens or 0) - unsettled))


def _book(
    connection: Connection, account: Account, asked: _Request, now_ms: int
) -> tuple[dict[str, Any] | None, list[BusMessage]]:
    """In one transaction: lock, decide, move. None when somebody else sent the same id a moment ago."""
    locked = rows.lock(connection, account.account_id, asked.asset)
    if rows.one(connection, asked.withdrawal_id) is not None:
        return None, []
    frozen = state(connection, Switch.WITHDRAWALS_FROZEN)
    if frozen is not None and frozen.is_set:
        raise WithdrawalsFrozen("Withdrawals wait while we check the ledger.", since_ms=frozen.changed_at_ms)
    reason = freezes.reason_of(connection, account.account_id)
    if reason is not None:
        raise AccountFrozen(f"The account is frozen: {reason}.")
    if asked.asset != SOL and locked.token is None:
        raise UnknownToken("There is no token at that address.")
    booking = Booking(locked, account.account_id, asked.withdrawal_id, now_ms)
    if asked.kind is Kind.CLOSE:
        _check_empty(connection, account, asked, locked)
        rows.forget_balance(connection, account.account_id, asked.asset)
    else:
        _check_covered(connection, account, asked)
        booking.move(asked.kind.value, asked.asset, -asked.amount, account.wallet)
        booking.move("fee", SOL, -asked.fee_lamports, account.wallet)
        booking.move("rent", SOL, -asked.rent_lamports, account.wallet)
        rows.write(connection, locked, booking.transfers)
    rows.add(connection, _withdrawal_row(account, asked, now_ms), _settlement_row(account, asked, booking, now_ms))
    answer, messages = told(connection, asked.withdrawal_id)
    if asked.kind is not Kind.CLOSE:
        lamports = -asked.cost_lamports - (asked.amount if asked.asset == SOL else 0)
        messages.append(events.balance_changed(account.account_id, asked.kind.value, lamports, booking.account_seq))
    return answer, messages


def _check_empty(connection: Connection, account: Account, asked: _Request, locked: rows.Locked) -> None:
    row = locked.balances.pop(asked.asset, None)
    if row is None:
        raise UnknownToken("You have no token account of this token.")
    if row["amount"] or rows.is_moving(connection, account.wallet, asked.asset):
        raise TokenAccountInUse("The token account is not empty, or something of it is still on its way.")


def _check_covered(connection: Connection, account: Account, asked: _Request) -> None:
    lamports, tokens = rows.holdings(connection, account.account_id, asked.asset)
    needed_lamports = asked.cost_lamports + (asked.amount if asked.asset == SOL else 0)
    free_lamports = max(0, lamports - LOCKED_LAMPORTS)
    if needed_lamports > free_lamports or (asked.asset != SOL and asked.amount > (tokens or 0)):
        raise NotEnough(
            "Not enough: the amount, the network's fee and the rent together are more than you have free.",
            needed_lamports=str(needed_lamports),
            free_lamports=str(free_lamports),
            held=str(tokens or 0),
        )
    settled = _settled(connection, account, asked.asset)
    if needed_lamports > settled.lamports or (asked.asset != SOL and asked.amount > settled.tokens):
        raise NotSettled(
            "A part of this waits for Solana's confirmation; try again in a moment.",
            settled_lamports=str(settled.lamports),
            settled_tokens=str(settled.tokens),
        )


def _withdrawal_row(account: Account, asked: _Request, now_ms: int) -> Row:
    return {
        "withdrawal_id": asked.withdrawal_id,
        "account_id": account.account_id,
        "client_id": asked.client_id,
        "kind": asked.kind.value,
        "asset": asked.asset,
        "amount": asked.amount,
        "destination": asked.to.address,
        "recipient_id": asked.to.recipient_id,
        "fee_lamports": asked.fee_lamports,
        "rent_lamports": asked.rent_lamports,
        "release_at_ms": asked.release_at_ms,
        "created_at_ms": now_ms,
    }


def _settlement_row(account: Account, asked: _Request, booking: Booking, now_ms: int) -> Row:
    is_sol = asked.asset == SOL
    legs = {
        "settlement_id": asked.withdrawal_id,
        "kind": asked.kind.value,
        "side": None,
        "token": asked.asset,
        "seq": 0,
        "account_id": account.account_id,
        "account_seq": booking.account_seq,
        "wallet": account.wallet,
        "vault": asked.to.address,
        "lamports": asked.amount if is_sol else 0,
        "tokens": 0 if is_sol else asked.amount,
        "rent_lamports": asked.rent_lamports,
    }
    # A closing waits for nothing: later movements of its token account must see it before they are sent.
    return pending_settlement(legs, now_ms) | ({"state": State.WAITING.value} if asked.kind.pays_out else {})


def _cancel(
    connection: Connection, account: Account, withdrawal_id: str, now_ms: int
) -> tuple[dict[str, Any], list[BusMessage]]:
    row = rows.one(connection, withdrawal_id)
    if row is None or row["account_id"] != account.account_id:
        raise UnknownWithdrawal("You have not asked for this withdrawal.")
    was_released = row["kind"] == Kind.TRANSFER.value and row["state"] != State.WAITING.value
    if was_released or not rows.cancel(connection, withdrawal_id):
        raise TooLateToCancel("It is on its way to Solana, or has ended.")
    messages = give_back(connection, row, now_ms)
    answer, news = told(connection, withdrawal_id)
    return answer, messages + news
