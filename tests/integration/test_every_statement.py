"""Every function that speaks to the database, run once on every kind of database.

The list is compared with the source: a new function fails here until it has its line, so that none is first run in
production. On its way each statement is held against Oracle's rules (tests/portable.py).
"""

import ast
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

from engine.identifiers import SOL
from engine.indicators.candles import Candle, Interval
from engine.indicators.tallies import MONDAY_MS, WEEK_MS, Span
from engine.ledger.history import TOKEN_MOVEMENTS
from engine.persistence import (
    accounts,
    activity,
    api_keys,
    audit,
    bulk,
    candles,
    claims,
    comparison,
    controls,
    deposits,
    engine_room,
    freezes,
    heartbeats,
    images,
    indicators,
    journal,
    launches,
    market,
    movements,
    orders,
    parked,
    ranking,
    rebuilding,
    rents,
    replaying,
    reports,
    roles,
    server_time,
    sessions,
    settlements,
    stalled,
    standing,
    sweeps,
    switches,
    tallies,
    trading,
    trials,
    withdrawals,
)
from engine.persistence.database import Connection, Database
from engine.persistence.heartbeats import Heartbeat
from engine.persistence.switches import Switch, SwitchState
from engine.settlement.settlement import State
from engine.trading.batch import Batch, candle_row
from engine.trading.orders import Side
from engine.trading.rows import pending_settlement, sol_transfer_row
from engine.units import MAX_AMOUNT
from tests.databases import KINDS, database_of
from tests.fakes import START_MS, migrated_database
from tests.ledger import ONE_SOL, RENT, account, fund, list_tokens, make_order, token, wallet
from tests.market_data import address, token_values

PERSISTENCE: Final = Path(market.__file__).parent
NEW: Final = token(7)
ORDER: Final = make_order(Side.BUY, ONE_SOL)
LOST: Final = make_order(Side.BUY, ONE_SOL, number=1)
PARKED: Final = parked.parked_row(LOST.token, LOST.encoded(), "delivery_limit", START_MS)
LIFTED: Final = SwitchState(False, "found it", "ann", 3)
HASH, SIGNATURE = "f" * 64, "5" * 88

LAUNCH: Final = pending_settlement(
    {
        "settlement_id": "e" * 32,
        "kind": "launch",
        "side": None,
        "token": NEW,
        "seq": 0,
        "account_id": account(0),
        "account_seq": 2,
        "wallet": wallet(0),
        "vault": address(7),
        "lamports": 5,
        "tokens": 6,
        "rent_lamports": 1,
    },
    START_MS,
)


WITHDRAWN: Final = "d" * 32
WITHDRAWAL: Final = {
    "withdrawal_id": WITHDRAWN,
    "account_id": account(0),
    "client_id": "c" * 36,
    "kind": "withdrawal",
    "asset": "SOL",
    "amount": 7,
    "destination": address(9),
    "recipient_id": None,
    "fee_lamports": 3,
    "rent_lamports": 0,
    "release_at_ms": 5,
    "created_at_ms": 5,
}
WITHDRAWING: Final = LAUNCH | {
    "settlement_id": WITHDRAWN,
    "kind": "withdrawal",
    "token": "SOL",
    "vault": address(9),
    "state": "waiting",
}


AUDITED: Final = {
    "seq": 7,
    "at_ms": 1,
    "operator": "ann",
    "action": "pause_token",
    "target": token(0),
    "reason": "why",
    "before": "{}",
    "after": "{}",
    "previous_hash": "0" * 64,
    "hash": HASH,
}
SWEEP: Final = {
    "sweep_id": "9" * 32,
    "token": token(0),
    "lamports": 5,
    "treasury": address(11),
    "proposed_by": "ann",
    "proposed_at_ms": 1,
    "confirmed_by": None,
    "confirmed_at_ms": 0,
}
KEY: Final = {
    "key_id": "1" * 16,
    "account_id": account(0),
    "key_hash": HASH,
    "name": "bot",
    "scopes": "read trade",
    "created_at_ms": 1,
    "used_at_ms": 0,
    "revoked_at_ms": 0,
}


def paid(cause: str, name: str) -> dict[str, Any]:
    return sol_transfer_row(cause, account(0), -5, 2, NEW, wallet(0), name, START_MS)


LEFT: Final = paid("rent_back", "r")


def wallet_row(number: int) -> dict[str, Any]:
    row = {"address": wallet(number), "kind": "trading", "key_name": f"w{number}"}
    return row | {"account_id": account(number), "token": None, "created_at_ms": 1}


def execute(connection: Connection) -> None:
    locked = trading.lock_for(connection, [ORDER], START_MS)
    batch = Batch(locked, {account(0): wallet(0)}, START_MS, RENT)
    batch.apply(ORDER)
    assert len(batch.changes.trades) == 1
    trading.write(connection, batch.changes)


def book_launch(connection: Connection) -> None:
    row = token_values(7, stage="launching", description=None)
    sol = deposits.lock_sol(connection, [account(0)])[account(0)]
    launches.book(connection, row, [wallet_row(0)], sol, paid("launch", "a"), LAUNCH)


def book_claim(connection: Connection) -> None:
    row = trading.lock_tokens(connection, [token(0)])[token(0)]
    sol = deposits.lock_sol(connection, [account(0)])[account(0)]
    settlement = LAUNCH | {"settlement_id": "c" * 32, "kind": "claim", "state": "confirmed", "token": token(0)}
    claims.book(connection, row, sol, paid("claim", "c"), settlement)


def fail_launch(connection: Connection) -> None:
    row = launches.lock(connection, NEW) | {"stage": "failed", "failure": "no money"}
    sol = deposits.lock_sol(connection, [account(0)])[account(0)]
    launches.write_failure(connection, row, sol, paid("refund", "b"))


def sign(connection: Connection) -> None:
    [trade] = [each for each in settlements.pending(connection, 10) if each.settlement_id == ORDER.order_id]
    signed = replace(trade, attempt=1, signature=SIGNATURE, signed_bytes=b"\0\xff", last_valid_block_height=9)
    assert settlements.store_signed(connection, [signed], "w1") == {ORDER.order_id}
    again = settlements.store_signed(connection, [signed], "w1")
    assert again == {ORDER.order_id}, "ours already: found by its signature"
    assert [each.signed_bytes for each in settlements.reserved(connection)] == [None]


def adopt(connection: Connection) -> None:
    assert settlements.adopt_signed(connection, "w2", ["w0", "w2"]) == 1
    assert settlements.adopt_signed(connection, "w3", ["w2", "w3"]) == 0
    assert settlements.signed_of(connection, "w1") == []


def confirm(connection: Connection) -> None:
    [signed] = settlements.signed_of(connection, "w2")
    assert signed.signed_bytes == b"\0\xff"
    assert settlements.confirm(connection, [(signed, 3)], lambda _: 5_000, START_MS) == {ORDER.order_id}
    assert settlements.confirm(connection, [(replace(signed, attempt=7), 3)], lambda _: 5_000, START_MS + 1) == set()


def take_back(connection: Connection) -> None:
    [launch] = settlements.pending(connection, 10)
    assert settlements.take_back(connection, launch, State.FAILED, 1, "refused")


BALANCE: Final = {"account_id": account(99), "asset": SOL, "amount": 1, "account_seq": 1}
CANDLE: Final = candle_row(token(99), Candle(60_000, 1, 1, 1, 1, 1, 1))


def copy_facts(connection: Connection) -> None:
    with TemporaryDirectory() as directory:
        copy = Database(f"sqlite:///{migrated_database(Path(directory))}")
        with copy.transaction() as target:
            assert replaying.is_empty(target)
            counts = replaying.copy_facts(connection, target, TOKEN_MOVEMENTS)
            assert counts["trades"] == 1
        copy.close()


def turn(connection: Connection) -> None:
    frozen = SwitchState(True, "a lamport is missing", "reconcile", 1)
    later = replace(frozen, reason="another", changed_at_ms=2)
    told = [switches.turn(connection, Switch.WITHDRAWALS_FROZEN, to) for to in (frozen, later)]
    assert (told, switches.state(connection, Switch.WITHDRAWALS_FROZEN)) == ([True, False], frozen)
    told = [switches.turn(connection, Switch.WITHDRAWALS_FROZEN, LIFTED) for _ in range(2)]
    assert told == [True, False]


def move_own_money(connection: Connection) -> None:
    locked = withdrawals.lock(connection, account(0), token(0))
    assert locked.token is not None
    locked.new_balances.append({"account_id": account(0), "asset": token(2), "amount": 1, "account_seq": 0})
    withdrawals.write(connection, locked, [paid("withdrawal", "w")])


def release(connection: Connection) -> None:
    assert withdrawals.release(connection, WITHDRAWN)
    assert not withdrawals.release(connection, WITHDRAWN)
    [pending] = [each for each in settlements.pending(connection, 9) if each.settlement_id == WITHDRAWN]
    assert (pending.token, pending.charge_lamports, pending.decimals) == ("SOL", 3, 0)


STEPS: Final[dict[str, Callable[[Connection], Any]]] = {
    "accounts.add_account": lambda c: accounts.add_account(c, accounts.NewAccount(account(8), wallet(8), "k", True, 1)),
    "accounts.account": lambda c: accounts.account(c, account(8)) or pytest.fail("just made"),
    "claims.book": book_claim,
    "claims.creator_fees_json": lambda c: claims.creator_fees_json(c, account(8)),
    "images.add": lambda c: images.add(c, HASH, "image/webp", b"\0\xff", 1),
    "images.exists": lambda c: images.exists(c, HASH) or pytest.fail("just made"),
    "images.image": lambda c: images.image(c, HASH) == ("image/webp", b"\0\xff") or pytest.fail("other bytes"),
    "bulk.insert_rows": lambda c: bulk.insert_rows(c, launches.WALLETS, [wallet_row(1), wallet_row(2)]),
    "bulk.update_rows": lambda c: bulk.update_rows(c, launches.WALLETS, ("address",), ("key_name",), [wallet_row(1)]),
    "bulk.select_by_keys": lambda c: bulk.select_by_keys(
        c, trading.BALANCES, ("account_id", "asset"), [(account(n), SOL) for n in range(2_500)], lock=True
    ),
    "trading.known_orders": lambda c: trading.known_orders(c, [ORDER.order_id] * 2_500),
    "trading.lock_tokens": lambda c: trading.lock_tokens(c, [token(n) for n in range(3)]),
    "trading.lock_balances": lambda c: trading.lock_balances(c, [(account(0), SOL), (account(1), token(0))]),
    "trading.wallets_of": lambda c: trading.wallets_of(c, [account(0)]),
    "trading.queued_tokens": trading.queued_tokens,
    "trading.held_tokens": trading.held_tokens,
    "trading.write": execute,
    "trading.lock_for": lambda c: trading.lock_for(c, [ORDER], START_MS),
    "settlements.pending": lambda c: settlements.pending(c, 10) or pytest.fail("the trade's"),
    "settlements.by_id": lambda c: settlements.by_id(c, [ORDER.order_id, *(["f" * 32] * 2_500)])[ORDER.order_id],
    "settlements.store_signed": sign,
    "settlements.reserved": lambda c: settlements.reserved(c) or pytest.fail("the trade's"),
    "settlements.adopt_signed": adopt,
    "settlements.signed_of": lambda c: settlements.signed_of(c, "w2") or pytest.fail("the trade's"),
    "settlements.fills": lambda c: settlements.fills(c, [ORDER.order_id])[ORDER.order_id],
    "settlements.confirm": confirm,
    "settlements.confirmed_after": lambda c: settlements.confirmed_after(c, 2, START_MS, [ORDER.order_id])[1],
    "settlements.adopt_confirmed": lambda c: settlements.adopt_confirmed(c, "w2", ["w1", "w2"], 0) or pytest.fail("1"),
    "settlements.settled_later": lambda c: settlements.settled_later(c, 2) or pytest.fail("the trade's"),
    "settlements.confirmed_of": lambda c: settlements.confirmed_of(c, "w2", 0) or pytest.fail("the trade's"),
    "settlements.in_state": lambda c: settlements.in_state(c, State.CONFIRMED) or pytest.fail("the trade's"),
    "launches.book": book_launch,
    "launches.exists": lambda c: launches.exists(c, NEW) or pytest.fail("just made"),
    "launches.creator": lambda c: launches.creator(c, account(0)),
    "launches.lock": lambda c: launches.lock(c, NEW),
    "launches.write_stage": lambda c: launches.write_stage(c, launches.lock(c, NEW)),
    "settlements.take_back": take_back,
    "launches.write_failure": fail_launch,
    "settlements.key_names": lambda c: settlements.key_names(c, [wallet(0)]),
    "settlements.add_wallet": lambda c: settlements.add_wallet(c, wallet_row(3)),
    "settlements.book_network_fee": lambda c: settlements.book_network_fee(c, paid("network_fee", "c")),
    "deposits.scanned_addresses": lambda c: deposits.scanned_addresses(c) or pytest.fail("four wallets"),
    "deposits.read_cursors": lambda c: deposits.read_cursors(c, [wallet(0)])[wallet(0)],
    "deposits.own_signatures": lambda c: deposits.own_signatures(c, [SIGNATURE]) or pytest.fail("the trade's"),
    "deposits.booked": lambda c: deposits.booked(c, [paid("launch", "a")["transfer_id"]]) or pytest.fail("booked"),
    "deposits.lock_sol": lambda c: deposits.lock_sol(c, [account(0)]),
    "deposits.write": lambda c: deposits.write(c, [paid("deposit", "d")], [], deposits.scanned_addresses(c)),
    "accounts.position": lambda c: accounts.position(c, account(0), token(0), ORDER.order_id),
    "accounts.account_seqs": lambda c: accounts.account_seqs(c, [account(0), account(1)]),
    "accounts.balances_json": lambda c: accounts.balances_json(c, account(0), 1),
    "accounts.holders_json": lambda c: accounts.holders_json(c, token(0), 5) or pytest.fail("the buyer"),
    "orders.order_json": lambda c: orders.order_json(c, ORDER.order_id) or pytest.fail("the order"),
    "withdrawals.lock": lambda c: withdrawals.lock(c, account(0), SOL).sol,
    "withdrawals.write": move_own_money,
    "withdrawals.holdings": lambda c: withdrawals.holdings(c, account(0), token(2))[1] or pytest.fail("just made"),
    "withdrawals.forget_balance": lambda c: withdrawals.forget_balance(c, account(0), token(2)),
    "withdrawals.restore_balance": lambda c: [
        withdrawals.restore_balance(c, account(0), asset) for asset in (token(1), token(1))
    ],
    "withdrawals.add": lambda c: withdrawals.add(c, WITHDRAWAL, WITHDRAWING),
    "settlements.withdrawal_requests": lambda c: settlements.withdrawal_requests(c, [WITHDRAWN])[WITHDRAWN],
    "withdrawals.one": lambda c: withdrawals.one(c, WITHDRAWN) or pytest.fail("just made"),
    "withdrawals.due": lambda c: withdrawals.due(c, 5, 9) == [WITHDRAWN] or pytest.fail("due"),
    "withdrawals.release": release,
    "withdrawals.cancel": lambda c: (
        [withdrawals.cancel(c, WITHDRAWN) for _ in range(2)] == [True, False] or pytest.fail("once")
    ),
    "withdrawals.count_release": lambda c: withdrawals.count_release(c, WITHDRAWN, 7, 5),
    "withdrawals.released_lamports": lambda c: withdrawals.released_lamports(c, 4) == 7 or pytest.fail("seven"),
    "withdrawals.owner_of": lambda c: withdrawals.owner_of(c, wallet(0)) or pytest.fail("a trading wallet"),
    "withdrawals.was_paid_before": lambda c: withdrawals.was_paid_before(c, account(0), address(9)),
    "withdrawals.unsettled_inflow": lambda c: withdrawals.unsettled_inflow(c, account(0), wallet(0), SOL),
    "withdrawals.is_moving": lambda c: withdrawals.is_moving(c, wallet(0), token(0)),
    "withdrawals.withdrawals_json": lambda c: (
        withdrawals.withdrawals_json(c, account(0), 1, f"{START_MS}.{'f' * 32}")[0] or pytest.fail("the one")
    ),
    "movements.token_holdings": lambda c: movements.token_holdings(c) or pytest.fail("the buyer's"),
    "audit.add": lambda c: audit.add(c, AUDITED),
    "audit.last": lambda c: audit.last(c) == AUDITED or pytest.fail("just added"),
    "audit.after": lambda c: audit.after(c, 6, 1) == [AUDITED] or pytest.fail("just added"),
    "audit.before": lambda c: audit.before(c, 8, 1) == [AUDITED] or pytest.fail("just added"),
    "controls.pause": lambda c: [controls.pause(c, 5) for _ in range(2)] == [True, False] or pytest.fail("once"),
    "controls.paused_since_ms": lambda c: controls.paused_since_ms(c) == 5 or pytest.fail("just paused"),
    "controls.resume": lambda c: [controls.resume(c) for _ in range(2)] == [True, False] or pytest.fail("once"),
    "controls.token": lambda c: controls.token(c, token(0))["paused"] == 0 or pytest.fail("not paused"),
    "controls.set_token": lambda c: [
        controls.set_token(c, token(0), flag, is_set, 5) or pytest.fail(flag)
        for is_set in (True, False)
        for flag in controls.TOKEN_FLAGS
    ],
    "controls.account": lambda c: controls.account(c, account(1)) or pytest.fail("the account"),
    "controls.set_frozen": lambda c: (
        [controls.set_frozen(c, account(1), is_frozen) for is_frozen in (False, True, True)] == [False, True, False]
        or pytest.fail("once")
    ),
    "controls.switched": lambda c: (
        (controls.switched(c) and controls.set_frozen(c, account(1), False)) or pytest.fail("the frozen account")
    ),
    "engine_room.held": lambda c: engine_room.held(c, "hold_token"),
    "engine_room.symbols": lambda c: engine_room.symbols(c, [token(0)] * 1_500) or pytest.fail("the token"),
    "roles.set_role": lambda c: [roles.set_role(c, account(0), role, 1) for role in ("operator", "viewer")],
    "roles.role_of": lambda c: roles.role_of(c, account(0)) == "viewer" or pytest.fail("just given"),
    "roles.every_role": lambda c: roles.every_role(c) or pytest.fail("just given"),
    "roles.take_role": lambda c: roles.take_role(c, account(0)) or roles.every_role(c) == [] or pytest.fail("gone"),
    "sweeps.propose": lambda c: sweeps.propose(c, SWEEP),
    "sweeps.one": lambda c: sweeps.one(c, SWEEP["sweep_id"]) or pytest.fail("just proposed"),
    "sweeps.open_sweeps": lambda c: sweeps.open_sweeps(c) or pytest.fail("just proposed"),
    "sweeps.confirm": lambda c: (
        [sweeps.confirm(c, SWEEP["sweep_id"], "bob", 2) for _ in range(2)] == [True, False] or pytest.fail("once")
    ),
    "sweeps.book": lambda c: sweeps.book(
        c, launches.lock(c, token(0)), paid("sweep", "s"), LAUNCH | {"settlement_id": "5" * 32, "kind": "sweep"}
    ),
    "movements.deposits_json": lambda c: movements.deposits_json(c, account(0), 5) or pytest.fail("the first one"),
    "movements.empty_accounts_json": lambda c: movements.empty_accounts_json(c, account(0)) or pytest.fail("restored"),
    "paging.page_after": lambda c: orders.orders_json(c, account(0), 1),
    "orders.orders_json": lambda c: orders.orders_json(c, account(0), 1, f"{START_MS + 1}.{'f' * 32}", token(0)),
    "market.token": lambda c: market.token(c, token(0)) or pytest.fail("the token"),
    "market.tokens": lambda c: [
        market.tokens(c, column, 1, f"{START_MS}.{token(9)}", market.Wanted(people=True)) for column in market.Column
    ],
    "market.trades": lambda c: market.trades(c, token(0), 5, 9) or pytest.fail("the trade"),
    "market.newest": lambda c: market.newest(c, token(0), 5) or pytest.fail("the trade"),
    "candles.page": lambda c: [candles.page(c, token(0), interval, 5, START_MS * 2) for interval in Interval],
    "candles.newest": lambda c: (
        all(candles.newest(c, token(0), market.newest(c, token(0), 5)[2], True, 3).values()) or pytest.fail("a candle")
    ),
    "market.changed_since": lambda c: market.changed_since(c, 1) or pytest.fail("the token"),
    "tallies.forget_tallies": lambda c: tallies.forget_tallies(c),
    "tallies.count_trades": lambda c: [tallies.count_trades(c) for _ in range(2)] == [1, 0] or pytest.fail("once"),
    "activity.platform": lambda c: activity.platform(c, Span.HOUR, 0, MAX_AMOUNT) or pytest.fail("the trade's"),
    "activity.traders_in": lambda c: (
        activity.traders_in(c, Span.DAY, 0, 1, MAX_AMOUNT) == (0, 1) or pytest.fail("the buyer")
    ),
    "activity.newcomers": lambda c: activity.newcomers(c, 60_000, 0, MAX_AMOUNT) or pytest.fail("the buyer"),
    "activity.by_token": lambda c: activity.by_token(c, Span.EVER, 0, 1)[0]["subject"] == token(0) or pytest.fail("0"),
    "activity.token_facts": lambda c: activity.token_facts(c) or pytest.fail("the tokens"),
    "activity.one_token": lambda c: activity.one_token(c, token(0)) or pytest.fail("the token"),
    "activity.token_moments": lambda c: activity.token_moments(c, 0, MAX_AMOUNT)[0] or pytest.fail("the tokens'"),
    "activity.cohorts": lambda c: activity.cohorts(c, Span.WEEK, WEEK_MS, MONDAY_MS, 0)[0][2] == 1 or pytest.fail("1"),
    "activity.trades_page": lambda c: [
        activity.trades_page(c, 0, MAX_AMOUNT, 5, cursor, *asked)[0] or pytest.fail("the trade")
        for cursor in (None, f"{MAX_AMOUNT}.{'f' * 32}")
        for asked in ((), (token(0), account(0), "buy"))
    ],
    "activity.traders_page": lambda c: (
        activity.traders_page(c, Span.DAY, 0, MAX_AMOUNT, 5, f"{MAX_AMOUNT}.{account(0)}")[0]
        or pytest.fail("the buyer")
    ),
    "activity.token_flows": lambda c: activity.token_flows(c, token(0), 60_000) or pytest.fail("the trade"),
    "activity.token_transfers": lambda c: activity.token_transfers(c, token(0), 60_000),
    "activity.closing_trades": lambda c: activity.closing_trades(c, token(0), 60_000) or pytest.fail("the trade"),
    "activity.holdings": lambda c: activity.holdings(c, token(0)) or pytest.fail("the buyer's"),
    "indicators.standing": lambda c: indicators.standing(c) or pytest.fail("the token"),
    "indicators.tape_since": lambda c: [*indicators.tape_since(c, 1)] or pytest.fail("the trade"),
    "indicators.trades_at": lambda c: indicators.trades_at(c, [(token(0), 1)]) or pytest.fail("the trade"),
    "indicators.shares": lambda c: indicators.shares(c, [token(0)]) or pytest.fail("the buyer's"),
    "indicators.write": lambda c: indicators.write(
        c, [{"address": token(0), **dict.fromkeys(indicators.FIGURES, 7)}], START_MS
    ),
    "ranking.store": lambda c: ranking.store(c, {"1h": [token(0)]}, START_MS),
    "ranking.trending": lambda c: ranking.trending(c, 5)["1h"] or pytest.fail("the token"),
    "comparison.books": lambda c: comparison.books(c).wallets[wallet(0), SOL] or pytest.fail("the buyer's"),
    "comparison.network_fees": lambda c: (
        comparison.network_fees(c, 0, START_MS + 1) == 5_000 or pytest.fail("the trade's")
    ),
    "comparison.unsettled_ids": lambda c: comparison.unsettled_ids(c),
    "comparison.moving": lambda c: comparison.moving(c, 2, START_MS, ["x"]) or pytest.fail("the trade's"),
    "comparison.foreign_outflows": lambda c: comparison.foreign_outflows(c, 0),
    "rents.write": lambda c: rents.write(c, [LEFT], list(deposits.lock_sol(c, [account(0)]).values())),
    "rents.booked": lambda c: (
        rents.booked(c, [LEFT["transfer_id"]]) == {"r": (wallet(0), -5)} or pytest.fail("just booked")
    ),
    "replaying.copy_facts": copy_facts,
    "replaying.is_empty": lambda c: replaying.is_empty(c) and pytest.fail("two accounts"),
    "replaying.tokens": lambda c: replaying.tokens(c) or pytest.fail("the tokens"),
    "replaying.token_movements": lambda c: replaying.token_movements(c, token(0))[0] or pytest.fail("the trade"),
    "replaying.movements_by_account": lambda c: dict(replaying.movements_by_account(c))[account(0)],
    "replaying.write_balances": lambda c: replaying.write_balances(c, [BALANCE]),
    "replaying.write_tokens": lambda c: replaying.write_tokens(c, replaying.tokens(c)),
    "replaying.write_candles": lambda c: replaying.write_candles(c, [CANDLE]),
    "replaying.state": lambda c: dict(replaying.state(c))[f"balance {account(0)} {SOL}"],
    "rebuilding.account_balances": lambda c: rebuilding.account_balances(c) or pytest.fail("the accounts'"),
    "rebuilding.account_movements": lambda c: all(rebuilding.account_movements(c, [account(0)])) or pytest.fail("none"),
    "journal.declare": lambda c: journal.declare(token(0), c),
    "journal.append": lambda c: journal.append([journal.Entry(1, token(0), b"\0")], c),
    "journal.waiting": lambda c: journal.waiting(c) == [journal.Entry(1, token(0), b"\0")] or pytest.fail("other"),
    "journal.queues": lambda c: journal.queues(c) == {token(0)} or pytest.fail("other"),
    "journal.forget": lambda c: journal.forget([(1, 1)], c),
    "trials.begin": lambda c: [trials.begin(HASH[:32], n, c) for n in (1, 2)] == [1, 2] or pytest.fail("miscounted"),
    "trials.end": lambda c: [trials.end(HASH[:32], c), trials.begin(HASH[:32], 3, c)][1] == 1 or pytest.fail("kept"),
    "stalled.end_stalled": lambda c: stalled.end_stalled(c, 5_000) == [] or pytest.fail("nobody has stalled"),
    "parked.park": lambda c: [parked.park([PARKED], c) for _ in range(2)] == [1, 1] or pytest.fail("again"),
    "parked.waiting": lambda c: parked.waiting(c) or pytest.fail("just parked"),
    "parked.one": lambda c: parked.one(c, LOST.order_id) or pytest.fail("just parked"),
    "parked.want": lambda c: parked.want(c, LOST.order_id, parked.REPLAY, "why") or pytest.fail("parked"),
    "parked.wanted": lambda c: parked.wanted(c) or pytest.fail("just wanted"),
    "parked.take_up": lambda c: (
        [parked.take_up(c, LOST.order_id) for _ in range(2)] == [True, False] or pytest.fail("once")
    ),
    "parked.parked_order": lambda c: parked.parked_order(c, LOST.order_id) == LOST or pytest.fail("other"),
    "parked.end": lambda c: parked.end(c, LOST.order_id, "rejected", "by hand", 5) or pytest.fail("just parked"),
    "parked.decided_state": lambda c: parked.decided_state(c, ORDER.order_id) or pytest.fail("filled"),
    "switches.lock": lambda c: [switches.lock(c, Switch.WITHDRAWALS_FROZEN) for _ in range(2)],
    "freezes.freeze_account": lambda c: (
        [freezes.freeze_account(c, account(0), why) for why in ("x" * 300, "later")] == [True, False]
        or pytest.fail("the first reason stays")
    ),
    "freezes.reason_of": lambda c: freezes.reason_of(c, account(0)) == "x" * 200 or pytest.fail("the first reason"),
    "freezes.hold_token": lambda c: freezes.hold_token(c, token(0), "short", 5) or pytest.fail("not held before"),
    "freezes.set_held": lambda c: (
        [freezes.set_held(c, token(2), to) for to in (True, True, False)] == [True, False, True] or pytest.fail("once")
    ),
    "freezes.frozen": lambda c: (
        [each["what"] for each in freezes.frozen(c)] == ["account", "token"] or pytest.fail("one of each")
    ),
    "freezes.release": lambda c: (
        [freezes.release(c, each, 5) for each in (account(0), token(0), token(0))] == [True, True, False]
        or pytest.fail("each once")
    ),
    "freezes.retry": lambda c: not freezes.retry(c, ORDER.order_id) or pytest.fail("it has not failed"),
    "heartbeats.beat": lambda c: [heartbeats.beat(c, "settle", "w1", Heartbeat(beats, 5)) for beats in (1, 2)],
    "heartbeats.of_service": lambda c: (
        heartbeats.of_service(c, "settle") == {"w1": Heartbeat(2, 5)} or pytest.fail("the newest beat")
    ),
    "heartbeats.forget": lambda c: heartbeats.forget(c, "settle", ["w0", "w1"]),
    "switches.turn": turn,
    "switches.state": lambda c: switches.state(c, Switch.WITHDRAWALS_FROZEN) == LIFTED or pytest.fail("not lifted"),
    "switches.is_set": lambda c: switches.is_set(c, Switch.WITHDRAWALS_FROZEN) and pytest.fail("not lifted"),
    "standing.standing": lambda c: (
        standing.standing(c).settlements.keys() == {"waiting", "pending", "signed", "failed"} or pytest.fail("states")
    ),
    "reports.store": lambda c: [reports.store(c, "proof", body, n) for n, body in enumerate((b"{}", b"[]"))],
    "reports.latest": lambda c: reports.latest(c, "proof") == (b"[]", 1) or pytest.fail("not the newest"),
    "api_keys.lock_account": lambda c: api_keys.lock_account(c, account(0)),
    "api_keys.add_key": lambda c: api_keys.add_key(c, KEY),
    "api_keys.count_keys": lambda c: api_keys.count_keys(c, account(0)) == 1 or pytest.fail("one"),
    "api_keys.key_by_hash": lambda c: api_keys.key_by_hash(c, HASH) or pytest.fail("just made"),
    "api_keys.touch_key": lambda c: api_keys.touch_key(c, "1" * 16, 5),
    "api_keys.keys_json": lambda c: api_keys.keys_json(c, account(0))[0]["used_at_ms"] == 5 or pytest.fail("used"),
    "api_keys.revoke_key": lambda c: api_keys.revoke_key(c, account(0), "1" * 16, 6) or pytest.fail("mine"),
    "sessions.sessions_json": lambda c: sessions.sessions_json(c, account(0), HASH, sessions.Alive(1, 0)),
    "sessions.delete_sessions": lambda c: sessions.delete_sessions(c, account(0)),
    "server_time.now_ms": lambda c: abs(server_time.now_ms(c) - time.time() * 1000) < 5_000 or pytest.fail("hours off"),
    "sessions.replace": lambda c: sessions.replace(c, sessions.NewSession(HASH, account(0), 1, 9), "a" * 64, 0),
    "sessions.session": lambda c: sessions.session(c, HASH) or pytest.fail("just made"),
    "sessions.touch": lambda c: sessions.touch(c, HASH, 5),
    "sessions.delete_session": lambda c: sessions.delete_session(c, HASH),
    "sessions.add_nonce": lambda c: sessions.add_nonce(c, sessions.NewNonce("n", HASH, "{}", 9), 1),
    "sessions.take_nonce": lambda c: sessions.take_nonce(c, "n", HASH) or pytest.fail("just made"),
}


def in_source() -> Iterator[str]:
    """Every public function of the persistence package that is given a connection."""
    for path in PERSISTENCE.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                given = [ast.unparse(each.annotation) for each in node.args.args if each.annotation is not None]
                if "Connection" in given and path.stem != "connecting":
                    yield f"{path.stem}.{node.name}"


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with database_of(request.param, request, tmp_path) as database:
        yield database


def test_every_function_that_speaks_to_the_database_has_its_line() -> None:
    assert set(in_source()) == set(STEPS)


def test_nobody_else_writes_sql_as_text() -> None:
    allowed = {
        "bulk.py": "exec_driver_sql",
        "connecting.py": "exec_driver_sql",
        "stalled.py": "text",
    }  # PostgreSQL's own
    for path in PERSISTENCE.glob("*.py"):
        if path.name == "tables.py":
            continue  # its `text` is a column
        calls = {
            node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute))
        }
        assert calls & {"exec_driver_sql", "text", "literal_column"} <= {allowed.get(path.name, "")}, path.name


def test_every_function_runs(database: Database) -> None:
    with database.transaction() as connection:
        fund(connection, range(2))
        list_tokens(connection, range(3), updated_at_ms=5)
    for name, step in STEPS.items():
        with database.transaction() as connection:
            try:
                step(connection)
            except Exception as error:
                error.add_note(f"in {name}")
                raise
