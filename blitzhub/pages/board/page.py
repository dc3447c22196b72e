"""The board page."""

from reflex.components.component import Component

from blitzhub import routes
from blitzhub.components.basics import empty_line, link_button
from blitzhub.components.frame import page


def board() -> Component:
    """The start page."""
    return page(
        empty_line(
            "No tokens yet. The first launch opens the market.",
            link_button("Launch token", href=routes.LAUNCH, tone="accent"),
        ),
        active=routes.BOARD,
    )
