"""The tape: a token's trades as they happen."""

from typing import Final

import reflex as rx

from blitzhub import feed as feed  # links feed.js, figures.js and paint.js, which this component imports

_TAPE: Final = rx.asset("tape.jsx", shared=True).importable_path


class Tape(rx.NoSSRComponent):
    """The trades of a token, newest on top, at most 60; it fills and scrolls inside the box it is put into.

    Props:
        token: the token's address.
        account: the signed-in account, whose rows are marked and say "you"; "" for a visitor.
        creator: the token's creator, who is called so.
        decimals: of the token.
    """

    library = _TAPE
    tag = "Tape"
    token: rx.Var[str]
    account: rx.Var[str]
    creator: rx.Var[str]
    decimals: rx.Var[int]


tape = Tape.create
