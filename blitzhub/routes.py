"""Every address of the web pages, as data: links and navigation are built from here."""

from dataclasses import dataclass
from typing import Final

BOARD: Final = "/"
LAUNCH: Final = "/launch"
WALLET: Final = "/wallet"
ACCOUNT: Final = "/account"
TOKEN: Final = "/token/[address]"
NOT_FOUND: Final = "404"
API_DOCS: Final = "/api/docs"
API_PROOF: Final = "/api/proof"


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of the navigation; `icon` is a lucide name. An entry exists once its page works."""

    label: str
    route: str
    icon: str


HEADER_NAV: Final = (NavItem("Board", BOARD, "layout-grid"), NavItem("Wallet", WALLET, "wallet"))
"""Links of the header, beside its launch button."""

PHONE_NAV: Final = (HEADER_NAV[0], NavItem("Launch", LAUNCH, "rocket"), HEADER_NAV[1])
"""Links of the bar at the foot of a phone."""


def token_path(address: str) -> str:
    """The page of one token."""
    return f"/token/{address}"
