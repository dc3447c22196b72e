"""Every address of the web pages, as data: links and navigation are built from here."""

from dataclasses import dataclass
from typing import Final

BOARD: Final = "/"
LAUNCH: Final = "/launch"
WALLET: Final = "/wallet"
ACCOUNT: Final = "/account"
ADMIN: Final = "/admin"
ADMIN_TOKENS: Final = "/admin/tokens"
ADMIN_TOKEN: Final = "/admin/tokens/[address]"
ADMIN_COHORTS: Final = "/admin/cohorts"
ADMIN_ENGINE: Final = "/admin/engine"
ADMIN_SWITCHES: Final = "/admin/switches"
ADMIN_AUDIT: Final = "/admin/audit"
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


ADMIN_NAV: Final = (
    NavItem("Overview", ADMIN, "chart-line"),
    NavItem("Tokens", ADMIN_TOKENS, "coins"),
    NavItem("Cohorts", ADMIN_COHORTS, "users"),
    NavItem("Engine room", ADMIN_ENGINE, "activity"),
    NavItem("Switches", ADMIN_SWITCHES, "toggle-right"),
    NavItem("Audit", ADMIN_AUDIT, "scroll-text"),
)
"""Links at the left of the operators' pages."""


def token_path(address: str) -> str:
    """The page of one token."""
    return f"/token/{address}"
