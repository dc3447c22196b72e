"""The token page, as it is laid out."""

from typing import Any

import reflex as rx
from reflex.components.component import Component

from blitzhub import routes
from blitzhub.charts.candle_chart import candle_chart, price_changes
from blitzhub.components.basics import classes, link_button
from blitzhub.components.browser import copyable_address
from blitzhub.components.connection_badge import connection_badge
from blitzhub.components.radix import TabsContent, TabsList, TabsTrigger
from blitzhub.components.tape import tape
from blitzhub.components.trade_panel import TradeBar, TradePanel
from blitzhub.feed.live_figure import Format, live_age, live_figure
from blitzhub.pages.signed_frame import signed_page
from blitzhub.pages.token.parts import (
    CreatorFeesCard,
    GraduationCard,
    Holders,
    OpeningCard,
    OrderNews,
    OwnOrders,
    PageTitle,
    PositionCard,
    TokenGate,
    TokenTabs,
)
from blitzhub.pages.token.state import TokenState
from blitzhub.session import SessionState

_TOKEN = TokenState.token


def _text(key: str) -> Any:
    return _TOKEN[key].to(str)


def _trading() -> dict[str, Any]:
    return {
        "token": _text("address"),
        "symbol": _text("symbol"),
        "decimals": _TOKEN["decimals"].to(int),
        "minimum_buy_lamports": _text("minimum_buy_lamports"),
        "fee_bps": _TOKEN["fee_bps"].to(int),
        "stage": _text("stage"),
        "paused": _TOKEN["paused"].to(bool),
        "account": SessionState.address,
        "lamports": SessionState.lamports,
        "held": TokenState.held,
        "localnet": SessionState.localnet,
    }


def _token_bar() -> Component:
    """Who it is and its two main figures; the rest stands beside them, on phones below the chart."""
    return rx.el.div(
        rx.el.div(
            _identity(), rx.el.div(*_main_figures(), class_name="bh-tokenbar__figures"), class_name="bh-tokenbar__head"
        ),
        rx.el.div(*_further_figures(), class_name="bh-tokenbar__rest"),
        class_name="bh-tokenbar",
    )


def _identity() -> Component:
    picture = rx.cond(_TOKEN["image"], rx.el.img(src=_text("image"), alt=""), rx.el.b(_text("symbol")[:1]))
    name = rx.el.div(
        rx.el.h1(_text("symbol"), custom_attrs={"data-testid": "token-symbol"}),
        rx.el.bdi(_text("name"), title=_text("name")),
        rx.cond(_TOKEN["simulated"].to(bool), rx.el.span("sim", class_name="bh-tag")),
        class_name="bh-tokenbar__name",
    )
    more = rx.el.div(
        copyable_address(_text("address")),
        live_age(at_ms=_TOKEN["created_at_ms"].to(int)),
        class_name="bh-tokenbar__more",
    )
    return rx.el.div(
        rx.el.span(picture, class_name="bh-tokenbar__image"),
        rx.el.div(name, more, class_name="bh-tokenbar__names"),
        class_name="bh-tokenbar__identity",
    )


def _headline(caption: str, field: str, how: Format, unit: str = "", *, main: bool = False) -> Component:
    figure = live_figure(
        token=_text("address"), field=field, format=how, initial=_TOKEN[field], unit=unit, fit=True, label=caption
    )
    return rx.el.div(
        rx.el.span(caption, class_name="bh-caption"),
        figure,
        class_name=classes("bh-headline", "main" if main else None),
        custom_attrs={"data-testid": f"figure-{field}"},
    )


def _main_figures() -> list[Component]:
    return [
        _headline("Market cap", "market_cap_lamports", "market_cap", "SOL", main=True),
        _headline("Price", "price", "price", main=True),
    ]


def _further_figures() -> list[Component]:
    return [
        price_changes(token=_text("address")),
        _headline("Volume 24h", "volume_24h_lamports", "market_sol"),
        _headline("Liquidity", "liquidity_lamports", "market_sol"),
        _headline("Holders", "holders", "count"),
        _headline("Traders 24h", "traders_24h", "count"),
        _headline("Top 10", "top_ten_bps", "share"),
    ]


def _chart() -> Component:
    return candle_chart(
        token=_text("address"),
        symbol=_text("symbol"),
        total_supply=_text("total_supply"),
        decimals=_TOKEN["decimals"].to(int),
        graduation_price=_text("graduation_price"),
        graduated_at_ms=_TOKEN["graduated_at_ms"].to(int),
        created_at_ms=_TOKEN["created_at_ms"].to(int),
    )


def _tab(value: str, label: str) -> Component:
    return TabsTrigger.create(label, value=value, class_name="bh-tab", custom_attrs={"data-testid": f"tab-{value}"})


def _panel(value: str, content: Component) -> Component:
    # Not a stop of the tabulator: what scrolls inside is one.
    return TabsContent.create(content, value=value, class_name="bh-token__panel", tab_index=-1)


def _about() -> Component:
    facts = {
        "Token": copyable_address(_text("address")),
        "Creator": copyable_address(_text("creator")),
        "Vault": copyable_address(_text("vault")),
    }
    facts["Creator fees, unclaimed"] = live_figure(
        token=_text("address"),
        field="creator_fees_lamports",
        format="market_sol",
        initial=_TOKEN["creator_fees_lamports"],
        unit="SOL",
        fit=True,
        label="Creator fees, unclaimed",
    )
    facts["The creator holds"] = live_figure(
        token=_text("address"),
        field="creator_bps",
        format="share",
        initial=_TOKEN["creator_bps"],
        label="The creator's share of the total supply",
    )
    rows = [part for label, value in facts.items() for part in (rx.el.dt(label), rx.el.dd(value))]
    return rx.el.div(
        rx.cond(
            _TOKEN["description"],
            rx.el.p(_text("description")),
            rx.el.p("Its creator wrote nothing about it.", class_name="bh-faint"),
        ),
        rx.el.dl(*rows),
        class_name="bh-about",
        role="region",
        tab_index=0,
        custom_attrs={"aria-label": "About"},
    )


def _tabs() -> Component:
    return TokenTabs.create(
        TabsList.create(
            _tab("trades", "Trades"),
            _tab("holders", "Holders"),
            _tab("orders", "My orders"),
            _tab("about", "About"),
            class_name="bh-tabs",
            custom_attrs={"aria-label": "Trades, holders, own orders, about"},
        ),
        _panel(
            "trades",
            tape(
                token=_text("address"),
                account=SessionState.address,
                creator=_text("creator"),
                decimals=_TOKEN["decimals"].to(int),
            ),
        ),
        _panel(
            "holders",
            Holders.create(token=_text("address"), decimals=_TOKEN["decimals"].to(int), account=SessionState.address),
        ),
        _panel("orders", _own_orders()),
        _panel("about", _about()),
        token=_text("address"),
        initial="trades",
        class_name="bh-card bh-token__tabs",
    )


def _own_orders() -> Component:
    return OwnOrders.create(
        token=_text("address"),
        decimals=_TOKEN["decimals"].to(int),
        account=SessionState.address,
        rows=TokenState.orders,
    )


def _side() -> Component:
    return rx.el.div(
        rx.el.div(TradePanel.create(**_trading()), class_name="bh-card bh-card--pad bh-token__trade"),
        OpeningCard.create(facts=_TOKEN),
        GraduationCard.create(facts=_TOKEN),
        CreatorFeesCard.create(facts=_TOKEN, account=SessionState.address),
        PositionCard.create(
            token=_text("address"),
            symbol=_text("symbol"),
            decimals=_TOKEN["decimals"].to(int),
            account=SessionState.address,
            held=TokenState.held,
        ),
        class_name="bh-token__side",
    )


def _market() -> Component:
    return rx.fragment(
        PageTitle.create(token=_text("address"), symbol=_text("symbol"), cap=_text("market_cap_lamports")),
        OrderNews.create(rows=TokenState.orders),
        _token_bar(),
        rx.el.div(
            _side(),  # first for the keyboard, though it stands at the right
            rx.el.div(
                rx.el.div(_chart(), class_name="bh-card bh-token__chart"),
                _tabs(),
                class_name="bh-token__main",
            ),
            class_name="bh-token__grid",
        ),
    )


def _missing() -> Component:
    return rx.el.div(
        rx.el.h1("No token at this address.", class_name="bh-h2"),
        link_button("To the board", href=routes.BOARD, tone="accent"),
        class_name="bh-message",
    )


def _found() -> Any:
    return _TOKEN["address"].to(bool)


def token() -> Component:
    """The page of one token; until it is known, its outline."""
    return signed_page(
        TokenGate.create(
            rx.cond(_found(), rx.el.div(_market(), class_name="bh-token"), _missing()), token=TokenState.wanted
        ),
        badge=connection_badge(),
        phone_bar=TokenGate.create(
            rx.cond(_found(), TradeBar.create(**_trading())), token=TokenState.wanted, bare=True
        ),
    )
