"""Whether ledger and chain agree, and since when that is known: a part of the status bar."""

from typing import Final

import reflex as rx

from blitzhub import client as client  # links api.js and figures.js, which this component imports

_PROOF: Final = rx.asset("ledger_proof.jsx", shared=True).importable_path
rx.asset("ledger_proof.js", shared=True)


class LedgerProof(rx.NoSSRComponent):
    """What GET /api/proof says, in a sentence that links to it: `ledger_proof(href="/api/proof")`."""

    library = _PROOF
    tag = "LedgerProof"
    href: rx.Var[str]


ledger_proof = LedgerProof.create
