"""The candle chart of a token, and how far its price has moved."""

from typing import Final

import reflex as rx
from reflex.components.component import field

from blitzhub import client as client  # links api.js
from blitzhub import feed as feed  # links feed.js, figures.js and paint.js, which these components import

_CHART: Final = rx.asset("candle_chart.jsx", shared=True).importable_path
_CANDLES: Final = rx.asset("candles.js", shared=True).importable_path
_SESSION: Final = rx.asset("candle_session.js", shared=True).importable_path
_CHANGES: Final = rx.asset("price_changes.jsx", shared=True).importable_path
_MARK: Final = rx.asset("graduation_mark.js", shared=True).importable_path
_TIMES: Final = rx.asset("chart_times.js", shared=True).importable_path
_DRAWING: Final = rx.asset("drawing.js", shared=True).importable_path


class CandleChart(rx.NoSSRComponent):
    """Candles and volume of a token, live; it fills the box it is put into, toolbar included.

    Props:
        token: the token's address.
        symbol: for screen readers.
        total_supply: base units, as the API says it; makes the market cap of a price.
        decimals: of the token.
        graduation_price: 10^-15 SOL per whole token, where the line "Graduates" is drawn; "" for no line.
        graduated_at_ms: when it graduated, 0 before; then live. A thin line marks the moment.
        created_at_ms: chooses the first interval: 1s under 5 minutes of age, 15s under an hour, else 1m.
    """

    library = _CHART
    tag = "CandleChart"
    lib_dependencies: list[str] = field(default_factory=lambda: ["lightweight-charts@5.2.1"])
    token: rx.Var[str]
    symbol: rx.Var[str]
    total_supply: rx.Var[str]
    decimals: rx.Var[int]
    graduation_price: rx.Var[str]
    graduated_at_ms: rx.Var[int]
    created_at_ms: rx.Var[int]


candle_chart = CandleChart.create


class PriceChanges(rx.NoSSRComponent):
    """Four headline figures, "5m" to "24h": the price's change since then, live; "—" where there was no price then."""

    library = _CHANGES
    tag = "PriceChanges"
    token: rx.Var[str]


price_changes = PriceChanges.create
