"""Settlement: every movement of the ledger repeated on Solana, exactly once: built, signed, stored, sent, confirmed."""
