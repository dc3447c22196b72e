"""Ending sessions that froze in the middle of a statement and keep others from their rows.

PostgreSQL ends a transaction that idles (`idle_in_transaction_session_timeout`), but none whose client stopped within a
statement: in mid-`COPY`, or before it has read its answer. No timeout of the server's ends that wait, and the kernel of
a frozen process goes on answering keepalives. So whoever has waited for a lock in vain looks for such a session and
ends it, as the server ends an idle one; its transaction is rolled back, and what it was about is delivered to others.
"""

from typing import Final

from sqlalchemy import Connection, text

_END: Final = text(
    "SELECT pid FROM (SELECT pid, pg_terminate_backend(pid) AS ended FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = :application AND pid <> pg_backend_pid()"
    " AND state = 'active' AND wait_event_type = 'Client' AND backend_xid IS NOT NULL"
    " AND state_change < clock_timestamp() - make_interval(secs => :after_s)"
    " AND (pg_has_role(usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))) AS stalled WHERE ended"
)
"""`state_change` is when the statement began. A session that has written or locked nothing is in nobody's way."""

APPLICATION: Final = "blitzhub"
"""How every session of ours is named at the server."""


def end_stalled(connection: Connection, after_ms: int) -> list[int]:
    """End every session of ours whose statement is that old and waits for its client; returns their server pids."""
    if connection.dialect.name != "postgresql":
        return []
    return list(connection.execute(_END, {"application": APPLICATION, "after_s": after_ms / 1000}).scalars())
