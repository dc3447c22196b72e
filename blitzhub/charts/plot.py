"""Charts of operators, drawn by Plotly in the browser: their two looks, and the component that draws a figure.

A figure comes from the server without any colour. Its template follows the page's theme; a trace whose `meta` names a
colour of `blitzhub.styles.tokens` takes that one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go
import reflex as rx
from reflex.components.component import field

from blitzhub.styles.tokens import CHART_DARK, CHART_LIGHT, DARK, FIGURE_FONT, LIGHT, WORD_FONT

_PLOT: Final = rx.asset("plot.jsx", shared=True).importable_path
PLOTLY: Final = "plotly.js-basic-dist-min@4.1.1"


def template(colours: Mapping[str, str], series: Sequence[str]) -> dict[str, Any]:
    """The look of every chart in one theme, as a Plotly template."""
    figures = {"family": FIGURE_FONT, "size": 11, "color": colours["text-3"]}
    axis = {"tickfont": figures, "linecolor": colours["line-1"], "zeroline": False}
    x = {"showgrid": False, "showline": True, "ticks": "outside", "ticklen": 4, "tickcolor": colours["line-1"]}
    spike = {
        "showspikes": True,
        "spikemode": "across",
        "spikethickness": 1,
        "spikedash": "dash",
        "spikecolor": colours["line-3"],
    }
    y = {
        "gridcolor": colours["grid"],
        "zeroline": True,
        "zerolinecolor": colours["line-2"],
        "automargin": True,
        "tickformat": ",",
    }
    hover = {
        "bgcolor": colours["bg-2"],
        "bordercolor": colours["line-2"],
        "font": {"family": FIGURE_FONT, "size": 12, "color": colours["text-1"]},
    }
    legend = {"orientation": "h", "traceorder": "normal", "font": {"size": 11}}
    legend |= {"x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}
    layout = {
        "paper_bgcolor": colours["bg-1"],
        "plot_bgcolor": colours["bg-1"],
        "font": {"family": WORD_FONT, "size": 12, "color": colours["text-2"]},
        "margin": {"l": 56, "r": 16, "t": 8, "b": 32},
        "separators": ".,",
        "hovermode": "x unified",
        "hoverlabel": hover,
        "legend": legend,
        "bargap": 0.2,
        "colorway": list(series),
        "xaxis": axis | x | spike | {"hoverformat": "%-d %b %Y %H:%M"},
        "yaxis": axis | y | {"rangemode": "tozero", "automargin": True},
    }
    made: dict[str, Any] = go.layout.Template(layout=layout).to_plotly_json()
    return made


LOOKS: Final = {
    "dark": {"template": template(DARK, CHART_DARK), "colours": dict(DARK)},
    "light": {"template": template(LIGHT, CHART_LIGHT), "colours": dict(LIGHT)},
}


class PlotLooks(rx.NoSSRComponent):
    """Gives every `Plot` of the page its two looks; stands once on a page that draws any."""

    library = _PLOT
    tag = "PlotLooks"
    lib_dependencies: list[str] = field(default_factory=lambda: [PLOTLY])
    looks: rx.Var[dict[str, Any]]


def plot_looks() -> rx.Component:
    """The looks of both themes."""
    return PlotLooks.create(looks=LOOKS)
