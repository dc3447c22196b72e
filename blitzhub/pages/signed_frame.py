"""The frame of every page with what it knows of the visitor: balance, wallet button, notices; and of the ledger."""

import reflex as rx
from reflex.components.component import Component

from blitzhub import routes
from blitzhub.components.browser import Notifier
from blitzhub.components.frame import Layout, page
from blitzhub.components.ledger_proof import ledger_proof
from blitzhub.session import SessionState
from blitzhub.wallet import Balance, FaucetButton, WalletButton


def _visitor() -> Component:
    return rx.el.div(
        rx.cond(
            SessionState.address != "",
            rx.fragment(
                Balance.create(lamports=SessionState.lamports),
                rx.cond(SessionState.localnet, FaucetButton.create(balance=SessionState.lamports)),
            ),
        ),
        WalletButton.create(
            address=SessionState.address,
            lamports=SessionState.lamports,
            localnet=SessionState.localnet,
            known=SessionState.known,
            role=SessionState.role,
        ),
        class_name="bh-visitor",
    )


def signed_page(
    *children: Component,
    active: str = "",
    badge: Component | None = None,
    phone_bar: Component | None = None,
    layout: Layout = "scroll",
) -> Component:
    """`blitzhub.components.frame.page` with the wallet button and the notices of this tab's account."""
    return page(
        *children,
        Notifier.create(notices=SessionState.notices),
        active=active,
        badge=badge,
        wallet=_visitor(),
        status=ledger_proof(href=routes.API_PROOF),
        phone_bar=phone_bar,
        layout=layout,
    )
