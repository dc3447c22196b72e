"""The frame of every page: skip link, header, content, phone bar, status bar."""

from typing import Literal

import reflex as rx
from reflex.components.component import Component

from blitzhub import routes
from blitzhub.components.basics import icon, link_button, page_link, plain_link
from blitzhub.styles.generate import BOLT_PATH

Layout = Literal["scroll", "fixed"]


def brand() -> Component:
    """The mark and the name, a link to the board."""
    bolt = rx.el.svg(
        rx.el.path(d=BOLT_PATH), view_box="0 0 16 16", custom_attrs={"aria-hidden": "true", "focusable": "false"}
    )
    return page_link(bolt, "BlitzHub", href=routes.BOARD, class_name="bh-brand")


def page(
    *children: Component,
    active: str = "",
    badge: Component | None = None,
    wallet: Component | None = None,
    search: Component | None = None,
    status: Component | None = None,
    phone_bar: Component | None = None,
    layout: Layout = "scroll",
) -> Component:
    """A whole page around its content.

    Args:
        children: the content of `<main>`.
        active: the route of the navigation entry to mark, from `blitzhub.routes`.
        badge: the connection badge of the live feed.
        wallet: the sign-in or wallet button.
        search: the search field, in the middle of the header.
        status: the left part of the status bar.
        phone_bar: replaces the navigation at the foot of a phone, as the token page's trade bar does.
        layout: `fixed` fills the screen from 1024 px on and lets only inner regions scroll.
    """
    main_class = "bh-page bh-page--fixed" if layout == "fixed" else "bh-page"
    return rx.el.div(
        plain_link("Skip to content", href="#content", class_name="bh-skip", on_click=rx.set_focus("content")),
        _header(active, search, badge, wallet),
        rx.el.main(*children, id="content", class_name="bh-main", tab_index=-1),
        _status_bar(status),
        phone_bar if phone_bar is not None else _phone_nav(active),
        class_name=main_class,
    )


def _header(active: str, search: Component | None, badge: Component | None, wallet: Component | None) -> Component:
    links = [_nav_link(item, active) for item in routes.HEADER_NAV]
    launch = link_button("Launch token", href=routes.LAUNCH, tone="accent", class_name="bh-header__launch")
    side = [part for part in (badge, launch, wallet) if part is not None]
    return rx.el.header(
        brand(),
        rx.el.nav(*links, class_name="bh-nav", custom_attrs={"aria-label": "Pages"}),
        *([search] if search is not None else []),
        rx.el.div(*side, class_name="bh-header__side"),
        class_name="bh-header",
    )


def _nav_link(item: routes.NavItem, active: str, *, with_icon: bool = False) -> Component:
    current = {"aria-current": "page"} if item.route == active else {}
    parts = [icon(item.icon, 20)] if with_icon else []
    return page_link(*parts, item.label, href=item.route, custom_attrs=current)


def _phone_nav(active: str) -> Component:
    links = [_nav_link(item, active, with_icon=True) for item in routes.PHONE_NAV]
    return rx.el.nav(*links, class_name="bh-phonenav", custom_attrs={"aria-label": "Pages"})


def _status_bar(status: Component | None) -> Component:
    return rx.el.footer(
        *([status] if status is not None else []),
        rx.el.div(plain_link("API", href=routes.API_DOCS), class_name="bh-statusbar__links"),
        class_name="bh-statusbar",
    )
