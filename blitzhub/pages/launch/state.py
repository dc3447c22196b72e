"""The launch form's server side: the very validators of the API, and what a launch would cost and bring."""

from typing import Any, Final

import reflex as rx

from blitzhub import services

_LONGEST_TEXT: Final = 2_000


class LaunchState(rx.State):
    """What the server says of the draft in this tab: an error per field, and the figures of its launch."""

    errors: dict[str, str] = rx.field(default_factory=dict)
    preview: dict[str, Any] = rx.field(default_factory=dict)

    @rx.event
    async def load(self) -> None:
        """Begin with what an unnamed token without a first buy costs."""
        self.errors = {}
        self.preview = await services.launch_preview("", "", 0, "")

    @rx.event
    async def check(self, name: str, symbol: str, description: str, first_buy_lamports: str, opening: str = "") -> None:
        """Check a draft; an argument that is no text of a possible length changes nothing.

        `opening`: fee in bps, its ms, cap in bps, its ms, with commas between them; "" for no rules.
        """
        texts: tuple[object, ...] = (name, symbol, description, first_buy_lamports, opening)
        if not all(isinstance(text, str) and len(text) <= _LONGEST_TEXT for text in texts):
            return
        self.errors = services.launch_errors(name, symbol, description, first_buy_lamports, opening)
        buy = 0 if "first_buy" in self.errors else int(first_buy_lamports)
        fields_are_fine = not {"name", "symbol"} & set(self.errors)
        texts_to_show = (name, symbol) if fields_are_fine else ("", "")
        self.preview = await services.launch_preview(*texts_to_show, buy, "" if "opening" in self.errors else opening)
