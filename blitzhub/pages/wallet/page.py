"""The wallet page, as it is laid out."""

from reflex.components.component import Component

from blitzhub import routes
from blitzhub.components.connection_badge import connection_badge
from blitzhub.pages.signed_frame import signed_page
from blitzhub.pages.wallet.parts import WalletPage
from blitzhub.pages.wallet.state import WalletState
from blitzhub.session import SessionState


def wallet() -> Component:
    """What the account has and what moved; whoever is not signed in is asked to."""
    return signed_page(
        WalletPage.create(
            account=SessionState.address,
            localnet=SessionState.localnet,
            wallet=WalletState.wallet,
            known=WalletState.known,
        ),
        active=routes.WALLET,
        badge=connection_badge(),
    )
