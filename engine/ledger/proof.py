"""What anybody may read of the last check: totals of both sides per token and in SOL, and a hash over them. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from engine.identifiers import SOL
from engine.ledger.comparison import Line

PROOF: Final = "proof"
"""The public report's name in `reports`."""

FINDINGS: Final = "findings"
"""The operators' report: every difference with its address."""


def figures(lines: Iterable[Line], roles: Mapping[str, str]) -> dict[str, Any]:
    """Both sides' totals by asset and by role of the address (`wallets`, `vaults`, `fee_payers`).

    Amounts are decimal strings of lamports or base units. Of each total: what the ledger says, how much more is in
    flight to the chain (negative: less), and what the chain shows, which is the sum of the two where they agree.
    """
    totals: dict[str, dict[str, dict[str, int]]] = {}
    for line in lines:
        role = totals.setdefault(line.asset, {}).setdefault(roles[line.address], dict.fromkeys(_TOTALS, 0))
        role["holdings"] += 1
        role["ledger"] += line.ledger
        role["in_flight"] += line.in_flight_amount
        role["chain"] += line.chain
    told = {
        asset: {role: _told(found) for role, found in sorted(by_role.items())}
        for asset, by_role in sorted(totals.items())
    }
    return {"SOL": told.pop(SOL, {}), "tokens": told}


def _told(found: Mapping[str, int]) -> dict[str, Any]:
    return {name: value if name == "holdings" else str(value) for name, value in found.items()}


_TOTALS: Final = ("holdings", "ledger", "in_flight", "chain")


def published(
    lines: Iterable[Line], roles: Mapping[str, str], differences: int, slot: int, checked_at_ms: int
) -> dict[str, Any]:
    """The public report. `hash` is the SHA-256 of the rest as JSON without spaces, its keys sorted."""
    body: dict[str, Any] = {
        "agrees": differences == 0,
        "differences": differences,
        "slot": slot,
        "checked_at_ms": checked_at_ms,
        "figures": figures(lines, roles),
    }
    return body | {"hash": hash_of(body)}


def hash_of(body: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON, in hex."""
    return hashlib.sha256(orjson.dumps(dict(body), option=orjson.OPT_SORT_KEYS)).hexdigest()
