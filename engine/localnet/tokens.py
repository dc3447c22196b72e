"""Which token accounts belong to whom: the index behind the RPC's token questions."""

from collections.abc import Callable
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from engine.localnet.accounts import holding, mint, ui_amount


class TokenIndex:
    """Token accounts by owner and by mint. It never drops one, so that a reader of an older slot finds it too: callers
    check what an account is at the slot they read.
    """

    def __init__(self, read: Callable[[Pubkey], Account | None]) -> None:
        self._read = read
        self._decimals: dict[Pubkey, int] = {}
        self._by_owner: dict[Pubkey, set[Pubkey]] = {}
        self._by_mint: dict[Pubkey, set[Pubkey]] = {}

    def note(self, key: Pubkey, account: Account | None) -> None:
        """The account has this state now."""
        held = holding(account)
        if held is not None:
            self._by_owner.setdefault(held.owner, set()).add(key)
            self._by_mint.setdefault(held.mint, set()).add(key)

    def by_owner(self, owner: Pubkey) -> list[Pubkey]:
        """Token accounts that belong, or once belonged, to the owner, in the order of their addresses."""
        return sorted(self._by_owner.get(owner, ()), key=bytes)

    def by_mint(self, mint_key: Pubkey) -> list[Pubkey]:
        """Token accounts that hold, or once held, the token, in the order of their addresses."""
        return sorted(self._by_mint.get(mint_key, ()), key=bytes)

    def decimals_of(self, mint_key: Pubkey) -> int:
        """The mint's decimals, which never change; 0 if there is no such mint."""
        decimals = self._decimals.get(mint_key)
        if decimals is None:
            minted = mint(self._read(mint_key))
            if minted is None:
                return 0
            decimals = self._decimals[mint_key] = minted.decimals
        return decimals

    def balances(self, accounts: list[Account | None]) -> list[dict[str, Any]]:
        """The token balances among a transaction's accounts, as its meta tells them."""
        balances = []
        for index, account in enumerate(accounts):
            held = holding(account)
            if held is not None:
                balances.append(
                    {
                        "accountIndex": index,
                        "mint": str(held.mint),
                        "owner": str(held.owner),
                        "programId": str(held.program),
                        "uiTokenAmount": ui_amount(held.amount, self.decimals_of(held.mint)),
                    }
                )
        return balances
