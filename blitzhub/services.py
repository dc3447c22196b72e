"""The one way from the web application to the engine: pages, push and routes ask here and nowhere else.

The lifespan opens the process's services and puts them here; everything below is a thin, typed question to them.
"""

from functools import partial
from operator import itemgetter
from typing import Any, Final

from blitzhub import figures
from blitzhub.api.cookies import session_cookie
from engine.accounts.sessions import account_of, session_of
from engine.curve import BuyQuote, Opening, OpeningRefused, Terms
from engine.errors import Refusal
from engine.identifiers import is_address
from engine.ledger.withdrawals import network_fee_lamports
from engine.operators import roles
from engine.persistence import accounts as account_rows
from engine.persistence import movements
from engine.persistence import orders as order_rows
from engine.persistence import withdrawals as withdrawal_rows
from engine.persistence.database import Connection
from engine.ports import Subscription
from engine.services import Services
from engine.settings import Settings
from engine.settlement.programs import TOKEN_ACCOUNT_SIZE
from engine.trading import naming
from engine.trading.batch import market_cap_lamports
from engine.trading.launch import default_terms, launch_cost
from engine.trading.launch_form import LaunchForm, first_buy_quote, read_opening
from engine.units import BPS_PER_ONE, LOCKED_LAMPORTS, InvalidAmount, parse_amount

_CURVE_POINTS: Final = 32
_MOVEMENTS: Final = 100
_OPENING_PARTS: Final = 4

_opened: list[Services] = []


def use(services: Services | None) -> None:
    """Set the process's services while the app runs; None when it stops."""
    _opened[:] = [services] if services is not None else []


def current() -> Services:
    """The process's services.

    Raises:
        RuntimeError: the app is not running.
    """
    if not _opened:
        raise RuntimeError("the services are opened by the app's lifespan, which is not running")
    return _opened[0]


def settings() -> Settings:
    """What the environment says."""
    return current().settings


async def subscribe(*channels: str) -> Subscription:
    """Receive live events of these bus channels."""
    return await current().bus.subscribe(*channels)


async def account_of_cookies(header: str) -> str | None:
    """The account signed in by a raw Cookie header, looked up each time; None for nobody."""
    account = await account_of(current(), session_cookie(header, settings()))
    return None if account is None else account.account_id


async def role_of(account_id: str) -> str:
    """What the account may do behind the scenes: "operator", "viewer" or "" for a trader."""
    return await roles.role_of(current(), account_id) or ""


async def staff_of_cookies(header: str) -> roles.Staff | None:
    """The member of staff signed in by a raw Cookie header; None for everybody else."""
    session = await session_of(current(), session_cookie(header, settings()))
    try:
        return None if session is None else await roles.viewer(current(), session)
    except roles.StaffOnly:
        return None


async def may_view(header: str) -> bool:
    """Whether whoever is signed in by that Cookie header may see the operators' pages."""
    return await staff_of_cookies(header) is not None


async def may_operate(header: str) -> bool:
    """Whether they may act there, now."""
    staff = await staff_of_cookies(header)
    return staff is not None and staff.role is roles.Role.OPERATOR and roles.is_recent(current(), staff)


async def token(address: str) -> dict[str, Any] | None:
    """A token as the API says it, whatever its stage; None for no token and for text that is no address."""
    if not is_address(address):
        return None
    return await current().tokens.token(address)


async def wallet(account_id: str) -> dict[str, Any]:
    """The account's balances as the API says them, with its trading wallet, what moved, and what could be closed.

    `history` is newest first; `empty` are token accounts with what closing each would give back.
    """
    rent_lamports = await current().chain.rent_lamports(TOKEN_ACCOUNT_SIZE)
    back_lamports = rent_lamports - network_fee_lamports(current())

    def read(connection: Connection) -> dict[str, Any]:
        account = account_rows.account(connection, account_id)
        assert account is not None
        moved, _ = withdrawal_rows.withdrawals_json(connection, account_id, _MOVEMENTS)
        moved += movements.deposits_json(connection, account_id, _MOVEMENTS)
        empty = movements.empty_accounts_json(connection, account_id)
        return {
            **account_rows.balances_json(connection, account_id, LOCKED_LAMPORTS),
            "wallet": account["wallet"],
            "history": sorted(moved, key=itemgetter("created_at_ms"), reverse=True)[:_MOVEMENTS],
            "empty": [{**held, "back_lamports": str(back_lamports)} for held in empty],
        }

    return await current().database.read(read)


async def balances(account_id: str) -> dict[str, Any]:
    """What an account has, as the API says it."""
    read = partial(account_rows.balances_json, account_id=account_id, locked_lamports=LOCKED_LAMPORTS)
    return await current().database.read(read)


async def own_orders(account_id: str, token_address: str, limit: int) -> list[dict[str, Any]]:
    """The account's decided orders of one token, newest first, as the API says them."""
    read = partial(order_rows.orders_json, account_id=account_id, limit=limit, token=token_address)
    page, _ = await current().database.read(read)
    return page


async def held(account_id: str, token_address: str) -> str:
    """How much of the token the account holds, in base units as text."""
    position = await current().database.read(partial(account_rows.position, account_id=account_id, token=token_address))
    return str(position.tokens or 0)


def launch_errors(name: str, symbol: str, description: str, first_buy_lamports: str, opening: str) -> dict[str, str]:
    """What is wrong with a launch's fields, by field; the very checks that the API makes."""
    checks = {
        "name": partial(naming.read_name, name),
        "symbol": partial(naming.read_symbol, symbol),
        "description": partial(naming.read_description, description),
        "opening": partial(_read_opening, opening),
        "first_buy": partial(_read_first_buy, first_buy_lamports, opening),
    }
    errors: dict[str, str] = {}
    for field, check in checks.items():
        try:
            check()
        except (Refusal, InvalidAmount) as refusal:
            errors[field] = str(refusal)
    if "opening" in errors:
        errors.pop("first_buy", None)
    return errors


def _read_opening(text: str) -> Opening:
    """The rules in "fee bps,its ms,cap bps,its ms"; "" is no rules."""
    rules = [int(part) if part.isascii() and part.isdecimal() else None for part in (text or "0,0,0,0").split(",")]
    if len(rules) != _OPENING_PARTS or None in rules:
        raise OpeningRefused("The opening's rules are whole numbers.")
    fee_bps, fee_ms, cap_bps, cap_ms = rules
    form = LaunchForm(None, None, None, None, None, None, None, fee_bps, fee_ms, cap_bps, cap_ms)
    return read_opening(form, default_terms(current()))


def _read_first_buy(lamports: str, opening: str) -> int:
    if lamports == "0":
        return 0
    amount = parse_amount(lamports)
    terms = default_terms(current())
    if amount < terms.minimum_buy_lamports:
        raise InvalidAmount(f"At least {figures.own_sol(terms.minimum_buy_lamports)} SOL, or none.")
    first_buy_quote(terms, _read_opening(opening), amount)
    return amount


def _after_first_buy(terms: Terms, bought: BuyQuote) -> dict[str, str]:
    """The headline figures that the token begins with."""
    facts = {"price": bought.price_after, "total_supply": terms.total_supply, "decimals": terms.curve.decimals}
    return {
        "first_price": str(bought.price_after),
        "first_market_cap_lamports": str(market_cap_lamports(facts)),
        "first_reserve_lamports": str(bought.cost_lamports),
    }


async def launch_preview(name: str, symbol: str, first_buy_lamports: int, opening: str) -> dict[str, Any]:
    """What launching would cost and bring: lamports and base units as text, and the curve as points from 0 to 1."""
    terms = default_terms(current())
    cost = await launch_cost(current(), name, symbol)
    bought = first_buy_quote(terms, _read_opening(opening), first_buy_lamports) if first_buy_lamports else None
    tokens = bought.tokens if bought else 0
    first_lamports = cost.first_buy_lamports(first_buy_lamports)
    end_price = terms.curve.spot_price_units(terms.curve_supply)
    supplies = [terms.curve_supply * step // _CURVE_POINTS for step in range(_CURVE_POINTS + 1)]
    return {
        "first_buy_lamports": str(first_buy_lamports),
        "mint_rent_lamports": str(cost.mint_rent_lamports),
        "vault_rent_lamports": str(cost.vault_account_rent_lamports + cost.endowment_lamports),
        "account_rent_lamports": str(first_lamports - first_buy_lamports),
        "total_lamports": str(cost.total_lamports + first_lamports),
        "first_tokens": str(tokens),
        **(_after_first_buy(terms, bought) if bought else {}),
        "first_share": tokens / terms.curve_supply,
        "first_share_bps": tokens * BPS_PER_ONE // terms.total_supply,
        "curve_supply": str(terms.curve_supply),
        "raise_lamports": str(terms.raise_lamports),
        "price_at_graduation": str(end_price),
        "curve": [[s / terms.curve_supply, terms.curve.spot_price_units(s) / end_price] for s in supplies],
    }
