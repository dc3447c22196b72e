"""Ledger against chain: every owned address at rest must hold exactly what the ledger says, to the lamport."""

from dataclasses import dataclass

from engine.identifiers import SOL
from engine.persistence.comparison import expected
from engine.services import Services


@dataclass(frozen=True, slots=True)
class Difference:
    """An address that holds another amount of an asset than the ledger says; lamports or base units."""

    address: str
    asset: str
    ledger: int
    chain: int


async def differences(services: Services) -> list[Difference]:
    """Where confirmed balances and ledger disagree. Addresses with anything unsettled are left out.

    What moves between the two reads shows as a difference that a second look no longer finds; so does a deposit that
    is on the chain and not booked yet.

    Raises:
        engine.errors.Unavailable: the chain cannot be asked.
    """
    ledger = await services.database.read(expected)
    addresses = sorted(address for address, asset in ledger if asset == SOL)
    holdings = sorted(key for key in ledger if key[1] != SOL)
    found = await services.chain.balances(addresses, holdings)
    chain = {(address, str(SOL)): lamports for address, lamports in found.lamports.items()} | found.tokens
    return [
        Difference(*key, ledger=amount, chain=chain[key])
        for key, amount in sorted(ledger.items())
        if chain[key] != amount
    ]
