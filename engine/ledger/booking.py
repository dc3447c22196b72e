"""Moving one account's money in one transaction: each movement changes a locked balance and is its own transfer."""

from typing import Any

from engine.identifiers import SOL
from engine.persistence.withdrawals import Locked
from engine.trading.rows import Row, booking_id


class Booking:
    """The movements of a settlement on one account's locked rows; `transfers` is what to write beside them."""

    def __init__(self, locked: Locked, account_id: str, settlement_id: str, now_ms: int) -> None:
        self._locked, self._account_id, self._settlement_id, self._now_ms = locked, account_id, settlement_id, now_ms
        self.transfers: list[dict[str, Any]] = []

    @property
    def account_seq(self) -> int:
        """The number of the last movement."""
        return int(self._locked.sol["account_seq"])

    def move(self, kind: str, asset: str, amount: int, address: str) -> None:
        """Add to a balance, and number the movement; `amount` is signed, `address` the owned one that it changes.

        A token's first row is made, and who begins or ceases to hold it is counted.
        """
        if amount == 0:
            return
        sol = self._locked.sol
        sol["account_seq"] += 1
        before, balance = self._balance(asset)
        balance["amount"] = before + amount
        token = self._locked.token
        if token is not None and asset != SOL:
            token["holders"] += (before + amount > 0) - (before > 0)
        self.transfers.append(
            {
                "transfer_id": self.transfer_id(kind, asset),
                "kind": kind,
                "account_id": self._account_id,
                "asset": asset,
                "amount": amount,
                "account_seq": sol["account_seq"],
                "token": None if asset == SOL else asset,
                "address": address,
                "settlement_id": self._settlement_id,
                "created_at_ms": self._now_ms,
            }
        )

    def transfer_id(self, kind: str, asset: str) -> str:
        """The id of that movement: a settlement moves an asset of an account once for each reason."""
        return booking_id(kind, self._settlement_id, self._account_id, asset)

    def _balance(self, asset: str) -> tuple[int, Row]:
        row = self._locked.balances.get(asset)
        if row is not None:
            return int(row["amount"]), row
        for new in self._locked.new_balances:
            if new["asset"] == asset:
                return int(new["amount"]), new
        new = {"account_id": self._account_id, "asset": asset, "amount": 0, "account_seq": 0}
        self._locked.new_balances.append(new)
        return 0, new
