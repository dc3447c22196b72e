"""Platform sweeps: a token's accrued platform fees leave its vault for the treasury, once two operators want it.

The first proposes, the second confirms; both are named in `BLITZ_OPERATORS`, and the treasury in
`BLITZ_TREASURY_ADDRESS`, which the signer holds every sweep against with its own setting.
"""

import logging
import secrets
from functools import partial
from typing import Any, Final

from engine.errors import NotFound, Refusal
from engine.identifiers import SOL, is_address
from engine.persistence import sweeps as rows
from engine.persistence.database import Connection
from engine.persistence.trading import lock_tokens
from engine.ports import BusMessage
from engine.services import Services
from engine.settings import Settings, wallets_of
from engine.settlement.settlement import Kind
from engine.trading import events
from engine.trading.inputs import UnknownToken, read_token
from engine.trading.rows import booking_id, pending_settlement

audit = logging.getLogger("blitzhub.audit")

MINIMUM_SWEEP_LAMPORTS: Final = 1_000_000
"""A new treasury must be able to live of the first sweep, and the network's fee be worth it."""
PLATFORM: Final = "platform"
"""Stands where other settlements name an account."""


class NoTreasury(Refusal):
    """The settings name none, or what is no address."""

    code = "no_treasury"
    status = 409


class NotAnOperator(Refusal):
    """The settings do not name them."""

    code = "not_an_operator"
    status = 403


class OneOperator(Refusal):
    """Who proposed cannot confirm."""

    code = "one_operator"
    status = 403


class TooLittleToSweep(Refusal):
    """Nothing has accrued, or too little."""

    code = "too_little_to_sweep"
    status = 409


class UnknownSweep(NotFound):
    """Nobody proposed it, or it is confirmed."""

    code = "unknown_sweep"


async def propose(services: Services, token: object, operator: str) -> dict[str, Any]:
    """Ask for every platform fee that the token has accrued to be swept; nothing moves yet.

    Raises:
        NoTreasury, NotAnOperator, TooLittleToSweep, UnknownToken.
    """
    address = read_token(token)
    treasury = _treasury(services.settings)
    _check_operator(services.settings, operator)
    sweep = {
        "sweep_id": secrets.token_hex(16),
        "token": address,
        "lamports": 0,
        "treasury": treasury,
        "proposed_by": operator,
        "proposed_at_ms": services.clock.now_ms(),
        "confirmed_by": None,
        "confirmed_at_ms": 0,
    }
    await services.database.write(partial(_propose, sweep=sweep))
    audit.warning("sweep proposed: %s lamports of %s to %s by %s", sweep["lamports"], address, treasury, operator)
    return sweep


def _propose(connection: Connection, sweep: dict[str, Any]) -> None:
    token = lock_tokens(connection, [sweep["token"]]).get(sweep["token"])
    if token is None:
        raise UnknownToken("There is no token at that address.")
    sweep["lamports"] = _swept(token["platform_fees_lamports"])
    rows.propose(connection, sweep)


def _swept(accrued_lamports: int) -> int:
    if accrued_lamports < MINIMUM_SWEEP_LAMPORTS:
        raise TooLittleToSweep("Too little has accrued to be swept.", lamports=str(accrued_lamports))
    return accrued_lamports


async def confirm(services: Services, sweep_id: str, operator: str) -> dict[str, Any]:
    """A second operator wants it too: it is booked, and the settlement worker carries it out.

    Raises:
        NoTreasury, NotAnOperator, OneOperator, UnknownSweep, TooLittleToSweep.
    """
    treasury = _treasury(services.settings)
    _check_operator(services.settings, operator)
    book = partial(_confirm, sweep_id=sweep_id, operator=operator, treasury=treasury, now_ms=services.clock.now_ms())
    sweep, messages = await services.database.write(book)
    services.bus.publish(messages)
    audit.warning("sweep confirmed: %s lamports of %s by %s", sweep["lamports"], sweep["token"], operator)
    return sweep


def _confirm(
    connection: Connection, sweep_id: str, operator: str, treasury: str, now_ms: int
) -> tuple[dict[str, Any], list[BusMessage]]:
    sweep = rows.one(connection, sweep_id)
    if sweep is None or sweep["treasury"] != treasury:
        raise UnknownSweep("There is no such sweep to this treasury.")
    if sweep["proposed_by"] == operator:
        raise OneOperator("Another operator than the one who proposed it must confirm a sweep.")
    token = lock_tokens(connection, [sweep["token"]])[sweep["token"]]
    if not rows.confirm(connection, sweep_id, operator, now_ms):
        raise UnknownSweep("This sweep is confirmed already.")
    if token["platform_fees_lamports"] < sweep["lamports"]:
        raise TooLittleToSweep("Another sweep took these fees.", lamports=str(token["platform_fees_lamports"]))
    token["platform_fees_lamports"] -= sweep["lamports"]
    token["seq"] += 1
    token["updated_at_ms"] = now_ms
    legs = {
        "settlement_id": sweep_id,
        "kind": Kind.SWEEP.value,
        "side": None,
        "token": token["address"],
        "seq": token["seq"],
        "account_id": PLATFORM,
        "account_seq": 0,
        "wallet": treasury,
        "vault": token["vault"],
        "lamports": sweep["lamports"],
        "tokens": 0,
        "rent_lamports": 0,
    }
    transfer = {
        "transfer_id": booking_id(Kind.SWEEP.value, sweep_id),
        "kind": Kind.SWEEP.value,
        "account_id": None,
        "asset": SOL,
        "amount": -sweep["lamports"],
        "account_seq": 0,
        "token": token["address"],
        "address": token["vault"],
        "settlement_id": sweep_id,
        "created_at_ms": now_ms,
    }
    rows.book(connection, token, transfer, pending_settlement(legs, now_ms))
    return sweep, [events.stage_changed(token), events.headline(token)]


def _treasury(settings: Settings) -> str:
    if not is_address(settings.treasury_address):
        raise NoTreasury("BLITZ_TREASURY_ADDRESS is not the address of a treasury.")
    return settings.treasury_address


def _check_operator(settings: Settings, operator: str) -> None:
    if operator not in wallets_of(settings.operators):
        raise NotAnOperator("BLITZ_OPERATORS does not name this operator.")
