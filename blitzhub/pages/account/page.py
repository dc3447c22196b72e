"""The account page, as it is laid out; its lists come from the API, because nothing changes them but their owner."""

from typing import Final

import reflex as rx
from reflex.components.component import Component, field

from blitzhub import client as client  # links the API client that the parts import
from blitzhub.components import browser as browser  # links figures.js and the copy button
from blitzhub.components.connection_badge import connection_badge
from blitzhub.components.radix import RADIX
from blitzhub.pages.signed_frame import signed_page
from blitzhub.session import SessionState

_PAGE: Final = rx.asset("account_page.jsx", shared=True).importable_path
for _part in ("keys.jsx", "sessions.jsx"):
    rx.asset(_part, shared=True)


class AccountPage(rx.NoSSRComponent):
    """Keys and sessions of the signed-in account."""

    library = _PAGE
    tag = "AccountPage"
    lib_dependencies: list[str] = field(default_factory=lambda: [RADIX])
    account: rx.Var[str]
    known: rx.Var[bool]


def account() -> Component:
    """What may act for the account; whoever is not signed in is asked to."""
    return signed_page(
        AccountPage.create(account=SessionState.address, known=SessionState.known), badge=connection_badge()
    )
