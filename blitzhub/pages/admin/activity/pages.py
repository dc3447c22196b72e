"""The pages about activity, as they are laid out."""

from reflex.components.component import Component

from blitzhub import routes
from blitzhub.charts.plot import plot_looks
from blitzhub.pages.admin.activity.parts import Cohorts, TokenMetrics, Tokens
from blitzhub.pages.admin.frame import admin_page


def tokens() -> Component:
    """Every token with every indicator."""
    return admin_page(Tokens.create(), active=routes.ADMIN_TOKENS)


def token_metrics() -> Component:
    """One token's life."""
    return admin_page(plot_looks(), TokenMetrics.create(), active=routes.ADMIN_TOKENS)


def cohorts() -> Component:
    """Who came back."""
    return admin_page(Cohorts.create(), active=routes.ADMIN_COHORTS)
