"""The audit log, as it is laid out; what it shows comes from the API, which asks who calls."""

from typing import Final

import reflex as rx
from reflex.components.component import Component

from blitzhub import routes
from blitzhub.pages.admin.frame import ActingPart, admin_page

_PAGE: Final = rx.asset("audit_page.jsx", shared=True).importable_path


class AuditPage(ActingPart):
    """The audit log: who did what, and why."""

    library = _PAGE
    tag = "AuditPage"


def audit() -> Component:
    """For whoever runs the platform."""
    return admin_page(AuditPage.create(), active=routes.ADMIN_AUDIT)
