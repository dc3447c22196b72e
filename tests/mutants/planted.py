"""Bugs as exact changes of today's source, each with the tests that must fail.

`MUTANTS` are those that peers in this field shipped, `LEDGER_MUTANTS` some that only the plain model is asked to find.
"""

from dataclasses import dataclass
from typing import Final

WORKER: Final = "engine/trading/worker.py"
STATEMENTS: Final = "engine/persistence/trading.py"
CONFIRMING: Final = "engine/settlement/confirming.py"
LANE: Final = "engine/adapters/rabbitmq/lane.py"

TRADING: Final = "tests/integration/trading"
SETTLEMENT: Final = "tests/integration/test_settlement.py"
MACHINE: Final = ("tests/property/test_ledger_machine.py",)
BROKER: Final = "tests/contract/test_broker_rabbitmq.py::TestRabbitBroker"
QUOTES: Final = (
    "tests/unit/curve/test_quotes.py",
    "tests/unit/curve/test_terms.py",
    "tests/unit/curve/test_vectors.py",
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`before` stands in the file exactly once and becomes `after`; one of `tests` fails then."""

    name: str
    path: str
    before: str
    after: str
    tests: tuple[str, ...]


MUTANTS: Final = (
    Mutant(
        "ack before commit",
        WORKER,
        "                messages = await self._execute_until_done(batch)\n",
        "                await consumer.ack(batch)\n                messages = await self._execute_until_done(batch)\n",
        (f"{TRADING}/test_worker.py::test_a_database_error_is_retried_and_nothing_is_acknowledged_before[sqlite]",),
    ),
    Mutant(
        "publish before commit",
        WORKER,
        "        rows.write(connection, batch.changes)\n        crash_points.after(Point.WRITTEN)\n",
        "        rows.write(connection, batch.changes)\n        self._bus.publish(batch.changes.messages)\n"
        "        crash_points.after(Point.WRITTEN)\n",
        (
            f"{TRADING}/test_worker.py::test_events_are_published_after_the_commit_and_do_not_wait_for_the_acknowledgement[sqlite]",
        ),
    ),
    Mutant(
        "no unique key",
        "engine/persistence/migrations/versions/0001_the_first_tables.py",
        "    sa.PrimaryKeyConstraint('order_id')\n    )\n    op.create_index('ix_orders_account'",
        "    )\n    op.create_index('ix_orders_account'",
        (f"{TRADING}/test_worker.py::test_a_rejected_order_that_comes_again_unmarked_is_recorded_once[sqlite]",),
    ),
    Mutant(
        "balances read outside the lock",
        STATEMENTS,
        'select_by_keys(connection, BALANCES, ("account_id", "asset"), keys, lock=True)',
        'select_by_keys(connection, BALANCES, ("account_id", "asset"), keys)',
        (f"{TRADING}/test_contention.py::test_two_that_move_one_balance_at_once_both_move_it",),
    ),
    Mutant(
        "floor on cost",
        "engine/curve/quotes.py",
        "    cost = curve.cost(supply, supply_after, Rounding.UP)\n",
        "    cost = curve.cost(supply, supply_after, Rounding.DOWN)\n",
        QUOTES,
    ),
    Mutant(
        "float fee",
        "engine/curve/fees.py",
        "        total = -(-gross_lamports * self.fee_bps // BPS_PER_ONE)\n",
        "        total = -int(-gross_lamports * (self.fee_bps / BPS_PER_ONE) // 1)\n",
        QUOTES,
    ),
    Mutant(
        "re-sign without proven expiry",
        CONFIRMING,
        "        return [flight for flight in missing if flight.signature in expired], tip.slot\n",
        "        return list(missing), tip.slot\n",
        ("tests/unit/settlement/test_confirming.py",),
    ),
    Mutant(
        "returns not raised",
        "engine/adapters/rabbitmq/broker.py",
        "                mandatory=True,\n",
        "                mandatory=False,\n",
        (f"{BROKER}::test_a_queue_that_was_never_declared_refuses_and_queues_nothing",),
    ),
    Mutant(
        "single nack",
        LANE,
        "        redelivered = bool(delivery.redelivered)\n",
        "        redelivered = bool(delivery.redelivered)\n"
        "        if delivery.delivery_tag == 2 and not redelivered:\n"
        "            await message.channel.basic_nack(2, requeue=True)\n"
        "            return\n",
        (f"{BROKER}::test_orders_of_a_token_arrive_in_the_order_they_were_published",),
    ),
    Mutant(
        "lock order reversed",
        STATEMENTS,
        "    tokens = lock_tokens(connection, (order.token for order in orders))\n"
        "    keys: set[BalanceKey] = {(order.account_id, SOL) for order in orders}\n"
        "    keys.update((order.account_id, order.token) for order in orders if order.token in tokens)\n"
        "    return Locked(tokens, lock_balances(connection, keys), _running_candles(connection, tokens, now_ms))\n",
        "    keys: set[BalanceKey] = {(order.account_id, SOL) for order in orders}\n"
        "    keys.update((order.account_id, order.token) for order in orders)\n"
        "    balances = lock_balances(connection, keys)\n"
        "    tokens = lock_tokens(connection, (order.token for order in orders))\n"
        "    return Locked(tokens, balances, _running_candles(connection, tokens, now_ms))\n",
        (f"{TRADING}/test_contention.py::test_a_worker_that_waits_for_a_token_holds_no_balance",),
    ),
    Mutant(
        "confirm without looking at err",
        CONFIRMING,
        "    return status is not None and status.error is None and status.confirmed\n",
        "    return status is not None and status.confirmed\n",
        ("tests/unit/settlement/test_confirming.py",),
    ),
    Mutant(
        "store after send",
        "engine/settlement/sending.py",
        "                await self.send(await self._stored(signed))\n",
        "                await self.send([self._flights.add(settlement) for settlement in signed])\n"
        "                await self._stored(signed)\n",
        (f"{SETTLEMENT}::test_a_worker_killed_at_any_step_leaves_one_effect_on_the_chain",),
    ),
)

BATCH: Final = "engine/trading/batch.py"

LEDGER_MUTANTS: Final = (
    Mutant(
        "creator's part kept twice",
        BATCH,
        '        token["platform_fees_lamports"] += fill.fee_lamports - fill.creator_fee_lamports\n',
        '        token["platform_fees_lamports"] += fill.fee_lamports\n',
        MACHINE,
    ),
    Mutant(
        "surplus of a graduation forgotten",
        BATCH,
        '        token["platform_fees_lamports"] += surplus_lamports\n',
        "",
        MACHINE,
    ),
    Mutant(
        "rent written and not taken",
        BATCH,
        '        sol["amount"] -= rent_lamports\n',
        "",
        MACHINE,
    ),
    Mutant(
        "withdrawal taken back without its cost",
        "engine/ledger/withdrawals.py",
        '    booking.move("refund_cost", SOL, cost_lamports, withdrawal["wallet"])\n',
        "",
        MACHINE,
    ),
    Mutant(
        "a known order executed again",
        WORKER,
        "            if order.order_id not in known:\n",
        "            if True:\n",
        MACHINE,
    ),
)
"""Each a few lamports or one number, in a ledger that otherwise looks well."""
