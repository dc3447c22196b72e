"""The switches, as it is laid out; what it shows comes from the API, which asks who calls."""

from typing import Final

import reflex as rx
from reflex.components.component import Component

from blitzhub import routes
from blitzhub.pages.admin.frame import ActingPart, admin_page

_PAGE: Final = rx.asset("switches_page.jsx", shared=True).importable_path


class SwitchesPage(ActingPart):
    """The switches: what operators can stop, and what is stopped."""

    library = _PAGE
    tag = "SwitchesPage"


def switches() -> Component:
    """For whoever runs the platform."""
    return admin_page(SwitchesPage.create(), active=routes.ADMIN_SWITCHES)
