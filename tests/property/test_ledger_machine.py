"""Whatever is done, in any order, with the process killed at any moment: the ledger is what a plain model says.

The real engine on an SQLite file against `tests.ledger_model`: 500 runs of 100 steps, the same ones each time.
`BLITZ_LEDGER_RUNS` says how many others.
"""

import asyncio
import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine.accounts.accounts import Account
from engine.errors import Refusal
from engine.identifiers import SOL, AccountId, TokenAddress, first_buy_client_order_id, order_id
from engine.ledger import withdrawals
from engine.ledger.claims import MINIMUM_CLAIM_LAMPORTS, claim
from engine.ledger.releases import Releases
from engine.ledger.replay import replay
from engine.persistence.database import Database
from engine.settlement.key_names import mint
from engine.settlement.settlement import Kind
from engine.trading.accept import ConflictingOrder, TradeRequest, accept
from engine.trading.launch import LaunchRequest, NotEnoughToLaunch, launch_cost, request_launch
from engine.trading.orders import Order, Side, body_hash, decoded
from engine.trading.prices import ON_POOL, terms_of
from tests.ledger import ONE_SOL, RENT
from tests.ledger_model import FIGURES, NETWORK_FEE, Model, Withdrawal
from tests.ledger_world import ACCOUNTS, DELAY_MS, FUNDS, SMALL_TOKENS, World, fund, prepared
from tests.market_data import token_values
from tests.replay import replayed

RUNS: Final = int(os.environ.get("BLITZ_LEDGER_RUNS", "500"))
STEPS: Final = 100
PHASES: Final = (Phase.generate,) if os.environ.get("BLITZ_LEDGER_SHRINK") == "0" else tuple(Phase)
"""Shrinking a failure to its shortest program takes minutes; who only asks whether there is one does without."""

LAUNCHES: Final = 3
REBUILT_EVERY: Final = 5
"""After so many steps the state is rebuilt from the immutable rows; at the end of each run by the real replay."""

WHO = st.integers(0, ACCOUNTS - 1)
ON = st.integers(0, SMALL_TOKENS + LAUNCHES - 1)
PICK = st.integers(0, 10_000)
LAMPORTS = st.integers(1, ONE_SOL // 5) | st.integers(ONE_SOL // 100, ONE_SOL)
BOUND = st.sampled_from([0, 1, 1, 10**6, 10**9, 10**11])
ENDINGS = st.sampled_from(["acknowledged"] * 6 + ["killed before the commit", "killed after the commit"])


class Killed(Exception):
    """The process ends here."""


class LedgerMachine(RuleBasedStateMachine):
    """Queue, engine and model side by side."""

    template: Path
    accounts: list[Account]
    directory: Path
    loop: asyncio.AbstractEventLoop

    @initialize()
    def begin(self) -> None:
        shutil.copy(self.template / "ledger.db", self.directory / "ledger.db")
        self.world, self.model = World(self.directory, self.loop), Model()
        self.tables = sqlite3.connect(self.world.path, isolation_level=None)
        self.tables.row_factory = _as_dict
        fund(self.world, self.accounts)
        for account in self.accounts:
            self.model.deposit(account.account_id, FUNDS)
        for row in self.all("tokens"):
            self.model.list_token(row)
        self.queue: list[Order] = []
        self.sent: list[Order] = []
        self.returned = False
        self.checked = 0
        self.steps = 0

    def all(self, table: str) -> list[dict[str, Any]]:
        """Every committed row."""
        return list(self.tables.execute(f"SELECT * FROM {table}"))

    # Money comes and goes

    @rule(who=WHO, lamports=LAMPORTS | st.just(2 * ONE_SOL))
    def deposit(self, who: int, lamports: int) -> None:
        self._deposit(self.accounts[who], lamports)

    def _deposit(self, account: Account, lamports: int) -> None:
        self.world.chain.receive(account.wallet, lamports)
        assert self.world.run(self.world.scan.scan()) == 1
        self.model.deposit(account.account_id, lamports)

    @rule()
    def the_chain_tells_every_deposit_again(self) -> None:
        self.world.chain.forgetful = True
        self.world.renew()
        assert self.world.run(self.world.scan.scan()) == 0
        self.world.chain.forgetful = False

    @rule(who=WHO, on=st.none() | ON, percent=st.integers(1, 101), to=st.none() | WHO, number=PICK)
    def withdraw(self, who: int, on: int | None, percent: int, to: int | None, number: int) -> None:
        account = self.accounts[who]
        token = None if on is None else self._token(on)
        asset = SOL if token is None else token
        has = (
            self.model.free(account.account_id)
            if asset == SOL
            else self.model.balances.get((account.account_id, asset), 0)
        )
        recipient = self.accounts[to] if to is not None and to != who else None
        key = None if recipient is None else recipient.account_id
        pays_rent = asset != SOL and (key is None or (key, asset) not in self.model.balances)
        wanted = Withdrawal(
            account.account_id,
            asset,
            max(1, has * percent // 100),
            RENT if pays_rent else 0,
            key,
            self.world.clock.now_ms() + (0 if key is None else DELAY_MS),
        )
        request = withdrawals.Wanted(
            str(UUID(int=number)),
            asset,
            str(wanted.amount),
            account.account_id if recipient is None else recipient.wallet,
        )
        name = self._withdrawal_of(account, number)
        requester = withdrawals.Requester(account, self.world.clock.now_ms())
        try:
            answer = self.world.run(withdrawals.request(self.world.services, requester, request))
        except Refusal as refusal:
            refused = refusal.code
        else:
            refused = None
        if refused is not None:
            is_reused = refused == "client_id_reused" and name in self.model.withdrawals
            assert is_reused or not self.model.takes(wanted), refused
            return
        if name in self.model.withdrawals:
            return
        assert (answer["fee_lamports"], answer["rent_lamports"]) == (str(NETWORK_FEE), str(wanted.rent))
        assert self.model.takes(wanted)
        wanted.due_ms = answer["release_at_ms"]
        self.model.withdraw(name, wanted)

    def _withdrawal_of(self, account: Account, number: int) -> str:
        return withdrawals._withdrawal_id(account, str(UUID(int=number)))

    @rule()
    def release(self) -> None:
        self.world.run(Releases(self.world.services).release_due())
        self.model.release(self.world.clock.now_ms())

    @precondition(lambda self: self.model.withdrawals)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        name, one = list(self.model.withdrawals.items())[pick % len(self.model.withdrawals)]
        account = next(each for each in self.accounts if each.account_id == one.account)
        can = one.state == "waiting" or (one.state == "pending" and one.recipient is None)
        try:
            self.world.run(withdrawals.cancel(self.world.services, account, name))
        except withdrawals.TooLateToCancel:
            assert not can
        else:
            assert can
            self.model.undo(name, "cancelled")

    @rule(on=ON)
    def claim(self, on: int) -> None:
        token = self.model.tokens.get(self._token(on))
        if token is None or token["creator"] not in {each.account_id for each in self.accounts}:
            return
        creator = next(each for each in self.accounts if each.account_id == token["creator"])
        try:
            self.world.run(claim(self.world.services, creator, token["address"]))
        except Refusal:
            assert token["creator_fees_lamports"] < MINIMUM_CLAIM_LAMPORTS
        else:
            self.model.claim(token)

    # Tokens

    @rule(who=WHO, number=st.integers(0, LAUNCHES - 1), first_buy=st.sampled_from([0, ONE_SOL // 50, ONE_SOL]))
    def launch(self, who: int, number: int, first_buy: int) -> None:
        account, address = self.accounts[who], self._launched(who, number)
        request = LaunchRequest(str(UUID(int=number)), "Voltage Cat", "VOLT", first_buy_lamports=first_buy)
        cost = self.world.run(launch_cost(self.world.services, request.name, request.symbol))
        needed = cost.total_lamports + (first_buy + RENT if first_buy else 0)
        known = address in self.model.tokens
        try:
            token = self.world.run(request_launch(self.world.services, account.account_id, request))
        except NotEnoughToLaunch:
            assert not known
            assert needed > self.model.free(account.account_id)
            return
        assert token == address
        if known:
            return
        assert needed <= self.model.free(account.account_id)
        row = token_values(address=address, creator=account.account_id, stage="launching", first_buy_lamports=first_buy)
        self.model.launch(row, cost.total_lamports)

    def _launched(self, who: int, number: int) -> TokenAddress:
        name = mint(self.accounts[who].account_id, str(UUID(int=number)))
        return TokenAddress(self.world.keys.create(name))

    def _token(self, on: int) -> TokenAddress:
        """A token of that number; the last ones are nobody's until they are launched."""
        known = list(self.model.tokens)
        return TokenAddress(known[on]) if on < len(known) else self._launched(0, LAUNCHES)

    @rule(on=ON)
    def pause_or_go_on(self, on: int) -> None:
        token = self.model.tokens.get(self._token(on))
        if token is not None:
            token["paused"] = 1 - token["paused"]
            with self.world.database.transaction() as connection:
                statement = "UPDATE tokens SET paused = ? WHERE address = ?"
                connection.exec_driver_sql(statement, (token["paused"], token["address"]))

    # Orders

    @rule(who=WHO, on=ON, lamports=LAMPORTS, bound=BOUND, late=st.sampled_from([False] * 9 + [True]), ending=ENDINGS)
    def buy(self, who: int, on: int, lamports: int, bound: int, late: bool, ending: str) -> None:
        self._send(who, on, Side.BUY, lamports, bound, late)
        self._work(3, ending)

    @rule(who=WHO, on=ON, percent=st.sampled_from([0, 1, 33, 50, 99, 100, 101]), bound=BOUND, ending=ENDINGS)
    def sell(self, who: int, on: int, percent: int, bound: int, ending: str) -> None:
        held = self.model.balances.get((self.accounts[who].account_id, self._token(on)), 0)
        self._send(who, on, Side.SELL, held * percent // 100, bound, False)
        self._work(3, ending)

    @rule(who=WHO, on=ON, lamports=LAMPORTS, sells=st.booleans())
    def queue_an_order(self, who: int, on: int, lamports: int, sells: bool) -> None:
        self._send(who, on, Side.SELL if sells else Side.BUY, lamports, 1, False)

    @rule(on=st.integers(0, SMALL_TOKENS - 1), who=WHO)
    def fill_the_curve(self, on: int, who: int) -> None:
        self._send(who, on, Side.BUY, 3 * ONE_SOL // 2, 1, False)
        self._work(10, "acknowledged")

    @rule(limit=st.integers(1, 8), ending=ENDINGS)
    def work(self, limit: int, ending: str) -> None:
        self._work(limit, ending)

    @precondition(lambda self: self.sent)
    @rule(pick=PICK)
    def deliver_again(self, pick: int) -> None:
        self.queue.append(self.sent[pick % len(self.sent)])
        self.returned = True

    @precondition(lambda self: self.sent)
    @rule(pick=PICK, change=st.sampled_from([0, 0, 1]))
    def send_again(self, pick: int, change: int) -> None:
        """The same id, with the same body or another."""
        order = self.sent[pick % len(self.sent)]
        request = TradeRequest(
            order.client_order_id, order.token, str(order.amount + change), str(order.bound), order.deadline_ms
        )
        account = next(each for each in self.accounts if each.account_id == order.account_id)
        state, reason, known_body = self.model.orders.get(order.order_id, (None, None, None))
        body = body_hash(order.side, order.token, order.amount + change, order.bound, order.deadline_ms)
        try:
            accepted = self.world.run(accept(self.world.services, account, order.side, request))
        except ConflictingOrder:
            assert known_body != body, "the same body is the same order"
        except Refusal:
            may_be = order.amount + change == 0 or order.bound == 0 or order.token not in self.model.tokens
            assert state is None or may_be
        else:
            assert accepted.decided == (state is not None)
            if accepted.decided:
                assert known_body == body
                told = "filled" if accepted.order["state"] == "confirmed" else accepted.order["state"]
                assert (told, accepted.order["reason"]) == (state, reason)
        self.queue += [decoded(message) for _, message in self.world.broker.published]
        self.returned |= bool(self.world.broker.published)
        self.world.broker.published.clear()

    def _send(self, who: int, on: int, side: Side, amount: int, bound: int, late: bool) -> None:
        account, token = self.accounts[who].account_id, self._token(on)
        client_order_id = str(UUID(int=len(self.sent)))
        deadline_ms = self.world.clock.now_ms() + (-1 if late else 600_000)
        self.sent.append(
            Order(
                order_id(account, client_order_id),
                account,
                client_order_id,
                token,
                side,
                amount,
                bound,
                deadline_ms,
                body_hash(side, token, amount, bound, deadline_ms),
                self.world.clock.now_ms(),
            )
        )
        self.queue.append(self.sent[-1])

    def _work(self, limit: int, ending: str) -> None:
        """The worker takes what waits; a killed one leaves it in the queue."""
        batch = self.queue[:limit]
        if not batch:
            return
        try:
            with self.world.database.transaction() as connection:
                self.world.worker.execute(batch, self.returned, connection)
                if ending == "killed before the commit":
                    raise Killed
        except Killed:
            self._die()
            return
        for order in batch:
            self.model.execute(order, self.world.clock.now_ms())
        if ending == "killed after the commit":
            self._die()
            return
        del self.queue[:limit]
        self.returned &= bool(self.queue)

    def _die(self) -> None:
        self.world.renew()
        self.returned = True

    # The rest of the world

    @rule()
    def settle(self) -> None:
        pending = self.world.pending()
        if not pending:
            return
        self.world.settle(pending)
        for each in pending:
            token = self.model.tokens.get(each.token)
            if each.settlement_id in self.model.withdrawals:
                self.model.withdrawals[each.settlement_id].state = "confirmed"
            elif each.kind is Kind.GRADUATION:
                assert token is not None
                token["stage"] = "graduated"
            elif each.kind is Kind.LAUNCH:
                assert token is not None
                self._trading_begins(token)
        self.model.unsettled.clear()
        for each in self.world.pending():  # first buys of the launches
            inflow = self.model.unsettled
            inflow[each.account_id, each.token] += each.tokens

    def _trading_begins(self, token: dict[str, Any]) -> None:
        now_ms = self.world.clock.now_ms()
        token |= {"stage": "curve", "tradable_at_ms": now_ms}
        if token["first_buy_lamports"]:
            account, client_order_id = AccountId(token["creator"]), first_buy_client_order_id(token["address"])
            amount = token["first_buy_lamports"]
            self.model.execute(
                Order(
                    order_id(account, client_order_id),
                    account,
                    client_order_id,
                    token["address"],
                    Side.BUY,
                    amount,
                    1,
                    now_ms + 600_000,
                    body_hash(Side.BUY, token["address"], amount, 1, None),
                    0,
                ),
                now_ms,
            )

    @rule(pick=PICK)
    def the_chain_refuses(self, pick: int) -> None:
        """A launch or a withdrawal can never land: it is undone."""
        can = [each for each in self.world.pending() if each.kind in (Kind.LAUNCH, Kind.WITHDRAWAL)]
        if can:
            one = can[pick % len(can)]
            self.world.run(self.world.confirmer.give_up(one, "it can never land"))
            if one.kind is Kind.LAUNCH:
                self.model.launch_failed(one.token)
            else:
                self.model.undo(one.settlement_id, "failed")

    @rule(by_ms=st.sampled_from([-5_000, 1, 1_000, 61_000, 700_000]))
    def wait(self, by_ms: int) -> None:
        self.world.clock.advance(by_ms)

    @rule()
    def crash(self) -> None:
        self._die()

    @rule()
    def restart(self) -> None:
        self.world.restart()
        self.returned = True

    # What must always hold

    @invariant()
    def the_ledger_is_the_models(self) -> None:
        balances = self.all("balances")
        assert {(row["account_id"], row["asset"]): row["amount"] for row in balances} == self.model.balances
        assert all(row["amount"] >= 0 for row in balances)
        for row in balances:
            if row["asset"] == SOL:
                assert row["account_seq"] == self.model.account_seqs[row["account_id"]]
        figures = {row["address"]: (*(row[name] for name in FIGURES), row["holders"]) for row in self.all("tokens")}
        assert figures == self.model.figures()
        orders = self.tables.execute("SELECT order_id, state, reason, body_hash FROM orders").fetchall()
        assert {row["order_id"]: (row["state"], row["reason"], row["body_hash"]) for row in orders} == self.model.orders
        assert len(orders) == len(self.model.orders)

    @invariant()
    def everything_is_conserved(self) -> None:
        held: dict[str, int] = {}
        for (_, asset), amount in self.model.balances.items():
            held[asset] = held.get(asset, 0) + amount
        listed = self.all("tokens")
        vaults = sum(
            row["reserve_lamports"] + row["creator_fees_lamports"] + row["platform_fees_lamports"] for row in listed
        )
        assert held[SOL] + vaults + self.model.left[SOL] == self.model.entered[SOL]
        for row in listed:
            assert held.get(row["address"], 0) + self.model.left[row["address"]] == row["supply"]
            if row["stage"] not in ON_POOL:
                assert row["reserve_lamports"] >= terms_of(row).curve.integral(row["supply"])

    @invariant()
    def every_fill_keeps_its_bound(self) -> None:
        fills = self.tables.execute(
            "SELECT o.side, o.amount, o.bound, t.lamports, t.tokens, t.supply, k.curve_supply FROM orders o"
            " LEFT JOIN trades t ON t.order_id = o.order_id LEFT JOIN tokens k ON k.address = t.token"
            " WHERE o.state = 'filled' AND o.rowid > ?",
            (self.checked,),
        ).fetchall()
        self.checked = self.tables.execute("SELECT COALESCE(MAX(rowid), 0) AS last FROM orders").fetchone()["last"]
        for row in fills:
            if row["side"] == "sell":
                assert row["lamports"] >= row["bound"]
                assert row["tokens"] == row["amount"]
            else:
                last = row["supply"] == row["curve_supply"]
                assert row["tokens"] >= (row["bound"] * row["lamports"] // row["amount"] if last else row["bound"])
                assert row["lamports"] <= row["amount"]

    @invariant()
    def the_immutable_rows_lead_there(self) -> None:
        self.steps += 1
        if self.steps % REBUILT_EVERY:
            return
        moved = self.tables.execute("SELECT * FROM settlements WHERE kind IN ('graduation', 'claim')").fetchall()
        rebuilt = replayed(self.all("trades"), self.all("transfers"), moved)
        some = {key: amount for key, amount in self.model.balances.items() if amount}
        assert {key: amount for key, amount in rebuilt.balances.items() if amount} == some
        assert {key: number for key, number in rebuilt.account_seqs.items()} == dict(self.model.account_seqs)
        for address, state in rebuilt.tokens.items():
            row = self.model.tokens[address]
            assert (state.seq, state.supply, state.reserve_lamports) == (
                row["seq"],
                row["supply"],
                row["reserve_lamports"],
            )

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.tables.close()
        target = self.directory / "replayed.db"
        shutil.copy(self.template / "empty.db", target)
        empty = Database(f"sqlite:///{target}")
        try:
            _, found = replay(self.world.database, empty)
            assert found == []
        finally:
            empty.close()
            self.world.close()
            for stale in [*self.directory.glob("ledger.db*"), *self.directory.glob("replayed.db*")]:
                stale.unlink()


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with closing(asyncio.new_event_loop()) as loop:
        yield loop


@pytest.fixture
def machine(tmp_path: Path, loop: asyncio.AbstractEventLoop) -> Iterator[type[LedgerMachine]]:
    (LedgerMachine.template, LedgerMachine.accounts), LedgerMachine.loop = prepared(tmp_path, loop), loop
    LedgerMachine.directory = tmp_path / "run"
    LedgerMachine.directory.mkdir()
    logging.disable(logging.ERROR)  # what the chain refuses is logged each time
    yield LedgerMachine
    logging.disable(logging.NOTSET)


@pytest.mark.slow
def test_the_ledger_is_what_a_plain_model_says(machine: type[LedgerMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            phases=PHASES,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize="BLITZ_LEDGER_RUNS" not in os.environ,
        ),
    )
