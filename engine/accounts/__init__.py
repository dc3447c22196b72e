"""Accounts: proving who someone is with their own wallet, the session that remembers it, the ledger behind it."""
