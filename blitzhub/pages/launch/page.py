"""The launch page, as it is laid out."""

import reflex as rx
from reflex.components.component import Component

from blitzhub import routes
from blitzhub.components.connection_badge import connection_badge
from blitzhub.pages.launch.parts import LaunchForm
from blitzhub.pages.launch.state import LaunchState
from blitzhub.pages.signed_frame import signed_page
from blitzhub.session import SessionState


def launch() -> Component:
    """The page of the form; its figures follow what is typed."""
    return signed_page(
        LaunchForm.create(
            errors=LaunchState.errors,
            preview=LaunchState.preview,
            account=SessionState.address,
            lamports=SessionState.lamports,
            localnet=SessionState.localnet,
            on_check=LaunchState.check,
        ),
        active=routes.LAUNCH,
        badge=connection_badge(),
        phone_bar=rx.fragment(),
    )
