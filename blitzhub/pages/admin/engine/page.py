"""The engine room, as it is laid out; what it shows comes from the API, which asks who calls."""

from typing import Final

import reflex as rx
from reflex.components.component import Component

from blitzhub import routes
from blitzhub.pages.admin.frame import ActingPart, admin_page

_PAGE: Final = rx.asset("engine_page.jsx", shared=True).importable_path


class EnginePage(ActingPart):
    """The engine room: who works, what waits, how fast it goes."""

    library = _PAGE
    tag = "EnginePage"


def engine() -> Component:
    """For whoever runs the platform."""
    return admin_page(EnginePage.create(), active=routes.ADMIN_ENGINE)
