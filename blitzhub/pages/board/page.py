"""The board page."""

import reflex as rx
from reflex.components.component import Component

from blitzhub import routes
from blitzhub.components.board import board as columns
from blitzhub.components.connection_badge import connection_badge
from blitzhub.pages.signed_frame import signed_page


def board() -> Component:
    """The start page: the live columns fill it."""
    return signed_page(
        rx.el.h1("Tokens", class_name="bh-visually-hidden"),
        columns(),
        active=routes.BOARD,
        badge=connection_badge(),
        layout="fixed",
    )
