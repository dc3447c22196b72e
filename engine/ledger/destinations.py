"""Where a withdrawal may go: another wallet, a trading wallet of ours, and nowhere that money would be lost."""

from dataclasses import dataclass
from functools import partial

from engine.accounts.accounts import Account
from engine.accounts.siws import is_weak
from engine.errors import Refusal
from engine.identifiers import SOL, Address, is_address
from engine.persistence import withdrawals as rows
from engine.persistence.accounts import TRADING_WALLET
from engine.persistence.database import Connection
from engine.services import Services
from engine.settlement.programs import SYSTEM, TOKEN_2022, TOKEN_ACCOUNT_SIZE, is_on_curve, token_account


class InvalidDestination(Refusal):
    """Not an address, or one that nobody has a key for."""

    code = "invalid_destination"
    status = 422


class PlatformAddress(Refusal):
    """A vault, a mint or the fee payer: money sent there would be nobody's."""

    code = "platform_address"
    status = 422


@dataclass(frozen=True, slots=True)
class Destination:
    """An address that may be paid.

    `recipient_id` is the account whose trading wallet it is, None outside of the platform. `is_new`: this account was
    never known to be paid there. `lamports` is what the address holds now, settled where it is ours.
    """

    address: str
    recipient_id: str | None
    is_new: bool
    lamports: int
    token_account_rent_lamports: int


@dataclass(frozen=True, slots=True)
class _Known:
    """What the ledger knows of an address."""

    kind: str | None
    owner_id: str | None
    was_paid_before: bool
    settled_lamports: int
    has_token_account: bool


async def destination(services: Services, account: Account, address: object, asset: str) -> Destination:
    """Read an address strictly and find out what paying that asset to it takes.

    Raises:
        InvalidDestination: no address of a wallet, or the account's own trading wallet.
        PlatformAddress: an address of the platform's own.
        engine.errors.Unavailable: the chain cannot be asked.
    """
    if not isinstance(address, str) or not is_address(address) or not is_on_curve(address) or is_weak(Address(address)):
        raise InvalidDestination("This is not the address of a Solana wallet.")
    if address == account.wallet:
        raise InvalidDestination("This is your trading wallet itself.")
    known = await services.database.read(partial(_known, account=account, address=address, asset=asset))
    if known.kind not in (None, TRADING_WALLET):
        raise PlatformAddress("This address belongs to the platform; what is sent there would be lost to you.")
    is_new = address != account.account_id and not known.was_paid_before
    if known.owner_id is not None:
        rent_lamports = 0 if asset == SOL or known.has_token_account else await _rent_lamports(services)
        return Destination(address, known.owner_id, is_new, known.settled_lamports, rent_lamports)
    wallet, held = await services.chain.accounts(
        [address, address if asset == SOL else str(token_account(address, asset))]
    )
    if wallet is not None and wallet.owner != str(SYSTEM):
        raise InvalidDestination("This address is a program's account and no wallet.")
    has_account = asset == SOL or (held is not None and held.owner == str(TOKEN_2022))
    rent_lamports = 0 if has_account else await _rent_lamports(services)
    return Destination(address, None, is_new, 0 if wallet is None else wallet.lamports, rent_lamports)


async def _rent_lamports(services: Services) -> int:
    return await services.chain.rent_lamports(TOKEN_ACCOUNT_SIZE)


def _known(connection: Connection, account: Account, address: str, asset: str) -> _Known:
    paid = rows.was_paid_before(connection, account.account_id, address)
    owned = rows.owner_of(connection, address)
    if owned is None or owned["account_id"] is None:
        return _Known(None if owned is None else owned["kind"], None, paid, 0, False)
    owner_id = owned["account_id"]
    lamports, tokens = rows.holdings(connection, owner_id, asset)
    unsettled = rows.unsettled_inflow(connection, owner_id, address, SOL)
    return _Known(owned["kind"], owner_id, paid, max(0, lamports - unsettled), tokens is not None)
