"""Live figures: one number of one token that keeps itself up to date and flashes when it changes."""

from typing import Final, Literal

import reflex as rx

from blitzhub import feed as feed  # links feed.js, figures.js and paint.js, which this component imports

_PRICE: Final = rx.asset("price.jsx", shared=True).importable_path

Format = Literal["price", "market_cap", "market_sol", "own_sol", "tokens", "count", "share"]


class LiveFigure(rx.NoSSRComponent):
    """One figure of a token, live.

    Props:
        token: the token's address.
        field: a key of the token's JSON: `price`, `market_cap_lamports`, `volume_24h_lamports`,
            `liquidity_lamports`, `reserve_lamports`, `supply`, `holders`, `traders_24h`, `top_ten_bps`, `creator_bps`.
        format: how it reads: `price` (10^-15 SOL per whole token), `market_cap`, `market_sol` and `own_sol` (lamports),
            `tokens` (base units), `count`, `share` (basis points).
        initial: the value before the first frame, as the API says it; null reads "—".
        unit: a word after the figure, "SOL".
        fit: take only the width of the figure instead of reserving the format's.
        label: what screen readers call it.
    """

    library = _PRICE
    tag = "LiveFigure"
    token: rx.Var[str]
    field: rx.Var[str]
    format: rx.Var[Format]
    initial: rx.Var[str | int | None]
    unit: rx.Var[str]
    fit: rx.Var[bool]
    label: rx.Var[str]


class LiveAge(rx.NoSSRComponent):
    """How long ago a moment was ("4m"), counted on. `at_ms` is epoch milliseconds."""

    library = _PRICE
    tag = "LiveAge"
    at_ms: rx.Var[int]


live_figure = LiveFigure.create
live_age = LiveAge.create
