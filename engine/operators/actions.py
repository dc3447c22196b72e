"""What an operator may do, all of it: each action checked, put on record, carried out, and told to whoever shows it.

The database is the truth, which API and trade workers ask; what goes out on the bus only makes browsers look again.
Pausing stops buys and launches, never sells or withdrawals. Holding lets a token's orders wait, none is consumed.
Parked orders are ended by the trade workers, whose right that is: here it is only asked for.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

from engine.errors import NotFound, Refusal
from engine.operators import audit
from engine.operators.roles import Staff, check_operator
from engine.persistence import controls, parked
from engine.persistence.database import RefusedRow
from engine.services import Services
from engine.trading import events
from engine.trading.inputs import UnknownToken

PAUSE_WORD: Final = "PAUSE"
RESUME_WORD: Final = "RESUME"
REASON_LENGTHS: Final = (3, 300)


class Action(StrEnum):
    """What can be done; a token's is typed with its symbol, the others with a word."""

    PAUSE_TOKEN = "pause_token"
    RESUME_TOKEN = "resume_token"
    HOLD_TOKEN = "hold_token"
    RELEASE_TOKEN = "release_token"
    HIDE_TOKEN = "hide_token"
    UNHIDE_TOKEN = "unhide_token"
    PAUSE_PLATFORM = "pause_platform"
    RESUME_PLATFORM = "resume_platform"
    FREEZE_ACCOUNT = "freeze_account"
    UNFREEZE_ACCOUNT = "unfreeze_account"
    REPLAY_PARKED = "replay_parked"
    REJECT_PARKED = "reject_parked"


class UnknownAction(Refusal):
    """There is no such action."""

    code = "unknown_action"
    status = 422


class ReasonNeeded(Refusal):
    """Nothing is done without one."""

    code = "reason_needed"
    status = 422


class WrongWord(Refusal):
    """The word typed is not the one asked for."""

    code = "wrong_word"
    status = 422


class AlreadySo(Refusal):
    """It stands so already, or something stronger holds it."""

    code = "already_so"
    status = 409


class UnknownAccount(NotFound):
    """Nobody ever signed in with that wallet."""

    code = "unknown_account"


class UnknownParked(NotFound):
    """No such order is parked."""

    code = "not_parked"


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks for, as received."""

    action: str
    target: str
    reason: str
    typed: str


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an action would do: the word it takes, what is before and after, and how. False: it stood so already."""

    word: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    effect: Callable[[], Awaitable[bool]]


async def act(services: Services, staff: Staff, command: Command) -> dict[str, Any]:
    """Do it, on record; returns the row of the audit log.

    Raises:
        OperatorsOnly, SignInAgain, UnknownAction, ReasonNeeded, WrongWord, AlreadySo, UnknownToken, UnknownAccount,
        UnknownParked: nothing was changed.
        engine.errors.Unavailable: it is done in the database, but not every trade worker could be told at once.
    """
    check_operator(services, staff)
    if command.action not in list(Action):
        raise UnknownAction(f"There is no action {command.action[:40]!r}.")
    action = Action(command.action)
    reason = " ".join(command.reason.split())
    if not REASON_LENGTHS[0] <= len(reason) <= REASON_LENGTHS[1]:
        raise ReasonNeeded(f"Say why, in {REASON_LENGTHS[0]} to {REASON_LENGTHS[1]} characters.")
    plan = await _PLANS[action](services, action, command.target, reason)
    if command.typed.strip() != plan.word:
        raise WrongWord(f"Type {plan.word} to do this.", word=plan.word)
    if dict(plan.before) == dict(plan.after):
        raise AlreadySo("It stands so already.")
    put = audit.Act(staff.account.account_id, action.value, command.target, reason, plan.before, plan.after)
    async with audit.recorded(services.database, services.clock, put) as row:
        if not await plan.effect():
            raise AlreadySo(
                "It stands so already, or the chain's refusal holds it: see `python -m workers frozen list`."
            )
    return row


_FLAGS: Final = {
    Action.PAUSE_TOKEN: ("paused", True),
    Action.RESUME_TOKEN: ("paused", False),
    Action.HOLD_TOKEN: ("held", True),
    Action.RELEASE_TOKEN: ("held", False),
    Action.HIDE_TOKEN: ("hidden", True),
    Action.UNHIDE_TOKEN: ("hidden", False),
}


async def _token(services: Services, action: Action, target: str, _: str) -> _Plan:
    flag, is_set = _FLAGS[action]
    row = await services.database.read(partial(controls.token, address=target))
    if row is None:
        raise UnknownToken("There is no token at this address.")
    before = {each: bool(row[each]) for each in controls.TOKEN_FLAGS}

    async def effect() -> bool:
        now_ms = services.clock.now_ms()
        change = partial(controls.set_token, address=target, flag=flag, is_set=is_set, now_ms=now_ms)
        token = await services.database.write(change)
        if token is not None:
            services.bus.publish([events.stage_changed(token), events.relisted(target)])
            if flag == "held":
                await services.broker.recheck_held()
        return token is not None

    return _Plan(row["symbol"], before, before | {flag: is_set}, effect)


async def _platform(services: Services, action: Action, target: str, _: str) -> _Plan:
    if target != controls.PLATFORM:
        raise UnknownAction(f"The target of this action is {controls.PLATFORM!r}.")
    pausing = action is Action.PAUSE_PLATFORM
    since_ms = await services.database.read(controls.paused_since_ms)

    async def effect() -> bool:
        change = partial(controls.pause, now_ms=services.clock.now_ms()) if pausing else controls.resume
        try:
            return await services.database.write(change)
        except RefusedRow:  # another operator pauses it at this moment
            return False

    before = {"paused": since_ms is not None}
    return _Plan(PAUSE_WORD if pausing else RESUME_WORD, before, {"paused": pausing}, effect)


async def _account(services: Services, action: Action, target: str, _: str) -> _Plan:
    freezing = action is Action.FREEZE_ACCOUNT
    row = await services.database.read(partial(controls.account, account_id=target))
    if row is None:
        raise UnknownAccount("Nobody ever signed in with this wallet.")

    async def effect() -> bool:
        changed = await services.database.write(partial(controls.set_frozen, account_id=target, is_frozen=freezing))
        if changed:
            services.bus.publish([events.balance_changed(target, action.value, 0, row["account_seq"])])
        return changed

    after = {"frozen": controls.OPERATORS_FREEZE if freezing else None}
    return _Plan("FREEZE" if freezing else "UNFREEZE", {"frozen": row["frozen"]}, after, effect)


async def _parked(services: Services, action: Action, target: str, reason: str) -> _Plan:
    wanted = parked.REPLAY if action is Action.REPLAY_PARKED else parked.REJECT
    row = await services.database.read(partial(parked.one, parked_id=target))
    if row is None or row["state"] != parked.PARKED:
        raise UnknownParked("No such order is parked.")
    before = {"state": row["state"], "wanted": row["wanted"]}

    async def effect() -> bool:
        return await services.database.write(partial(parked.want, parked_id=target, wanted=wanted, note=reason))

    return _Plan(wanted.upper(), before, before | {"wanted": wanted}, effect)


_PLANS: Final[Mapping[Action, Callable[[Services, Action, str, str], Awaitable[_Plan]]]] = {
    **dict.fromkeys(_FLAGS, _token),
    Action.PAUSE_PLATFORM: _platform,
    Action.RESUME_PLATFORM: _platform,
    Action.FREEZE_ACCOUNT: _account,
    Action.UNFREEZE_ACCOUNT: _account,
    Action.REPLAY_PARKED: _parked,
    Action.REJECT_PARKED: _parked,
}
