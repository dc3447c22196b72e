"""The ledger's edges: deposits found on the chain, and the proof that ledger and chain agree."""
