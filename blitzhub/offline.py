"""What the framework would show for itself, in this project's words: lost server, crashed page, unknown address."""

import reflex as rx
from reflex.app import default_error_boundary
from reflex.components.component import Component
from reflex_components_core.core.banner import has_connection_errors

from blitzhub import routes
from blitzhub.components.basics import icon, link_button, plain_link
from blitzhub.components.frame import page


def offline_note() -> Component:
    """Says that the server cannot be reached; goes by itself once it can."""
    return rx.cond(
        has_connection_errors,
        rx.el.div(icon("wifi-off"), "Connection lost. Reconnecting…", class_name="bh-offline", role="status"),
    )


def error_boundary(*, stateful: bool) -> Component:
    """Stands in for a page whose drawing crashed. The server is told, the visitor sees no traceback."""
    fallback = rx.el.div(
        rx.el.h1("This page could not be drawn.", class_name="bh-h2"),
        rx.el.p("Your orders and balances are not affected.", class_name="bh-muted"),
        plain_link("Reload", href="", class_name="bh-button bh-button--accent"),
        class_name="bh-message",
        role="alert",
    )
    unwatched = {} if stateful else {"on_error": rx.noop()}
    return default_error_boundary(fallback_render=fallback, **unwatched)


def nothing_here() -> Component:
    """What stands where nothing is, and where nothing is for this visitor."""
    return rx.el.div(
        rx.el.h1("No token at this address.", class_name="bh-h2"),
        link_button("To the board", href=routes.BOARD, tone="accent"),
        class_name="bh-message",
    )


def not_found() -> Component:
    """The page of every address that is none."""
    return page(nothing_here())
