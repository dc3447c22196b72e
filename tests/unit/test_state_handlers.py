"""Every handler of every State is callable by any client with any arguments: what each of them may be made to do."""

import inspect
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import reflex as rx

from blitzhub import services
from blitzhub.blitzhub import app
from blitzhub.pages.admin.guard import for_operators
from blitzhub.session import SessionState
from engine.settings import Settings

WRONG = [None, True, 0, 1, -5, 1.9, "NaN", 2**64, [1], [], {"a": 1}, "x" * 5_000, "\u202e", b"x"]
IDENTITIES = ("address", "account", "account_id", "session", "cookie", "token", "self", "user")
FRAMEWORK = {"setvar"}
"""Sets a var through its setter, which no State of ours has: covered by a test of its own."""


def _states(root: type[rx.State] = rx.State) -> Iterator[type[rx.State]]:
    assert app is not None  # importing the app is what defines every State
    for state in sorted(root.get_substates(), key=lambda state: state.__name__):  # the same order in every process
        if state.__module__.startswith("blitzhub."):
            yield state
        yield from _states(state)


HANDLERS = [
    pytest.param(state, name, id=f"{state.__name__}.{name}")
    for state in _states()
    for name in state.event_handlers
    if name not in FRAMEWORK
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...]]]:
    """Every question to the engine that a handler asks, answered as for a visitor who is not signed in."""
    questions: list[tuple[str, tuple[Any, ...]]] = []

    def answer(name: str, value: Any, *, waits: bool = True) -> None:
        async def later(*args: Any) -> Any:
            questions.append((name, args))
            return value

        def at_once(*args: Any) -> Any:
            questions.append((name, args))
            return value

        monkeypatch.setattr(services, name, later if waits else at_once)

    async def no(_: str) -> bool:
        return False

    for guard in ("may_view", "may_operate"):  # asks who calls, and nothing of the engine
        monkeypatch.setattr(services, guard, no)
    answer("account_of_cookies", None)
    answer("token", None)
    answer("launch_preview", {})
    answer("settings", Settings(), waits=False)
    answer("launch_errors", {}, waits=False)
    answer("role_of", "")
    for name in ("balances", "own_orders", "held"):
        answer(name, {})
    return questions


def _root() -> rx.State:
    return rx.State(_reflex_internal_init=True)  # type: ignore[call-arg]


async def _call(state: rx.State, handler: str, /, **arguments: Any) -> None:
    outcome = type(state).event_handlers[handler].fn(state, **arguments)
    if inspect.isawaitable(outcome):
        await outcome


def _shown(root: rx.State) -> dict[str, Any]:
    return {name: dict(values) for name, values in root.dict().items()}


def test_our_states_are_found() -> None:
    assert {"SessionState", "TokenState", "LaunchState"} <= {state.__name__ for state in _states()}


@pytest.mark.parametrize(("state", "name"), HANDLERS)
async def test_a_handler_given_an_argument_it_does_not_name_changes_nothing(
    state: type[rx.State], name: str, asked: list[Any]
) -> None:
    named = set(inspect.signature(state.event_handlers[name].fn).parameters)
    for extra in set(IDENTITIES) - named:
        root = _root()
        before = _shown(root)
        with pytest.raises(TypeError):
            await _call(await root.get_state(state), name, **{extra: "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"})
        assert _shown(root) == before
        assert asked == []


@pytest.mark.parametrize(("state", "name"), HANDLERS)
async def test_a_handler_given_values_of_wrong_types_changes_nothing(
    state: type[rx.State], name: str, asked: list[Any]
) -> None:
    parameters = [p for p in inspect.signature(state.event_handlers[name].fn).parameters if p != "self"]
    for wrong_name in parameters:
        for wrong in [value for value in WRONG if not (isinstance(value, str) and len(value) < 100)]:
            root = _root()
            before = _shown(root)
            arguments = {parameter: "1" for parameter in parameters} | {wrong_name: wrong}
            await _call(await root.get_state(state), name, **arguments)
            assert _shown(root) == before, (wrong_name, wrong)
            assert asked == []


@pytest.mark.parametrize(("state", "name"), HANDLERS)
def test_no_handler_takes_an_identity(state: type[rx.State], name: str) -> None:
    parameters = set(inspect.signature(state.event_handlers[name].fn).parameters) - {"self"}
    assert not parameters & set(IDENTITIES)


@pytest.mark.parametrize("state", list(_states()), ids=lambda state: state.__name__)
async def test_no_var_can_be_set_from_outside(state: type[rx.State]) -> None:
    assert not [name for name in state.event_handlers if name.startswith("set_")]
    root = _root()
    before = _shown(root)
    for var in state.base_vars:
        with pytest.raises(AttributeError):
            await _call(await root.get_state(state), "setvar", var_name=var, value="forged")
    assert _shown(root) == before


@pytest.mark.parametrize("state", list(_states()), ids=lambda state: state.__name__)
def test_no_state_keeps_anything_in_the_browser(state: type[rx.State]) -> None:
    kept = (rx.Cookie, rx.LocalStorage, rx.SessionStorage)
    assert not [name for name, field in state.get_fields().items() if isinstance(field.default, kept)]


async def test_a_page_of_a_visitor_reads_nobodys_account(asked: list[Any]) -> None:
    for state in _states():
        if "load" in state.event_handlers:
            await _call(await _root().get_state(state), "load")
    names = {name for name, _ in asked}
    assert "account_of_cookies" in names
    assert not names & {"balances", "own_orders", "held"}


ADMIN_HANDLERS = [
    pytest.param(state, name, id=f"{state.__name__}.{name}")
    for state in _states()
    if state.__module__.startswith("blitzhub.pages.admin")
    for name in state.event_handlers
    if name not in FRAMEWORK and name in vars(state)
]


def test_every_operators_handler_is_guarded() -> None:
    for each in ADMIN_HANDLERS:
        state, name = each.values
        fn = state.event_handlers[name].fn
        assert getattr(fn, "guarded_by", None) in ("may_view", "may_operate"), f"{each.id} lacks a guard"


async def test_a_guard_lets_its_own_in_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    async def act(_: object, number: int) -> None:
        done.append(number)

    async def steps(_: object, number: int) -> AsyncIterator[None]:
        done.append(number)
        yield

    async def answered(header: str) -> bool:
        return header == "operator"

    monkeypatch.setattr(services, "may_operate", answered)
    state = SimpleNamespace(router=SimpleNamespace(headers=SimpleNamespace(cookie="viewer")))
    await for_operators(act)(state, 1)
    assert [step async for step in for_operators(steps)(state, 2)] == []
    state.router.headers.cookie = "operator"
    await for_operators(act)(state, 3)
    assert [step async for step in for_operators(steps)(state, 4)] == [None]
    assert done == [3, 4]
    with pytest.raises(TypeError):
        await for_operators(act)(state, 5, account="x")


async def test_the_account_shown_is_the_cookies_whatever_the_var_says(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def of_cookies(header: str) -> str:
        return "OwnAccount"

    async def balances(account_id: str) -> dict[str, str]:
        return {"lamports": {"OwnAccount": "5"}[account_id]}

    monkeypatch.setattr(services, "account_of_cookies", of_cookies)

    async def role_of(account_id: str) -> str:
        return {"OwnAccount": "viewer"}[account_id]

    monkeypatch.setattr(services, "balances", balances)
    monkeypatch.setattr(services, "role_of", role_of)
    session = await _root().get_state(SessionState)
    session.address = "SomebodyElse"
    await _call(session, "load")
    assert (session.address, session.lamports) == ("OwnAccount", "5")
