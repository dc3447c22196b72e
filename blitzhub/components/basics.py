"""Generic parts of a page. Looks live in `assets/components.css`; these functions only choose classes and markup."""

from typing import Any, Literal

import reflex as rx
from reflex.components.component import Component
from reflex_components_core.el.elements.inline import A
from reflex_components_core.react_router.dom import ReactRouterLink

Tone = Literal["neutral", "accent", "buy", "sell", "danger", "outline", "ghost"]
Size = Literal["normal", "dense", "main"]
PillTone = Literal["neutral", "queued", "filled", "confirmed", "rejected", "warn", "accent"]
Content = str | rx.Var[str] | Component


def classes(base: str, *modifiers: str | None) -> str:
    """`base` and its `base--modifier` classes; None and the defaults leave no class."""
    defaults = ("neutral", "normal")
    return " ".join([base, *(f"{base}--{name}" for name in modifiers if name and name not in defaults)])


def icon(name: str, size: int = 16) -> Component:
    """A lucide icon beside words, hidden from assistive technology."""
    return rx.icon(name, size=size, stroke_width=1.75, custom_attrs={"aria-hidden": "true"}, flex="none")


def button(
    *children: Content, tone: Tone = "neutral", size: Size = "normal", wide: bool = False, **props: Any
) -> Component:
    """A button. For one that may not be used now, pass `aria_disabled` and say why in `title` and words."""
    props.setdefault("type", "button")
    class_name = " ".join([classes("bh-button", tone, size, "wide" if wide else None), _extra(props)])
    return rx.el.button(*children, class_name=class_name.strip(), **props)


def page_link(*children: Content, href: str | rx.Var[str], **props: Any) -> Component:
    """A link to another page of the frontend, without a reload and without any looks of its own."""
    return ReactRouterLink.create(*children, to=href, **props)


def link_button(
    *children: Content, href: str | rx.Var[str], tone: Tone = "neutral", size: Size = "normal", **props: Any
) -> Component:
    """A link to a page with a button's looks: it goes somewhere and changes nothing."""
    class_name = f"{classes('bh-button', tone, size)} {_extra(props)}".strip()
    return page_link(*children, href=href, class_name=class_name, **props)


def plain_link(*children: Content, href: str, **props: Any) -> Component:
    """A link that the browser follows itself: to a place on this page, or to a page that is not the frontend's."""
    return A.create(*children, href=href, **props)


def pill(word: Content, tone: PillTone = "neutral", icon_name: str | None = None) -> Component:
    """A state in a word, with an icon before it where states must be told apart."""
    parts = [icon(icon_name, 12)] if icon_name else []
    return rx.el.span(*parts, word, class_name=classes("bh-pill", tone))


def stat_card(caption: str, figure: Content, change: Content = "", **props: Any) -> Component:
    """A caption, its figure and a small change; pass "—" for a figure nobody knows yet."""
    return rx.el.div(
        rx.el.div(caption, class_name="bh-caption"),
        rx.el.div(figure, class_name="bh-stat__figure"),
        rx.el.div(change, class_name="bh-stat__change"),
        class_name=f"bh-card bh-stat {_extra(props)}".strip(),
        **props,
    )


def skeleton(width: str, height: str) -> Component:
    """A block in the final size of what is coming (CSS lengths), so that nothing moves when it comes."""
    return rx.el.span(
        class_name="bh-skeleton", style={"width": width, "height": height}, custom_attrs={"aria-hidden": "true"}
    )


def empty_line(words: str, action: Component | None = None) -> Component:
    """One line and one action where a list has nothing to show."""
    return rx.el.div(rx.el.span(words), *([action] if action is not None else []), class_name="bh-empty")


def graduation_bar(share: rx.Var[float] | float, valuetext: rx.Var[str] | str, *, page: bool = False) -> Component:
    """Progress to graduation: `share` from 0 to 1 sets the fill, `valuetext` is "22.90 of 80 SOL"."""
    return rx.el.div(
        rx.el.span(class_name="bh-bar__fill"),
        role="progressbar",
        class_name=classes("bh-bar", "page" if page else None),
        style={"--bh-share": share},
        custom_attrs={"aria-label": "Graduation", "aria-valuetext": valuetext},
    )


def _extra(props: dict[str, Any]) -> str:
    return str(props.pop("class_name", ""))
