"""Parts of the token page that live in the browser: own orders, own position, graduation and pool, holders."""

from typing import Any, Final

import reflex as rx
from reflex.components.component import field

from blitzhub import client as client  # links the API client that these parts import
from blitzhub.components import browser as browser  # links the copy button of signatures
from blitzhub.components import graduation_bar as graduation_bar  # links the bar of the graduation card
from blitzhub.components.trade_panel import SONNER

_ORDERS: Final = rx.asset("own_orders.jsx", shared=True).importable_path
_CARDS: Final = rx.asset("cards.jsx", shared=True).importable_path
_MARKET: Final = rx.asset("market_cards.jsx", shared=True).importable_path
_HOLDERS: Final = rx.asset("holders.jsx", shared=True).importable_path
_GATE: Final = rx.asset("gate.jsx", shared=True).importable_path
_TABS: Final = rx.asset("token_tabs.jsx", shared=True).importable_path
_TITLE: Final = rx.asset("page_title.jsx", shared=True).importable_path


class OwnOrders(rx.NoSSRComponent):
    """The account's orders of one token: `rows` from the ledger, and those this tab is still sending."""

    library = _ORDERS
    tag = "OwnOrders"
    token: rx.Var[str]
    symbol: rx.Var[str]
    decimals: rx.Var[int]
    account: rx.Var[str]
    rows: rx.Var[list[dict[str, Any]]]


class TokenGate(rx.NoSSRComponent):
    """Its children while `token` is the one in the browser's address, else a page that is loading.

    The State still holds the last token for a moment after a click on another one. `bare` draws nothing meanwhile;
    `token` is the address that the children are about, found or not.
    """

    library = _GATE
    tag = "TokenGate"
    token: rx.Var[str]
    bare: rx.Var[bool]


class TokenTabs(rx.NoSSRComponent):
    """Panels of which one is shown, `initial` at first; the visitor's choice outlives a change of backend."""

    library = _TABS
    tag = "TokenTabs"
    token: rx.Var[str]
    initial: rx.Var[str]


class OrderNews(rx.NoSSRComponent):
    """Draws nothing: tells the orders this tab is following what the ledger says of them."""

    library = _ORDERS
    tag = "OrderNews"
    rows: rx.Var[list[dict[str, Any]]]


class PositionCard(rx.NoSSRComponent):
    """What the account holds of the token, and what selling all of it now would return."""

    library = _CARDS
    tag = "PositionCard"
    token: rx.Var[str]
    symbol: rx.Var[str]
    decimals: rx.Var[int]
    account: rx.Var[str]
    held: rx.Var[str]


class _OfMarket(rx.NoSSRComponent):
    """A card that follows the token; `facts` is the token as the API says it, at first."""

    library = _MARKET
    lib_dependencies: list[str] = field(default_factory=lambda: [SONNER])
    facts: rx.Var[dict[str, Any]]


class GraduationCard(_OfMarket):
    """Progress to graduation; from then on the pool's figures."""

    tag = "GraduationCard"


class OpeningCard(_OfMarket):
    """The opening's rules, from before the first buy until they are over."""

    tag = "OpeningCard"


class CreatorFeesCard(_OfMarket):
    """What the token has earned its creator, with the button that claims it; for that account alone."""

    tag = "CreatorFeesCard"
    account: rx.Var[str]


class Holders(rx.NoSSRComponent):
    """The largest holders, asked for when the tab is opened and again as the market moves."""

    library = _HOLDERS
    tag = "Holders"
    token: rx.Var[str]
    decimals: rx.Var[int]
    account: rx.Var[str]


class PageTitle(rx.NoSSRComponent):
    """The browser tab's title "128.4 SOL · VOLT · BlitzHub", renewed at most every 5 s."""

    library = _TITLE
    tag = "PageTitle"
    token: rx.Var[str]
    symbol: rx.Var[str]
    cap: rx.Var[str]
