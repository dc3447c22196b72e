"""The trade panel: a client of the HTTP API like any bot, drawn beside the chart or in a phone's sheet."""

from typing import Final

import reflex as rx
from reflex.components.component import Component, field

from blitzhub import client as client  # links the API client that the panel imports
from blitzhub import wallet as wallet  # links the faucet button
from blitzhub.components.radix import RADIX

SONNER: Final = "sonner@2.0.8"

_PANEL: Final = rx.asset("trade_panel.jsx", shared=True).importable_path
_PHONE: Final = rx.asset("trade_bar.jsx", shared=True).importable_path
for _part in ("quote.js", "slippage.jsx", "panel_parts.jsx", "trade_words.js"):
    rx.asset(_part, shared=True)


class _Trading(rx.NoSSRComponent):
    """What both forms are told. Amounts are decimal text of lamports or base units, empty when unknown."""

    lib_dependencies: list[str] = field(default_factory=lambda: [RADIX, SONNER])
    token: rx.Var[str]
    symbol: rx.Var[str]
    decimals: rx.Var[int]
    minimum_buy_lamports: rx.Var[str]
    fee_bps: rx.Var[int]
    stage: rx.Var[str]
    paused: rx.Var[bool]
    account: rx.Var[str]
    lamports: rx.Var[str]
    held: rx.Var[str]
    localnet: rx.Var[bool]


class TradePanel(_Trading):
    """The panel itself, drawn from 1024 px on."""

    library = _PANEL
    tag = "SideTradePanel"


class TradeBar(_Trading):
    """Below 1024 px: Buy and Sell fixed at the foot, the panel in a sheet above them."""

    library = _PHONE
    tag = "TradeBar"


def trading(component: type[_Trading], **props: rx.Var[str] | rx.Var[int] | rx.Var[bool]) -> Component:
    """Either form with the same facts."""
    made: Component = component.create(**props)
    return made
