"""Browser modules that speak to our HTTP API as any bot would: `$/public/external/blitzhub/client/<file>`."""

from typing import Final

import reflex as rx

from blitzhub import feed as feed  # links feed.js and figures.js, which these modules import

API: Final = rx.asset("api.js", shared=True).importable_path
AMOUNTS: Final = rx.asset("amounts.js", shared=True).importable_path
ORDERS: Final = rx.asset("orders.js", shared=True).importable_path
KEYS: Final = rx.asset("keys.js", shared=True).importable_path
MARKET: Final = rx.asset("market.js", shared=True).importable_path
PLATFORM: Final = rx.asset("platform.js", shared=True).importable_path
SCREEN: Final = rx.asset("screen.js", shared=True).importable_path
