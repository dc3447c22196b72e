"""One schedule from its seed to its verdict."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import patch

import async_solipsism
from sqlalchemy import text

from engine.accounts.accounts import Account, get_or_create
from engine.identifiers import AccountId, TokenAddress
from engine.ledger.reconciliation import Reconciler
from engine.ledger.replay import replay
from engine.services import Services
from engine.trading.launch import LaunchRequest, request_launch
from engine.units import LAMPORTS_PER_SOL
from tests.market_data import address
from tests.simulation.clients import Trader
from tests.simulation.database import Disk
from tests.simulation.hosts import Chaos, Host, Likelihood, Log, now
from tests.simulation.world import Platform

ACCOUNTS: Final = 3
TOKENS: Final = 2
ORDERS_EACH: Final = 4
OPENING_LIMIT_S: Final = 30.0
SETTLING_LIMIT_S: Final = 180.0
POLL_S: Final = 0.25
LIKELIHOOD: Final = Likelihood(kill=0.012, freeze=0.008, fail=0.03, delay=0.03)


@dataclass(slots=True)
class Verdict:
    """What a schedule came to. Exact when `problems` is empty."""

    seed: int
    digest: str
    orders: int
    fills: int
    faults: dict[str, int]
    virtual_s: float
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    log: list[str] | None = None

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing doubled, exact to the last unit."""
        return not (self.lost or self.doubled or self.problems)


class _Loop(async_solipsism.EventLoop):
    """Virtual time, and what the code hands to a thread done at once: nothing else runs meanwhile there either."""

    async def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """Call it here."""
        return func(*args)


def run(seed: int, keep_log: bool = False) -> Verdict:
    """Run the schedule of this seed."""
    loop = _Loop()
    ids = random.Random(f"ids {seed}")
    state = random.getstate()
    random.seed(seed)
    try:
        with patch("uuid.uuid4", lambda: uuid.UUID(int=ids.getrandbits(128), version=4)):
            return loop.run_until_complete(_run(seed, keep_log))
    finally:
        random.setstate(state)
        loop.close()


async def _run(seed: int, keep_log: bool) -> Verdict:
    rng = random.Random(f"schedule {seed}")
    log = Log(keep_log)
    chaos = Chaos(random.Random(f"chaos {seed}"), LIKELIHOOD, log)
    platform = Platform(seed, chaos)
    platform.start()
    try:
        observer = platform.services(Host("observer", Chaos(rng, Likelihood(), log)))
        accounts, tokens = await _opened(observer, platform)
        traders = [Trader(platform, account, tokens, random.Random(f"{seed} {account.wallet}")) for account in accounts]
        chaos.calm = False
        await asyncio.gather(*(trader.trade(ORDERS_EACH, chaos) for trader in traders))
        chaos.calm = True
        verdict = Verdict(seed, "", 0, 0, chaos.counts, 0.0)
        await _settled(platform, verdict)
        await _judge(platform, observer, traders, verdict)
        log.add(repr(_state(platform)))
        verdict.digest, verdict.virtual_s, verdict.log = log.digest, now(), log.lines
        return verdict
    finally:
        await platform.stop()


async def _opened(services: Services, platform: Platform) -> tuple[list[Account], list[TokenAddress]]:
    """Accounts with deposits and launched tokens, everything by the product's own ways."""
    accounts = [await get_or_create(services, AccountId(address(70_000 + one)), True) for one in range(ACCOUNTS)]
    for account in accounts:
        await services.chain.airdrop(account.wallet, 10 * LAMPORTS_PER_SOL)
    await _until(platform, "SELECT count(*) FROM balances WHERE amount > 0", ACCOUNTS, OPENING_LIMIT_S)
    tokens = []
    for number in range(TOKENS):
        request = LaunchRequest(str(uuid.UUID(int=number, version=4)), f"Token {number}", f"TOKEN{number}")
        tokens.append(await request_launch(services, accounts[number].account_id, request))
    await _until(platform, "SELECT count(*) FROM tokens WHERE stage = 'curve'", TOKENS, OPENING_LIMIT_S)
    return accounts, tokens


async def _until(platform: Platform, query: str, wanted: int, limit_s: float) -> None:
    deadline_s = now() + limit_s
    while _count(platform, query) != wanted:
        if now() > deadline_s:
            raise TimeoutError(f"{query} was {_count(platform, query)}, expected {wanted}; {platform.crashes}")
        await asyncio.sleep(POLL_S)


def _count(platform: Platform, query: str) -> int:
    with platform.disk.snapshot() as connection:
        return int(connection.execute(text(query)).scalar_one())


async def _settled(platform: Platform, verdict: Verdict) -> None:
    """Wait in calm weather until nothing is under way any more."""
    deadline_s = now() + SETTLING_LIMIT_S
    unsettled = "SELECT count(*) FROM settlements WHERE state <> 'confirmed'"
    while platform.exchange.waiting or _count(platform, unsettled):
        if now() > deadline_s:
            verdict.problems.append(
                f"{platform.exchange.waiting} orders wait and {_count(platform, unsettled)} settlements are open"
            )
            return
        await asyncio.sleep(POLL_S)
    await asyncio.sleep(2.0)  # what was sent late and twice would land now


async def _judge(platform: Platform, services: Services, traders: list[Trader], verdict: Verdict) -> None:
    rows = _state(platform)
    final = Counter(row["order_id"] for row in rows["orders"])
    filled = {row["order_id"] for row in rows["orders"] if row["state"] == "filled"}
    accepted = [ordered.order_id for trader in traders for ordered in trader.orders if ordered.accepted]
    memos = Counter(
        (each.memo or "").partition("bh1:")[2] for each in platform.cluster.landed() if each.error is None and each.memo
    )
    verdict.orders, verdict.fills = len(accepted), len(filled)
    verdict.lost = [each for each in accepted if final[each] == 0] + [each for each in filled if memos[each] == 0]
    verdict.doubled = [each for each in final if final[each] > 1] + [each for each in memos if memos[each] > 1]
    verdict.problems += [str(each) for each in (await Reconciler(services).check()).findings]
    verdict.problems += replay(platform.disk, Disk("replayed"))[1]  # type: ignore[arg-type]  # a disk has the two blocks
    verdict.problems += platform.crashes


def _state(platform: Platform) -> dict[str, list[dict[str, Any]]]:
    """Every row of the ledger, in a stated order."""
    ordered = {
        "orders": "order_id",
        "trades": "token, seq",
        "transfers": "transfer_id",
        "balances": "account_id, asset",
        "settlements": "settlement_id",
    }
    with platform.disk.snapshot() as connection:
        return {
            name: [dict(row) for row in connection.execute(text(f"SELECT * FROM {name} ORDER BY {keys}")).mappings()]
            for name, keys in ordered.items()
        }
