"""What the engine says after a commit: immutable facts on bus channels, JSON, past tense.

Amounts are decimal strings (JSON numbers lose integers over 2^53); `seq`, `account_seq` and times are numbers.
"""

from typing import Any

import orjson

from engine.ports import BusMessage

BOARD = "board"


def token_channel(token: str) -> str:
    """Everything that happens to one token, in `seq` order."""
    return f"token:{token}"


def account_channel(account_id: str) -> str:
    """Everything that concerns one account."""
    return f"account:{account_id}"


def message(channel: str, event: dict[str, Any]) -> BusMessage:
    """The event as it travels."""
    return BusMessage(channel, orjson.dumps(event))
