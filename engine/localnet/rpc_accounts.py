"""The RPC methods that read accounts and tokens. Each answers with one consistent view at the asked
commitment.
"""

from collections.abc import Callable
from typing import Any, Final

from solders.account import Account
from solders.pubkey import Pubkey

from engine.localnet.accounts import Holding, encode_account, holding, mint, ui_amount
from engine.localnet.chain import Chain
from engine.localnet.failures import MIN_CONTEXT_SLOT, RpcError, invalid_params
from engine.localnet.params import Config, Params, read_pubkey
from engine.localnet.timeline import ChainPoint

API_VERSION: Final = "2.3.0"
"""The release of the reference node whose answers these follow."""

_MAX_ACCOUNTS: Final = 100
_MAX_LARGEST: Final = 20
_MAX_ACCOUNT_BYTES: Final = 10 * 1024 * 1024


def with_context(slot: int, value: Any) -> dict[str, Any]:
    """An answer with the slot it is true for."""
    return {"context": {"slot": slot, "apiVersion": API_VERSION}, "value": value}


def point_for(chain: Chain, config: Config) -> ChainPoint:
    """The slot a request wants to be answered for.

    Raises:
        RpcError: -32016 if that slot is older than the request's `minContextSlot`.
    """
    point = chain.timeline.point(config.commitment())
    least = config.number("minContextSlot")
    if least is not None and point.slot < least:
        raise RpcError(MIN_CONTEXT_SLOT, "Minimum context slot has not been reached", {"contextSlot": point.slot})
    return point


class AccountMethods:
    """`getBalance` and its relatives over one chain."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def table(self) -> dict[str, Callable[[Params], Any]]:
        """The methods by name."""
        return {
            "getBalance": self.get_balance,
            "getAccountInfo": self.get_account_info,
            "getMultipleAccounts": self.get_multiple_accounts,
            "getMinimumBalanceForRentExemption": self.get_minimum_balance_for_rent_exemption,
            "getTokenAccountBalance": self.get_token_account_balance,
            "getTokenAccountsByOwner": self.get_token_accounts_by_owner,
            "getTokenSupply": self.get_token_supply,
            "getTokenLargestAccounts": self.get_token_largest_accounts,
        }

    def get_balance(self, params: Params) -> Any:
        """Lamports of an address."""
        key, point = params.pubkey(0), point_for(self._chain, params.config(1))
        account = self._chain.account(key, point.slot)
        return with_context(point.slot, 0 if account is None else account.lamports)

    def get_account_info(self, params: Params) -> Any:
        """One account."""
        key, config = params.pubkey(0), params.config(1)
        point = point_for(self._chain, config)
        return with_context(point.slot, self._told(self._chain.account(key, point.slot), config))

    def get_multiple_accounts(self, params: Params) -> Any:
        """Up to 100 accounts of one and the same slot."""
        keys, config = [read_pubkey(key) for key in params.items(0)], params.config(1)
        if len(keys) > _MAX_ACCOUNTS:
            raise invalid_params(f"Too many inputs provided; max {_MAX_ACCOUNTS}")
        point = point_for(self._chain, config)
        accounts = [self._told(self._chain.account(key, point.slot), config) for key in keys]
        return with_context(point.slot, accounts)

    def get_minimum_balance_for_rent_exemption(self, params: Params) -> int:
        """Lamports an account of this many bytes must keep."""
        size = params.number(0)
        if size > _MAX_ACCOUNT_BYTES:
            raise invalid_params("Invalid params: no account can be that large")
        return self._chain.rent_exempt_lamports(size)

    def get_token_account_balance(self, params: Params) -> Any:
        """What a token account holds."""
        key, point = params.pubkey(0), point_for(self._chain, params.config(1))
        account = self._chain.account(key, point.slot)
        if account is None:
            raise invalid_params("Invalid param: could not find account")
        held = holding(account)
        if held is None:
            raise invalid_params("Invalid param: not a Token account")
        return with_context(point.slot, ui_amount(held.amount, self._chain.tokens.decimals_of(held.mint)))

    def get_token_accounts_by_owner(self, params: Params) -> Any:
        """The owner's token accounts of one mint or one token program."""
        owner, wanted, config = params.pubkey(0), params.config(1), params.config(2)
        by_mint, by_program = wanted.text("mint"), wanted.text("programId")
        if (by_mint is None) == (by_program is None):
            raise invalid_params("Invalid params: give either `mint` or `programId`")
        name = read_pubkey(by_mint if by_mint is not None else by_program)
        point = point_for(self._chain, config)
        found = []
        for key in self._chain.tokens.by_owner(owner):
            account = self._chain.account(key, point.slot)
            held = holding(account)
            if held is not None and held.owner == owner and name == (held.mint if by_mint else held.program):
                found.append({"pubkey": str(key), "account": self._told(account, config)})
        return with_context(point.slot, found)

    def get_token_supply(self, params: Params) -> Any:
        """How much of a token exists."""
        key, point = params.pubkey(0), point_for(self._chain, params.config(1))
        minted = mint(self._chain.account(key, point.slot))
        if minted is None:
            raise invalid_params("Invalid param: not a Token mint")
        return with_context(point.slot, ui_amount(minted.supply, minted.decimals))

    def get_token_largest_accounts(self, params: Params) -> Any:
        """The 20 largest holders of a token."""
        key, point = params.pubkey(0), point_for(self._chain, params.config(1))
        minted = mint(self._chain.account(key, point.slot))
        if minted is None:
            raise invalid_params("Invalid param: not a Token mint")
        largest: list[tuple[Pubkey, Holding]] = []
        for account_key in self._chain.tokens.by_mint(key):
            held = holding(self._chain.account(account_key, point.slot))
            if held is not None and held.mint == key:
                largest.append((account_key, held))
        largest.sort(key=lambda pair: pair[1].amount, reverse=True)
        told = [
            {"address": str(account_key), **ui_amount(held.amount, minted.decimals)}
            for account_key, held in largest[:_MAX_LARGEST]
        ]
        return with_context(point.slot, told)

    def _told(self, account: Account | None, config: Config) -> Any:
        if account is None:
            return None
        return encode_account(account, config.encoding("base64"), config.data_slice(), self._chain.tokens.decimals_of)
