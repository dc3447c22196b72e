"""Browser modules shared by live components, imported as `$/public/external/blitzhub/feed/<file>`.

`feed.js` keeps the one market socket of a tab, `figures.js` says how figures read, `paint.js` writes them to the page.
"""

from typing import Final

import reflex as rx

FIGURES: Final = rx.asset("figures.js", shared=True).importable_path
FEED: Final = rx.asset("feed.js", shared=True).importable_path
PAINT: Final = rx.asset("paint.js", shared=True).importable_path
