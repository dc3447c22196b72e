"""Signing in with one's own Solana wallet, and test SOL on a local chain."""

from typing import Final

import reflex as rx
from reflex.components.component import field

from blitzhub import client as client  # links the API client that these components import
from blitzhub.components.radix import RADIX

_WALLET: Final = rx.asset("wallet.jsx", shared=True).importable_path
_FAUCET: Final = rx.asset("faucet.jsx", shared=True).importable_path
_BALANCE: Final = rx.asset("balance.jsx", shared=True).importable_path
_SIWS: Final = rx.asset("siws.js", shared=True).importable_path
_SIGN_IN: Final = rx.asset("sign_in.js", shared=True).importable_path
_SIGN_IN_AGAIN: Final = rx.asset("sign_in_again.js", shared=True).importable_path
_DEMO_WALLET: Final = rx.asset("demo_wallet.js", shared=True).importable_path


class WalletButton(rx.NoSSRComponent):
    """The header's wallet button: sign-in through the Wallet Standard, or the signed-in account's menu.

    `address` is the signed-in account, empty for none, `lamports` its SOL; `localnet` offers the built-in demo wallet.
    A member of staff, told by `role`, finds the operators' pages there. Nothing can be pressed until `known` says that
    the account has been looked up.
    """

    library = _WALLET
    tag = "WalletButton"
    lib_dependencies: list[str] = field(default_factory=lambda: ["@wallet-standard/app@1.1.1", RADIX])
    address: rx.Var[str]
    lamports: rx.Var[str]
    localnet: rx.Var[bool]
    known: rx.Var[bool]
    role: rx.Var[str]


class FaucetButton(rx.NoSSRComponent):
    """ "Get test SOL"; says "On its way" until `balance` (lamports, decimal text) has grown."""

    library = _FAUCET
    tag = "FaucetButton"
    balance: rx.Var[str]


class Balance(rx.NoSSRComponent):
    """One's own SOL; `lamports` is decimal text, empty while unknown."""

    library = _BALANCE
    tag = "Balance"
    lamports: rx.Var[str]
