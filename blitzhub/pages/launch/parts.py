"""The launch form, which lives in the browser: it keeps the draft, asks the server about it, and sends it once."""

from typing import Any, Final

import reflex as rx
from reflex.components.component import field

from blitzhub import client as client  # links the API client that the form imports
from blitzhub import wallet as wallet  # links the faucet button
from blitzhub.components import board as board  # links the card that the preview draws
from blitzhub.components.radix import RADIX

_FORM: Final = rx.asset("launch_form.jsx", shared=True).importable_path
for _part in ("opening.jsx", "picture.jsx", "summary.jsx", "draft.js"):
    rx.asset(_part, shared=True)


def _draft_arguments(
    name: rx.Var[str],
    symbol: rx.Var[str],
    description: rx.Var[str],
    first_buy_lamports: rx.Var[str],
    opening: rx.Var[str],
) -> tuple[rx.Var[str], rx.Var[str], rx.Var[str], rx.Var[str], rx.Var[str]]:
    return name, symbol, description, first_buy_lamports, opening


class LaunchForm(rx.NoSSRComponent):
    """The whole form with its preview. `errors` and `preview` are the server's answer to the last `on_check`."""

    library = _FORM
    tag = "LaunchForm"
    lib_dependencies: list[str] = field(default_factory=lambda: [RADIX])
    errors: rx.Var[dict[str, str]]
    preview: rx.Var[dict[str, Any]]
    account: rx.Var[str]
    lamports: rx.Var[str]
    localnet: rx.Var[bool]
    on_check: rx.EventHandler[_draft_arguments]
