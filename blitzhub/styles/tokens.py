"""Every colour of the screen, for both themes: the only place of this project that holds hex values.

`assets/theme.css` and `assets/favicon.svg` are generated from here. Charts drawn by Python read these mappings;
charts drawn in the browser read the computed `--bh-…` properties, because a canvas takes no CSS variables.
"""

from collections.abc import Mapping
from typing import Final

DARK: Final[Mapping[str, str]] = {
    "bg-0": "#0A0D12",
    "bg-1": "#10141B",
    "bg-2": "#171C25",
    "bg-3": "#1F2631",
    "bg-4": "#2A3340",
    "line-1": "#222A36",
    "line-2": "#343F50",
    "line-3": "#6A788E",
    "text-1": "#EEF2F8",
    "text-2": "#AEB8C8",
    "text-3": "#8C98AB",
    "text-off": "#5C6879",
    "accent": "#FFE629",
    "accent-hover": "#FFF06B",
    "accent-press": "#EBD200",
    "on-accent": "#14120A",
    "accent-text": "#F5E147",
    "accent-line": "#FFE629",
    "accent-tint": "#2D2D1D",
    "buy": "#2BD9C4",
    "buy-hover": "#55E6D5",
    "buy-press": "#1FBFAC",
    "on-buy": "#04211D",
    "buy-tint": "#143436",
    "buy-flash": "#195351",
    "sell": "#FF6B57",
    "sell-hover": "#FF8776",
    "sell-press": "#EB5642",
    "on-sell": "#2B0803",
    "sell-tint": "#362225",
    "sell-flash": "#5C302E",
    "warn": "#FFA63D",
    "warn-tint": "#362B20",
    "info": "#7AA8FF",
    "on-info": "#06122B",
    "info-tint": "#212C3F",
    "focus": "#7AA8FF",
    "up": "#22B8A6",
    "down": "#F0604D",
    "grid": "#1A212B",
    "scrim": "rgba(4,6,10,.72)",
    "shadow-pop": "0 8px 24px rgba(0,0,0,.48)",
    "shadow-modal": "0 24px 64px rgba(0,0,0,.64)",
}
"""The default theme: token name without its `--bh-` prefix to CSS value."""

LIGHT: Final[Mapping[str, str]] = {
    "bg-0": "#F2F4F7",
    "bg-1": "#FFFFFF",
    "bg-2": "#F7F8FA",
    "bg-3": "#EBEEF3",
    "bg-4": "#DDE2EA",
    "line-1": "#E1E5EC",
    "line-2": "#C9D0DB",
    "line-3": "#7D899C",
    "text-1": "#12161D",
    "text-2": "#465164",
    "text-3": "#5A6678",
    "text-off": "#9AA4B2",
    "accent": "#FFE629",
    "accent-hover": "#FFDC00",
    "accent-press": "#EBC800",
    "on-accent": "#14120A",
    "accent-text": "#735500",
    "accent-line": "#947200",
    "accent-tint": "#FFF8C3",
    "buy": "#00756A",
    "buy-hover": "#00665C",
    "buy-press": "#00564E",
    "on-buy": "#FFFFFF",
    "buy-tint": "#E0EEED",
    "buy-flash": "#C2DEDB",
    "sell": "#C4321C",
    "sell-hover": "#AD2A16",
    "sell-press": "#962311",
    "on-sell": "#FFFFFF",
    "sell-tint": "#F8E6E4",
    "sell-flash": "#F1CEC9",
    "warn": "#9A4A00",
    "warn-tint": "#F3E9E0",
    "info": "#2F55D4",
    "on-info": "#FFFFFF",
    "info-tint": "#EAEEFB",
    "focus": "#2F55D4",
    "up": "#00756A",
    "down": "#C4321C",
    "grid": "#EEF1F5",
    "scrim": "rgba(18,22,29,.48)",
    "shadow-pop": "0 8px 24px rgba(18,22,29,.12)",
    "shadow-modal": "0 24px 64px rgba(18,22,29,.24)",
}
"""The light theme, with exactly the same names."""

ALIASES: Final[Mapping[str, str]] = {"ok": "buy", "danger": "sell"}
"""Names for health, errors and destructive actions, so that those never speak of buying and selling."""

CHART_DARK: Final = ("#6C9BFF", "#FFE629", "#E6EBF3", "#E0822B", "#6F7B8F")
CHART_LIGHT: Final = ("#2F55D4", "#B38600", "#12161D", "#8A3F00", "#7D899C")
"""The colours of a chart's series, in their order; told apart by every kind of eye."""

WORD_FONT: Final = '"Inter Variable", system-ui, sans-serif'
"""Font stack of words."""

FIGURE_FONT: Final = '"JetBrains Mono Variable", "DejaVu Sans Mono", ui-monospace, monospace'
"""Font stack of figures, addresses and chart axes."""
