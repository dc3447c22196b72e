"""The feed of the board: summaries of the listed tokens, and which column holds whom. Pure."""

from typing import Final

from engine.live.feed import Applied, Data, Event, Update
from engine.live.protocol import Topic
from engine.live.source import BoardSnapshot
from engine.live.token_feed import FIGURES, INDICATORS
from engine.persistence.market import GRADUATED, GRADUATING_PERCENT

HEADLINE: Final[tuple[str, ...]] = ("seq", "price", "last_trade_at_ms", *FIGURES, *INDICATORS)
SUMMARY: Final[tuple[str, ...]] = (
    "address",
    "name",
    "symbol",
    "image",
    "creator",
    "simulated",
    "paused",
    "created_at_ms",
    "graduated_at_ms",
    "curve_supply",
    "raise_lamports",
    "total_supply",
    *HEADLINE,
)
"""What the board says of a token."""


class BoardFeed:
    """The board: summaries of the listed tokens and which column holds whom.

    Its `seq` counts this hub's own board frames. A delta says of each changed token its new fields, keyed by
    `address`, and of the columns those whose members changed.
    """

    def __init__(self, snapshot: BoardSnapshot) -> None:
        self._frames = 1
        self._tokens: dict[str, Data] = {}
        self._columns: dict[str, list[str]] = {}
        self._dirty: dict[str, Data] = {}
        self._changed_columns: set[str] = set()
        self.replace(snapshot)
        self._dirty = {}
        self._changed_columns = set()

    @property
    def seq(self) -> int:
        """The number of the last frame."""
        return self._frames

    def token_seq(self, address: str) -> int | None:
        """The `seq` of a listed token."""
        token = self._tokens.get(address)
        return None if token is None else int(token["seq"])

    def replace(self, snapshot: BoardSnapshot) -> None:
        """Take in the board as the database has it; what differs goes out with the next flush."""
        columns = {name: [token["address"] for token in tokens] for name, tokens in snapshot.items()}
        tokens = {
            token["address"]: {key: token[key] for key in SUMMARY} for listed in snapshot.values() for token in listed
        }
        for address, token in tokens.items():
            if self._tokens.get(address) != token:
                self._dirty[address] = token
        self._changed_columns |= {name for name in columns if columns[name] != self._columns.get(name)}
        self._tokens, self._columns = tokens, columns

    def apply(self, event: Event) -> Applied:
        """Take in an event of the board; RELOAD when it may move a token between columns."""
        if event.get("type") in ("relisted", "ranked"):
            return Applied.RELOAD
        token = self._tokens.get(event["token"])
        if event.get("type") == "launched":
            return Applied.RELOAD if token is None else Applied.NOTHING
        if token is None:
            # Tokens beyond the columns' ends trade too; only one that may belong into a column is worth a read.
            return Applied.RELOAD if event.get("stage") in GRADUATED else Applied.NOTHING
        if event.get("seq", token["seq"]) < token["seq"]:
            return Applied.NOTHING
        if event.get("measured_at_ms", token["measured_at_ms"]) < token["measured_at_ms"]:
            return Applied.NOTHING
        before = _standing(token)
        fields = {key: event[key] for key in HEADLINE if key in event}
        if "last_trade_at_ms" in fields and not fields["last_trade_at_ms"]:
            fields |= {"last_trade_at_ms": None, "price": None}
        token.update(fields)
        self._dirty.setdefault(event["token"], {"address": event["token"]}).update(fields)
        return Applied.CHANGED if _standing(token) == before else Applied.RELOAD

    def flush(self) -> Update | None:
        """What changed since the last flush, None for nothing."""
        if not self._dirty and not self._changed_columns:
            return None
        data: Data = {"tokens": list(self._dirty.values())}
        if self._changed_columns:
            data["columns"] = {name: self._columns[name] for name in self._changed_columns}
        self._frames += 1
        self._dirty = {}
        self._changed_columns = set()
        return Update(self._frames, self._frames, data, [], {})

    def snapshot(self, _: Topic) -> Data:
        """Every listed token and the columns."""
        return {"tokens": list(self._tokens.values()), "columns": self._columns}

    def missed(self, topic: Topic, after_seq: int) -> Data | None:
        """Its numbers are this hub's own: nobody who comes back can continue them."""
        return None


def _standing(token: Data) -> tuple[str, bool]:
    """What decides a token's column: its stage, and whether it is about to graduate."""
    raised, needed = int(token["reserve_lamports"]), int(token["raise_lamports"])
    return token["stage"], raised * 100 >= needed * GRADUATING_PERCENT
