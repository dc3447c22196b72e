"""Browser modules shared by live components, imported as `$/public/external/blitzhub/feed/<file>`."""

from typing import Final

import reflex as rx

FIGURES: Final = rx.asset("figures.js", shared=True).importable_path
