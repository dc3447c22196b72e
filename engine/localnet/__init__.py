"""A Solana node for one machine: JSON-RPC and WebSocket around LiteSVM, with commitment and a memory that
lasts.

LiteSVM executes transactions and nothing else. What makes it a chain lives here: slots and block hashes,
the three commitment levels with a consistent view of accounts at each, a duplicate check that never
forgets, and SQLite underneath, so that nothing that was ever reported confirmed can be lost. Clients
cannot tell it from a cluster.
"""
