"""Withdrawals on a localnet process: the ledger and the chain move by the same amounts, or neither does."""

import asyncio
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from engine.errors import Refusal
from engine.identifiers import SOL
from engine.ledger import withdrawals
from engine.ledger.destinations import InvalidDestination, PlatformAddress
from engine.ledger.releases import Releases
from engine.ledger.token_deposits import TokenDeposits
from engine.persistence import withdrawals as rows
from engine.persistence.switches import Switch, SwitchState, state, turn
from engine.persistence.trading import SETTLEMENTS
from engine.settlement.programs import TOKEN_2022, token_account
from engine.units import LOCKED_LAMPORTS
from tests.localnet import Localnet, running_localnet
from tests.settling import Faulty, Ledger, differences, opened, settings_for
from tests.withdrawing import FUNDS, Desk, desk, paying, stranger, until

FEE = 10_000
RENT = 2_074_080
FREE = FUNDS - LOCKED_LAMPORTS


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    directory = tmp_path_factory.mktemp("withdrawals") / "localnet"
    with running_localnet(directory, confirm_ms=100, finalize_ms=250, slot_ms=20) as node:
        yield node


def now(ledger: Ledger, withdrawal_id: str) -> dict[str, Any]:
    with ledger.services.database.snapshot() as connection:
        row = rows.one(connection, withdrawal_id)
    assert row is not None
    return row


async def ended(ledger: Ledger, withdrawal_id: str, state: str = "confirmed") -> None:
    async def reached() -> bool:
        return bool(now(ledger, withdrawal_id)["state"] == state)

    await until(reached)


async def refusal(code: str, request: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await request
    assert caught.value.code == code
    return caught.value


async def traded(ledger: Ledger, *names: str) -> tuple[str, list[Desk]]:
    """A token, and accounts that each bought 40,000 of it with 1 SOL; all of it settled."""
    desks = [await desk(ledger, name) for name in names]
    token = await ledger.launch(desks[0].account.wallet)
    async with paying(ledger) as launches:

        async def tradable() -> bool:
            return launches.confirmed == [token]

        await until(tradable)
        for each in desks:
            await ledger.trade(each.account.wallet, token, "buy", 1_000_000_000, 40_000_000_000)

        async def settled() -> bool:
            return ledger.states() == {"confirmed": 1 + len(desks)}

        await until(settled)
    assert await differences(ledger.services) == []
    return token, desks


async def test_everything_free_is_withdrawn_to_the_own_wallet_and_only_the_locked_part_stays(
    node: Localnet, tmp_path: Path
) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        ann = await desk(ledger, "ann")
        asked = await withdrawals.quote(ledger.services, ann.requester, SOL, ann.account.account_id)
        assert (asked["fee_lamports"], asked["rent_lamports"], asked["is_new"]) == (str(FEE), "0", False)
        assert asked["max"] == str(FREE - FEE)
        answer = await ann.ask(FREE - FEE)
        assert (answer["state"], answer["cancellable"]) == ("waiting", True)
        assert ann.balance() == LOCKED_LAMPORTS
        async with paying(ledger):
            await ended(ledger, answer["withdrawal_id"])
        assert await ann.lamports(ann.account.account_id) == FREE - FEE
        assert await ann.lamports(ann.account.wallet) == LOCKED_LAMPORTS
        assert await differences(ledger.services) == []
        leg = ledger.settlement(answer["withdrawal_id"])
        assert (leg["attempt"], leg["fee_lamports"]) == (1, FEE)


async def test_tokens_leave_with_the_rent_of_the_account_they_go_to(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node, withdrawal_delay_ms=0)) as ledger:
        token, (ann,) = await traded(ledger, "ann")
        friend, before = stranger(), ann.balance()
        assert before is not None
        first = await ann.ask(30_000_000_000, friend, token)
        assert first["rent_lamports"] == str(RENT)
        async with paying(ledger):
            await ended(ledger, first["withdrawal_id"])
            second = await ann.ask(10_000_000_000, friend, token)
            assert second["rent_lamports"] == "0"
            await ended(ledger, second["withdrawal_id"])
        assert await ann.tokens(friend, token) == 40_000_000_000
        assert (ann.balance(token), ann.balance()) == (0, before - RENT - 2 * FEE)
        assert await differences(ledger.services) == []


async def test_a_trading_wallet_of_ours_is_credited_in_the_ledger_and_on_the_chain(
    node: Localnet, tmp_path: Path
) -> None:
    async with opened(settings_for(tmp_path, node, withdrawal_delay_ms=0)) as ledger:
        token, (ann,) = await traded(ledger, "ann")
        bob = await desk(ledger, "bob", 0)
        await refusal("below_rent", ann.ask(LOCKED_LAMPORTS - 1, bob.account.wallet))
        await ann.ask(1_000_000_000, bob.account.wallet)
        tokens = await ann.ask(5_000_000_000, bob.account.wallet, token)
        assert (tokens["kind"], tokens["rent_lamports"]) == ("transfer", str(RENT))
        assert await Releases(ledger.services).release_due() == 2
        assert (bob.balance(), bob.balance(token)) == (1_000_000_000, 5_000_000_000)
        await refusal("not_settled", bob.ask(1_000, asset=token))
        await refusal("too_late_to_cancel", withdrawals.cancel(ledger.services, ann.account, tokens["withdrawal_id"]))
        async with paying(ledger):
            await ended(ledger, tokens["withdrawal_id"])
            assert await bob.tokens(bob.account.wallet, token) == 5_000_000_000
            sent = await bob.ask(1_000, ann.account.account_id, token)
            await ended(ledger, sent["withdrawal_id"])
        assert await differences(ledger.services) == []


async def test_an_empty_token_account_gives_its_rent_back_and_the_next_purchase_pays_it_again(
    node: Localnet, tmp_path: Path
) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        token, (ann,) = await traded(ledger, "ann")
        await refusal("token_account_in_use", ann.close(token))
        async with paying(ledger):
            sold = await ledger.trade(ann.account.wallet, token, "sell", 900_000_000, 40_000_000_000)
            await refusal("token_account_in_use", ann.close(token))
            await ended_settlement(ledger, sold)
            before = ann.balance()
            assert before is not None
            closing = await ann.close(token)
            assert ann.balance(token) is None
            again = await ledger.trade(ann.account.wallet, token, "buy", 100_000_000, 4_000_000_000)
            await ended(ledger, closing["withdrawal_id"])
            await ended_settlement(ledger, again)
        assert ann.balance() == before + RENT - FEE - RENT - 100_000_000
        assert await differences(ledger.services) == []


async def ended_settlement(ledger: Ledger, settlement_id: str) -> None:
    async def reached() -> bool:
        return bool(ledger.settlement(settlement_id)["state"] == "confirmed")

    await until(reached)


async def test_what_the_chain_refuses_is_undone_at_once(node: Localnet, tmp_path: Path) -> None:
    """The destination's token account is gone when the tokens arrive: quoted while it was there."""
    async with opened(settings_for(tmp_path, node, withdrawal_delay_ms=0)) as ledger:
        token, (ann,) = await traded(ledger, "ann")
        friend, before = stranger(), ann.balance()

        async def accounts(addresses: list[str]) -> list[Any]:
            found = await ledger.services.chain.accounts([str(token_account(ann.account.wallet, token))] * 2)
            return [None, found[1]]

        lying = Ledger(_with_chain(ledger, accounts=accounts))
        asked = await Desk(lying, ann.account).ask(7, friend, token)
        assert asked["rent_lamports"] == "0"
        async with paying(ledger):
            await ended(ledger, asked["withdrawal_id"], "failed")
        assert (ann.balance(), ann.balance(token)) == (before, 40_000_000_000)
        assert now(ledger, asked["withdrawal_id"])["error"]
        assert ledger.settlement(asked["withdrawal_id"])["errors"] == 1
        assert await differences(ledger.services) == []


def _with_chain(ledger: Ledger, **replaced: Any) -> Any:
    return replace(ledger.services, chain=Faulty(ledger.services.chain, **replaced))


async def test_one_id_is_one_withdrawal_and_cannot_become_another(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        ann, client_id = await desk(ledger, "ann"), str(uuid4())
        answers = await asyncio.gather(*(ann.ask(1_000_000_000, client_id=client_id) for _ in range(10)))
        assert {answer["withdrawal_id"] for answer in answers} == {answers[0]["withdrawal_id"]}
        assert ann.balance() == FUNDS - 1_000_000_000 - FEE
        await refusal("client_id_reused", ann.ask(1_000_000_001, client_id=client_id))


async def test_of_many_withdrawals_of_everything_one_succeeds(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        ann = await desk(ledger, "ann")
        answers = await asyncio.gather(*(ann.ask(FREE - FEE) for _ in range(50)), return_exceptions=True)
        accepted = [answer for answer in answers if isinstance(answer, dict)]
        refused = [answer.code for answer in answers if isinstance(answer, Refusal)]
        assert (len(accepted), refused) == (1, ["funds"] * 49)


async def test_until_it_is_signed_it_can_be_taken_back(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        ann, services = await desk(ledger, "ann"), ledger.services
        waiting, released = await ann.ask(1_000_000_000), await ann.ask(1_000_000_000)
        told = await withdrawals.cancel(services, ann.account, waiting["withdrawal_id"])
        assert (told["state"], told["cancellable"]) == ("cancelled", False)
        assert await Releases(services).release_due() == 1
        await withdrawals.cancel(services, ann.account, released["withdrawal_id"])
        assert ann.balance() == FUNDS
        await refusal("too_late_to_cancel", withdrawals.cancel(services, ann.account, waiting["withdrawal_id"]))
        bob = await desk(ledger, "bob", 0)
        await refusal("unknown_withdrawal", withdrawals.cancel(services, bob.account, waiting["withdrawal_id"]))
        async with paying(ledger):
            sent = await ann.ask(1_000_000_000)
            await ended(ledger, sent["withdrawal_id"])
        await refusal("too_late_to_cancel", withdrawals.cancel(services, ann.account, sent["withdrawal_id"]))
        assert await ann.lamports(ann.account.account_id) == 1_000_000_000
        assert await differences(services) == []


async def test_a_new_address_takes_a_fresh_sign_in_and_waits_its_delay(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node, withdrawal_delay_ms=600_000)) as ledger:
        ann, friend = await desk(ledger, "ann"), stranger()
        stale = Desk(ledger, ann.account, is_fresh=False)
        await refusal("sign_in_again", stale.ask(1_000_000_000, friend))
        asked = await ann.ask(1_000_000_000, friend)
        assert asked["release_at_ms"] >= asked["created_at_ms"] + 599_000
        assert await Releases(ledger.services).release_due() == 0
        own = await stale.ask(1_000_000_000)
        assert await Releases(ledger.services).release_due() == 1
        assert now(ledger, own["withdrawal_id"])["state"] == "pending"
        assert now(ledger, asked["withdrawal_id"])["state"] == "waiting"


async def test_an_address_that_was_paid_before_waits_no_more(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node, withdrawal_delay_ms=1)) as ledger:
        ann, friend = await desk(ledger, "ann"), stranger()
        async with paying(ledger):
            await ended(ledger, (await ann.ask(1_000_000_000, friend))["withdrawal_id"])
        again = await Desk(ledger, ann.account, is_fresh=False).ask(1_000, friend)
        assert again["release_at_ms"] <= again["created_at_ms"]


async def test_addresses_where_money_would_be_lost_are_refused(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        token, (ann,) = await traded(ledger, "ann")
        with ledger.services.database.snapshot() as connection:
            vault = ledger.settlement(_first_settlement(connection))["vault"]
        for address in (vault, token):
            with pytest.raises(PlatformAddress):
                await ann.ask(1_000_000_000, address)
        program_derived = str(token_account(ann.account.wallet, token))
        for nowhere in (ann.account.wallet, program_derived, "1" * 44, "", "x", None):
            with pytest.raises(InvalidDestination):
                await withdrawals.quote(ledger.services, ann.requester, SOL, nowhere)
        assert ann.balance() is not None


def _first_settlement(connection: Any) -> str:
    return str(connection.execute(SETTLEMENTS.select()).mappings().first()["settlement_id"])


@pytest.mark.parametrize("amount", ["0", "-1", "1.5", 1, None, "1e9", " 1", "9223372036854775808"])
async def test_an_amount_that_is_none_is_refused(node: Localnet, tmp_path: Path, amount: Any) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        ann = await desk(ledger, "ann", 0)
        wanted = withdrawals.Wanted(str(uuid4()), SOL, amount, ann.account.account_id)
        await refusal("invalid_amount", withdrawals.request(ledger.services, ann.requester, wanted))


async def test_only_what_is_settled_leaves(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        token, (ann,) = await traded(ledger, "ann")
        sold = await ledger.trade(ann.account.wallet, token, "sell", 900_000_000, 30_000_000_000)
        balance = ann.balance()
        assert balance is not None
        free = balance - LOCKED_LAMPORTS - FEE
        refused = await refusal("not_settled", ann.ask(free))
        assert refused.data["settled_lamports"] == str(free + FEE - 900_000_000)
        async with paying(ledger):
            await ended_settlement(ledger, sold)
            await ended(ledger, (await ann.ask(free))["withdrawal_id"])
        assert await differences(ledger.services) == []


async def test_while_withdrawals_are_frozen_none_is_taken_released_or_signed(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        ann, services = await desk(ledger, "ann"), ledger.services
        waiting, released = [await ann.ask(1_000_000) for _ in range(2)]
        with services.database.transaction() as connection:
            rows.release(connection, released["withdrawal_id"])
            turn(connection, Switch.WITHDRAWALS_FROZEN, SwitchState(True, "a lamport is missing", "test", 7))
        refused = await refusal("withdrawals_frozen", ann.ask(1_000_000_000))
        assert refused.data["since_ms"] == 7
        async with paying(ledger):
            await asyncio.sleep(1.0)
            assert now(ledger, released["withdrawal_id"])["state"] == "pending"
            assert now(ledger, waiting["withdrawal_id"])["state"] == "waiting"
            with services.database.transaction() as connection:
                turn(connection, Switch.WITHDRAWALS_FROZEN, SwitchState(False, "found", "ann", 8))
            for one in (waiting, released):
                await ended(ledger, one["withdrawal_id"])


async def test_reaching_the_hourly_limit_stops_everything_until_an_operator_has_looked(
    node: Localnet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(settings_for(tmp_path, node, withdrawals_hourly_lamports=1_000_000_000)) as ledger:
        ann, services = await desk(ledger, "ann"), ledger.services
        await refusal("above_hourly_limit", ann.ask(1_000_000_001))
        first, second, third = [await ann.ask(lamports) for lamports in (700_000_000, 300_000_001, 900_000)]
        assert await Releases(services).release_due() == 1
        assert "alert=withdrawals_hourly_limit" in caplog.text
        assert [now(ledger, one["withdrawal_id"])["state"] for one in (first, second, third)] == [
            "pending",
            "waiting",
            "waiting",
        ]
        with services.database.transaction() as connection:
            stopped = state(connection, Switch.WITHDRAWALS_FROZEN)
            assert stopped is not None
            assert stopped.is_set
            lifted = SwitchState(False, "looked", "ann", services.clock.now_ms())
            turn(connection, Switch.WITHDRAWALS_FROZEN, lifted)
        assert await Releases(services).release_due() == 2


async def test_tokens_that_others_send_back_are_credited_once(node: Localnet, tmp_path: Path) -> None:
    """A friend, whose key nobody here has in a row of ours, sends back a part of what was withdrawn to them."""
    async with opened(settings_for(tmp_path, node, withdrawal_delay_ms=0)) as ledger:
        token, (ann,) = await traded(ledger, "ann")
        friend = Keypair()
        await ledger.services.chain.airdrop(str(friend.pubkey()), 1_000_000_000)
        async with paying(ledger):
            sent = await ann.ask(30_000_000_000, str(friend.pubkey()), token)
            await ended(ledger, sent["withdrawal_id"])
        scan = TokenDeposits(ledger.services)
        assert await scan.scan() == 0
        back = await send_tokens(ledger, friend, token, ann.account.wallet, 7_000_000)

        async def finalized() -> bool:
            (status,) = await ledger.services.chain.statuses([back], search_history=True)
            return status is not None and status.finalized

        await until(finalized)
        assert [await scan.scan() for _ in range(3)] == [1, 0, 0]
        assert await TokenDeposits(ledger.services).scan() == 0
        assert ann.balance(token) == 10_007_000_000
        assert await differences(ledger.services) == []


async def send_tokens(ledger: Ledger, sender: Keypair, token: str, to: str, amount: int) -> str:
    """A transfer that names no address of ours but the token account itself."""
    blockhash = await ledger.services.chain.latest_blockhash()
    owner = str(sender.pubkey())
    accounts = [
        AccountMeta(token_account(owner, token), False, True),
        AccountMeta(Pubkey.from_string(token), False, False),
        AccountMeta(token_account(to, token), False, True),
        AccountMeta(sender.pubkey(), True, False),
    ]
    move = Instruction(TOKEN_2022, struct.pack("<BQB", 12, amount, 6), accounts)
    message = MessageV0.try_compile(sender.pubkey(), [move], [], Hash.from_string(blockhash.value))
    transaction = VersionedTransaction(message, [sender])
    assert await ledger.services.chain.send([bytes(transaction)]) == [None]
    return str(transaction.signatures[0])
