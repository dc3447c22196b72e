"""Parts of the wallet page, which live in the browser: what is typed stays there until it is sent."""

from typing import Any, Final

import reflex as rx
from reflex.components.component import field

from blitzhub import client as client  # links the API client that these parts import
from blitzhub import wallet as wallet  # links the faucet button and the sign-in
from blitzhub.components import browser as browser  # links the copy button
from blitzhub.components.radix import RADIX

_PAGE: Final = rx.asset("wallet_page.jsx", shared=True).importable_path
for _part in ("withdraw_form.jsx", "confirm.jsx", "history.jsx", "withdrawal.js"):
    rx.asset(_part, shared=True)


class WalletPage(rx.NoSSRComponent):
    """The whole page of one account. `wallet` is what the server says; `known` that it was asked."""

    library = _PAGE
    tag = "WalletPage"
    lib_dependencies: list[str] = field(default_factory=lambda: [RADIX])
    account: rx.Var[str]
    localnet: rx.Var[bool]
    wallet: rx.Var[dict[str, Any]]
    known: rx.Var[bool]
