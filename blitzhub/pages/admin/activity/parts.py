"""Parts of the pages about activity, which live in the browser and ask the operators' API by themselves."""

from typing import Final

import reflex as rx

from blitzhub import client as client  # links the API client that the parts import
from blitzhub.charts import plot as plot  # links the charts
from blitzhub.components import browser as browser  # links figures.js and the copy button
from blitzhub.pages.admin import frame as frame  # links poll.js and the words of the engine room

_OVERVIEW: Final = rx.asset("overview.jsx", shared=True).importable_path
_TOKENS: Final = rx.asset("tokens.jsx", shared=True).importable_path
_TOKEN: Final = rx.asset("token_metrics.jsx", shared=True).importable_path
_COHORTS: Final = rx.asset("cohorts.jsx", shared=True).importable_path
for _part in ("period.jsx", "rows.jsx", "asking.js"):
    rx.asset(_part, shared=True)


class Overview(rx.NoSSRComponent):
    """Figures and charts of a chosen time."""

    library = _OVERVIEW
    tag = "Overview"


class Tokens(rx.NoSSRComponent):
    """The table of all tokens."""

    library = _TOKENS
    tag = "Tokens"


class TokenMetrics(rx.NoSSRComponent):
    """The life of the token that the page's address names."""

    library = _TOKEN
    tag = "TokenMetrics"


class Cohorts(rx.NoSSRComponent):
    """Cohorts of traders."""

    library = _COHORTS
    tag = "Cohorts"
