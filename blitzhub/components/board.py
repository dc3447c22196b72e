"""The board: every listed token in three live columns."""

from typing import Final

import reflex as rx
from reflex.components.component import field

from blitzhub import client as client  # links amounts.js, which the filters import
from blitzhub import feed as feed  # links feed.js, figures.js and paint.js, which this component imports
from blitzhub.components import graduation_bar as graduation_bar  # links the bar that cards draw
from blitzhub.components.trade_panel import SONNER

_BOARD: Final = rx.asset("board.jsx", shared=True).importable_path
for _part in ("board_market.js", "board_found.js", "board_filters.jsx", "token_card.jsx"):
    rx.asset(_part, shared=True)


class Board(rx.NoSSRComponent):
    """New, about to graduate, graduated: `board()`. It fills the box it is put into; each column scrolls by itself.

    Under 640 px the columns become tabs. A column holds still while it is pointed at or focused.
    """

    library = _BOARD
    tag = "Board"
    lib_dependencies: list[str] = field(default_factory=lambda: [SONNER])


board = Board.create
