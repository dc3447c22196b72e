"""Who runs the platform: operators, who act, and viewers, who look.

The one module that says so. Wallets are named in the settings, which need no database, or in the table `roles`, which
`python -m workers roles` changes; the settings win. Nobody gets a role through the web.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from engine.accounts.accounts import Account
from engine.accounts.sessions import Session, SignInAgain
from engine.errors import Refusal
from engine.persistence import roles as rows
from engine.services import Services
from engine.settings import wallets_of


class Role(StrEnum):
    """An operator sees everything and acts; a viewer sees everything."""

    OPERATOR = "operator"
    VIEWER = "viewer"


class StaffOnly(Refusal):
    """A trader, where only those who run the platform may look."""

    code = "staff_only"
    status = 403


class OperatorsOnly(Refusal):
    """A viewer, where only operators may act."""

    code = "operators_only"
    status = 403


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody with a role, and since when they are signed in."""

    account: Account
    role: Role
    signed_in_at_ms: int


async def role_of(services: Services, account_id: str) -> Role | None:
    """The role of that wallet, None for a trader. Asked each time, so that one taken away ends at once."""
    settings = services.settings
    if account_id in wallets_of(settings.operators):
        return Role.OPERATOR
    kept = await services.database.read(partial(rows.role_of, account_id=account_id))
    if kept == Role.OPERATOR:
        return Role.OPERATOR
    return Role.VIEWER if kept == Role.VIEWER or account_id in wallets_of(settings.viewers) else None


async def viewer(services: Services, session: Session) -> Staff:
    """Whoever may look.

    Raises:
        StaffOnly: the account has no role.
    """
    role = await role_of(services, session.account.account_id)
    if role is None:
        raise StaffOnly("This is for those who run the platform.")
    return Staff(session.account, role, session.signed_in_at_ms)


def check_operator(services: Services, staff: Staff) -> None:
    """Whether they may act, now.

    Raises:
        OperatorsOnly: they may only look.
        SignInAgain: they signed in too long ago.
    """
    if staff.role is not Role.OPERATOR:
        raise OperatorsOnly("Viewers look; this takes an operator.")
    if not is_recent(services, staff):
        raise SignInAgain("Sign in again: an operator's action takes a sign-in of the last minutes.")


def is_recent(services: Services, staff: Staff) -> bool:
    """Whether the sign-in is young enough to act."""
    return staff.signed_in_at_ms >= services.clock.now_ms() - services.settings.operator_reauthentication_ms
