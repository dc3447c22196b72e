"""Progress to graduation that follows the market."""

from typing import Final

import reflex as rx

from blitzhub import feed as feed  # links feed.js, figures.js and paint.js, which this component imports

GRADUATION_BAR: Final = rx.asset("graduation_bar.jsx", shared=True).importable_path


class LiveGraduationBar(rx.NoSSRComponent):
    """A token's graduation bar, live.

    Props:
        token: the token's address.
        raised, needed: `reserve_lamports` and `raise_lamports` of the token's JSON, shown before the first frame.
        stage: the token's stage at first.
        page: 8 px high for a page (the default); else 4 px as on a card.
        words: "22.90 of 80 SOL" and "28.6%" over the bar (the default).
    """

    library = GRADUATION_BAR
    tag = "LiveGraduationBar"
    token: rx.Var[str]
    raised: rx.Var[str]
    needed: rx.Var[str]
    stage: rx.Var[str]
    page: rx.Var[bool]
    words: rx.Var[bool]


live_graduation_bar = LiveGraduationBar.create
