"""An account: made at the first sign-in, together with its trading wallet and its SOL balance."""

from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from engine.identifiers import AccountId, Address
from engine.persistence import accounts as rows
from engine.services import Services
from engine.settlement import key_names


@dataclass(frozen=True, slots=True)
class Account:
    """A signed-in trader. `account_id` is their own wallet's address, `wallet` the trading wallet's."""

    account_id: AccountId
    wallet: Address
    simulated: bool
    created_at_ms: int


async def get_or_create(services: Services, account_id: AccountId, simulated: bool) -> Account:
    """The account of that wallet, made if this is its first sign-in; `simulated` counts only then.

    Any number of simultaneous first sign-ins make one account, one key and one balance.
    """
    found = await services.database.read(partial(rows.account, account_id=account_id))
    if found is None:
        key_name = key_names.wallet(account_id)
        wallet = await services.signer.create_key(key_name)
        new = rows.NewAccount(account_id, wallet, key_name, simulated, services.clock.now_ms())
        with suppress(rows.AlreadyThere):  # another sign-in of the same wallet was faster, with the same key
            await services.database.write(partial(rows.add_account, new=new))
        found = await services.database.read(partial(rows.account, account_id=account_id))
        assert found is not None
    return from_row(found)


def from_row(row: rows.Row) -> Account:
    """The account in a row that names its columns."""
    return Account(row["account_id"], row["wallet"], bool(row["simulated"]), row["created_at_ms"])
