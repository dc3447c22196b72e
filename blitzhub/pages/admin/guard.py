"""Guards of the operators' handlers: any client may call any handler, so each asks who calls before it does anything.

    @rx.event
    @for_viewers
    async def load(self) -> None: ...

Whoever has no such role gets nothing done and is told nothing. A test goes over every handler of this package.
"""

import functools
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

from blitzhub import services


def for_viewers(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Run the handler for whoever may look."""
    return _guarded(handler, "may_view")


def for_operators(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Run the handler for whoever may act, now: an operator who signed in of late."""
    return _guarded(handler, "may_operate")


def _guarded(handler: Callable[..., Any], question: str) -> Callable[..., Any]:
    signature = inspect.signature(handler)

    async def allowed(state: Any, *args: Any, **kwargs: Any) -> bool:
        signature.bind(state, *args, **kwargs)  # what it does not take is refused before anybody is asked
        return bool(await getattr(services, question)(state.router.headers.cookie))

    if inspect.isasyncgenfunction(handler):

        @functools.wraps(handler)
        async def steps(state: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            if await allowed(state, *args, **kwargs):
                async for step in handler(state, *args, **kwargs):
                    yield step

        steps.guarded_by = question  # type: ignore[attr-defined]
        return steps

    @functools.wraps(handler)
    async def once(state: Any, *args: Any, **kwargs: Any) -> Any:
        return await handler(state, *args, **kwargs) if await allowed(state, *args, **kwargs) else None

    once.guarded_by = question  # type: ignore[attr-defined]
    return once
