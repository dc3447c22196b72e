"""Creator fees become the creator's: out of the token's vault, into their balance, and then so on the chain.

Fees accrue on the token's row with each trade. A claim takes all of them in one transaction, which is a movement of
the vault with a number of its own; a settlement repeats it on the chain.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from engine.accounts.accounts import Account
from engine.errors import Refusal
from engine.identifiers import SOL
from engine.persistence import claims as rows
from engine.persistence.database import Connection
from engine.persistence.trading import lock_balances, lock_tokens
from engine.ports import BusMessage
from engine.services import Services
from engine.trading import events
from engine.trading.inputs import UnknownToken, read_token
from engine.trading.rows import booking_id, pending_settlement, sol_transfer_row

MINIMUM_CLAIM_LAMPORTS: Final = 1_000_000
"""The platform pays the network for a claim; for less it would cost more than it is worth."""


class NotTheCreator(Refusal):
    """Only who launched a token has its creator fees."""

    code = "not_the_creator"
    status = 403


class TooLittleToClaim(Refusal):
    """Nothing has accrued, or too little yet."""

    code = "too_little_to_claim"
    status = 409


@dataclass(frozen=True, slots=True)
class Claim:
    """What was claimed, and the id of the settlement that brings it to the trading wallet."""

    token: str
    lamports: int
    settlement_id: str


async def claim(services: Services, account: Account, token: object) -> Claim:
    """Move every creator fee that this token has accrued into its creator's balance.

    Raises:
        Refusal: no token's address, not its creator, or less than the minimum has accrued.
    """
    address = read_token(token)
    now_ms = services.clock.now_ms()
    book = partial(_book, account=account, address=address, now_ms=now_ms)
    made, messages = await services.database.write(book)
    services.bus.publish(messages)
    return made


def _book(connection: Connection, account: Account, address: str, now_ms: int) -> tuple[Claim, list[BusMessage]]:
    token = lock_tokens(connection, [address]).get(address)
    if token is None:
        raise UnknownToken("There is no token at this address.")
    if token["creator"] != account.account_id:
        raise NotTheCreator("Only the creator of a token can claim its fees.")
    lamports: int = token["creator_fees_lamports"]
    if lamports < MINIMUM_CLAIM_LAMPORTS:
        raise TooLittleToClaim(
            "Too little has accrued to be claimed yet.",
            lamports=str(lamports),
            minimum_lamports=str(MINIMUM_CLAIM_LAMPORTS),
        )
    sol = lock_balances(connection, [(account.account_id, SOL)])[account.account_id, SOL]
    sol["amount"] += lamports
    sol["account_seq"] += 1
    token["creator_fees_lamports"] = 0
    token["seq"] += 1
    token["updated_at_ms"] = now_ms
    settlement_id = booking_id(rows.CLAIM, address, str(token["seq"]))
    legs: dict[str, Any] = {
        "settlement_id": settlement_id,
        "kind": rows.CLAIM,
        "side": None,
        "token": address,
        "seq": token["seq"],
        "account_id": account.account_id,
        "account_seq": sol["account_seq"],
        "wallet": account.wallet,
        "vault": token["vault"],
        "lamports": lamports,
        "tokens": 0,
        "rent_lamports": 0,
    }
    transfer = sol_transfer_row(
        rows.CLAIM, account.account_id, lamports, sol["account_seq"], address, account.wallet, settlement_id, now_ms
    )
    rows.book(connection, token, sol, transfer, pending_settlement(legs, now_ms))
    messages = [
        events.stage_changed(token),
        events.headline(token),
        events.balance_changed(account.account_id, rows.CLAIM, lamports, sol["account_seq"]),
    ]
    return Claim(address, lamports, settlement_id), messages
