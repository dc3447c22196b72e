"""The connection badge: Live, Reconnecting, or stale and since when."""

from typing import Final

import reflex as rx

from blitzhub import feed as feed  # links feed.js and figures.js, which this component imports

_BADGE: Final = rx.asset("connection_badge.jsx", shared=True).importable_path


class ConnectionBadge(rx.NoSSRComponent):
    """A pill for the header: `connection_badge()`. Its tooltip says delay, last seq and last frame."""

    library = _BADGE
    tag = "ConnectionBadge"


connection_badge = ConnectionBadge.create
