"""The frame of every operators' page: state strip, navigation, content. Others see the page that is nowhere.

The page holds no data of its own; what it shows it asks for, and is refused.
"""

from typing import Any, Final

import reflex as rx
from reflex.components.component import Component, field

from blitzhub import client as client  # links the API client that the parts import
from blitzhub import routes
from blitzhub.components import browser as browser  # links figures.js
from blitzhub.components.basics import icon, page_link, skeleton
from blitzhub.components.connection_badge import connection_badge
from blitzhub.components.radix import RADIX
from blitzhub.offline import nothing_here
from blitzhub.pages.signed_frame import signed_page
from blitzhub.session import SessionState

_STRIP: Final = rx.asset("state_strip.jsx", shared=True).importable_path
for _part in ("poll.js", "action.jsx", "engine_words.js"):
    rx.asset(_part, shared=True)


class ActingPart(rx.NoSSRComponent):
    """A part that asks the operators' API by itself and lets operators act: it knows who they are."""

    lib_dependencies: list[str] = field(default_factory=lambda: [RADIX])
    account: rx.Var[str]
    localnet: rx.Var[bool]

    @classmethod
    def create(cls, *children: Component, **props: Any) -> Component:
        """For whoever is signed in."""
        return super().create(*children, account=SessionState.address, localnet=SessionState.localnet, **props)


class StateStrip(ActingPart):
    """Trading, withdrawals, ledger and backends in one line, asked for every two seconds."""

    library = _STRIP
    tag = "StateStrip"


def admin_page(*children: Component, active: str) -> Component:
    """An operators' page; `active` is its route, from `blitzhub.routes.ADMIN_NAV`."""
    return signed_page(
        rx.cond(
            SessionState.role != "",
            _staff_only(*children, active=active),
            rx.cond(SessionState.known, nothing_here(), skeleton("100%", "40px")),
        ),
        badge=connection_badge(),
    )


def _staff_only(*children: Component, active: str) -> Component:
    links = [
        page_link(
            icon(item.icon),
            item.label,
            href=item.route,
            custom_attrs={"aria-current": "page"} if item.route == active else {},
        )
        for item in routes.ADMIN_NAV
    ]
    return rx.el.div(
        StateStrip.create(),
        rx.el.nav(*links, class_name="bh-admin__nav", custom_attrs={"aria-label": "Operators' pages"}),
        rx.el.div(*children, class_name="bh-admin__content"),
        class_name="bh-admin",
        data_testid="admin",
    )
