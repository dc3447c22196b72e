"""What the operators' charts show, as Plotly figures without colours: SOL and numbers of things against UTC time.

Figures are rounded to floats here and nowhere else: to be drawn, not to be counted with.
"""

from collections.abc import Sequence
from typing import Any, Final

import plotly.graph_objects as go

from engine.indicators.tallies import DAY_MS
from engine.reports.overview import Overview
from engine.reports.token_report import CLASSES, TokenReport
from engine.units import LAMPORTS_PER_SOL

Figure = dict[str, Any]
MOMENTS: Final = [
    {"dtickrange": [None, DAY_MS - 1], "value": "%H:%M"},
    {"dtickrange": [DAY_MS, None], "value": "%-d %b"},
]
"""How the time axis names hours and days: on one line. A template cannot carry this."""

WHOLE_TICKS: Final = 5
"""Up to so many things the axis names each number; Plotly would name their halves."""


def overview_charts(found: Overview) -> dict[str, Figure]:
    """The charts of the platform, by name."""
    steps = found.steps
    at = [row["begin_ms"] for row in steps]

    def of(name: str) -> list[int]:
        return [row[name] for row in steps]

    def less(whole: str, part: str) -> list[int]:
        return [row[whole] - row[part] for row in steps]

    platform_pool = less("pool_fee_lamports", "pool_creator_fee_lamports")
    platform = less("fee_lamports", "creator_fee_lamports")
    fees = {
        "platform, curve": _sol(a - b for a, b in zip(platform, platform_pool, strict=True)),
        "creators, curve": _sol(less("creator_fee_lamports", "pool_creator_fee_lamports")),
        "platform, pool": _sol(platform_pool),
        "creators, pool": _sol(of("pool_creator_fee_lamports")),
    }
    return {
        "volume": bars(
            at, {"curve": _sol(less("lamports", "pool_lamports")), "pool": _sol(of("pool_lamports"))}, "SOL"
        ),
        "trades": bars(at, {"buys": of("buys"), "sells": less("trades", "buys")}, metas=("up", "down")),
        "fees": bars(at, fees, "SOL"),
        "traders": bars(at, {"returning": less("traders", "newcomers"), "first trade": of("newcomers")}),
        "launches": bars(at, {"launches": of("launches")}),
        "graduations": bars(at, {"graduations": of("graduations")}),
    }


def token_charts(found: TokenReport) -> dict[str, Figure]:
    """The charts of one token, by name."""
    at = [row["begin_ms"] for row in found.volumes]
    volumes = {name: _sol(row[name] for row in found.volumes) for name in CLASSES}
    return {
        "holders": line(found.holders, "holders"),
        "progress": line([(at_ms, bps / 100) for at_ms, bps in found.progress_bps], "raised", "%"),
        "volume": bars(at, {name: values for name, values in volumes.items() if any(values)}, "SOL"),
    }


def bars(
    at_ms: Sequence[int], series: dict[str, Sequence[float]], unit: str = "", metas: Sequence[str | None] = ()
) -> Figure:
    """Stacked bars, each at the beginning of its step; without a unit they are numbers of things."""
    metas = metas or [None] * len(series)
    values = "%{y:,.2f} " + unit if unit else "%{y:,d}"
    traces = [
        go.Bar(x=list(at_ms), y=list(heights), name=name, meta=meta, hovertemplate=values)
        for (name, heights), meta in zip(series.items(), metas, strict=True)
    ]
    highest = max(map(sum, zip(*series.values(), strict=True)), default=0)
    axis = {"dtick": 1} if not unit and highest <= WHOLE_TICKS else {}
    return _figure(traces, yaxis=axis, barmode="stack", showlegend=len(series) > 1)


def line(points: Sequence[tuple[int, float]], name: str, unit: str = "") -> Figure:
    """A counter that stays until its next point."""
    trace = go.Scatter(
        x=[at_ms for at_ms, _ in points],
        y=[value for _, value in points],
        name=name,
        mode="lines",
        line={"shape": "hv", "width": 1.5},
        hovertemplate="%{y:,}" + unit,
    )
    return _figure([trace], showlegend=False)


def _figure(traces: Sequence[Any], **layout: Any) -> Figure:
    figure = go.Figure(list(traces), layout={"xaxis": {"type": "date", "tickformatstops": MOMENTS}, **layout})
    made: Figure = figure.to_plotly_json()
    made["layout"].pop("template", None)
    return made


def _sol(lamports: Any) -> list[float]:
    return [each / LAMPORTS_PER_SOL for each in lamports]
