"""The operators' first page, as it is laid out."""

from reflex.components.component import Component

from blitzhub import routes
from blitzhub.charts.plot import plot_looks
from blitzhub.pages.admin.activity.parts import Overview
from blitzhub.pages.admin.frame import admin_page


def overview() -> Component:
    """How the platform does."""
    return admin_page(plot_looks(), Overview.create(), active=routes.ADMIN)
