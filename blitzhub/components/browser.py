"""Components that live in the browser: the toaster, notices sent by the server, and the copy button.

The server cannot show a toast itself: the framework's way evaluates text as code, which the security policy forbids.
A State keeps a short list of notices instead and `Notifier` shows each of them once.
"""

from collections.abc import Sequence
from typing import Final, Literal, TypedDict

import reflex as rx
from reflex.components.component import field

from blitzhub import feed as feed  # links figures.js, which the copy button reads
from engine.identifiers import new_id

_TOASTS: Final = rx.asset("toasts.jsx", shared=True).importable_path
_COPY: Final = rx.asset("copy_text.jsx", shared=True).importable_path
_SONNER: Final = "sonner@2.0.8"
_KEPT_NOTICES: Final = 4

NoticeKind = Literal["info", "success", "warning", "error"]


class Notice(TypedDict):
    """One message to one person. A later notice with the same `toast` replaces its text."""

    key: str
    toast: str
    kind: NoticeKind
    text: str
    detail: str


def with_notice(
    notices: Sequence[Notice], toast: str, text: str, *, kind: NoticeKind = "info", detail: str = ""
) -> list[Notice]:
    """The State's list with one notice more, cut to the last few. For an order, `toast` is the order's id."""
    notice = Notice(key=new_id(), toast=toast, kind=kind, text=text, detail=detail)
    return [*notices, notice][-_KEPT_NOTICES:]


class Toaster(rx.NoSSRComponent):
    """The one list of toasts: bottom left, on phones at the top; at most three."""

    library = _TOASTS
    tag = "Toaster"
    lib_dependencies: list[str] = field(default_factory=lambda: [_SONNER])


class Notifier(rx.NoSSRComponent):
    """Shows each notice of a State's list once per tab; an error stays until it is closed."""

    library = _TOASTS
    tag = "Notifier"
    lib_dependencies: list[str] = field(default_factory=lambda: [_SONNER])
    notices: rx.Var[list[Notice]]


class CopyText(rx.NoSSRComponent):
    """An address or signature, shortened, with a copy icon that turns into a check for 1.2 s.

    `word` stands in place of the short form ("you", "creator", "pool"); `label` names the thing for screen readers.
    """

    library = _COPY
    tag = "CopyText"
    text: rx.Var[str]
    word: rx.Var[str]
    label: rx.Var[str]


def copyable_address(address: rx.Var[str] | str, word: rx.Var[str] | str = "", label: str = "Address") -> CopyText:
    """An address as "7xKX…9fQp", copied whole on a click."""
    component: CopyText = CopyText.create(text=address, word=word, label=label)
    return component
