"""A thief has everything a worker has: its secret for the signer and its database user. Nothing of it pays a stranger.

The signer is the real process (`python -m workers sign`) over a real PostgreSQL, with the users of deploy/database.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from sqlalchemy import insert, update

from engine.adapters.keys_seed import SeedKeyStore
from engine.adapters.signer_http import HttpSigner, SignerUnavailable
from engine.errors import Refusal
from engine.identifiers import SOL, new_id
from engine.persistence import settlements as rows
from engine.persistence.database import Database, DatabaseError
from engine.persistence.switches import Switch, SwitchState, turn
from engine.persistence.tables import SettlementRow, WithdrawalRow
from engine.persistence.trading import SETTLEMENTS
from engine.ports import Signed, SigningRequest
from engine.settlement.settlement import Settlement
from engine.settlement.signer import LocalSigner
from engine.settlement.signing import SignerRefused
from engine.settlement.transactions import ComputeBudget, build, message_bytes
from tests.app import ROOT
from tests.databases import postgresql
from tests.fakes import fake_services, migrated_database
from tests.roles import Server, granted
from tests.settling import Ledger, defaults

BUDGET: Final = ComputeBudget(120_000, 0)
THIEF: Final = str(Keypair.from_seed(bytes([66]) * 32).pubkey())
OWN_WALLET: Final = str(Keypair.from_seed(bytes([55]) * 32).pubkey())
ONE_SOL: Final = 10**9
START_LIMIT_S: Final = 60.0
HOUR_MS: Final = 3_600_000


@dataclass
class Scene:
    """A market, the signer's process before it, and what the thief has."""

    ledger: Ledger
    server: Server
    signer: HttpSigner
    other: HttpSigner
    wallet: str
    token: str
    log: Path
    url: str
    canaries: list[str]

    async def buy(self) -> str:
        """An honest pending trade."""
        return await self.ledger.trade(self.wallet, self.token, "buy", ONE_SOL, 5_000_000)

    @contextmanager
    def as_user(self, role: str) -> Iterator[Any]:
        """A transaction as a process of that kind."""
        database = Database(self.server.url_of(role))
        try:
            with database.transaction() as connection:
                yield connection
        finally:
            database.close()

    def stored(self, settlement_id: str) -> Settlement:
        """The settlement as the thief reads it too."""
        with self.ledger.services.database.snapshot() as connection:
            return rows.by_id(connection, [settlement_id])[settlement_id]

    def forge(self, role: str, **values: Any) -> str:
        """Insert a settlement of one's own making as that user."""
        row = defaults(SettlementRow) | {
            "settlement_id": new_id(),
            "kind": "trade",
            "side": "sell",
            "token": self.token,
            "account_id": self.ledger.account_of(self.wallet),
            "wallet": self.wallet,
            "vault": self.ledger.keys.create(f"vault/{self.token}"),
            "lamports": ONE_SOL,
            "tokens": 1,
            "state": "pending",
        }
        with self.as_user(role) as connection:
            connection.execute(insert(SETTLEMENTS), row | values)
        return str((row | values)["settlement_id"])

    def withdrawal(self, **values: Any) -> str:
        """An honest, released withdrawal, as the web writes it and the settlement worker lets it go."""
        settlement_id = new_id()
        account_id = self.ledger.account_of(self.wallet)
        request = defaults(WithdrawalRow) | {
            "withdrawal_id": settlement_id,
            "account_id": account_id,
            "client_id": "c" * 36,
            "kind": "withdrawal",
            "asset": SOL,
            "amount": ONE_SOL,
            "destination": OWN_WALLET,
            "fee_lamports": 10_000,
        }
        with self.as_user("web") as connection:
            connection.execute(insert(rows.WITHDRAWALS), request | values)
        own = {"kind": "withdrawal", "side": None, "token": SOL, "tokens": 0, "vault": OWN_WALLET}
        return self.forge("web", settlement_id=settlement_id, **own)

    async def asked(self, settlement: Settlement) -> Signed | Refusal:
        """Ask the signer for the message this settlement would have."""
        message = message_bytes(build(settlement, await self.signer.fee_payer(), "1" * 32, BUDGET))
        [answer] = await self.signer.sign([SigningRequest(settlement.settlement_id, message)])
        return answer


@contextmanager
def signer_process(environment: dict[str, str], log: Path) -> Iterator[None]:
    """The signer while the block runs; it is told to stop in the end and must."""
    command = [sys.executable, "-m", "workers", "sign"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=out, stderr=out)
    try:
        limit_s = time.monotonic() + START_LIMIT_S
        while "the fee payer is" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < limit_s, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_LIMIT_S) == 0, log.read_text()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgresql() as url, granted(url) as server:
        yield server


@dataclass(frozen=True)
class Running:
    """The signer's process: where its keys, socket and log are, and the two secrets it knows."""

    directory: Path
    web_secret: str
    settle_secret: str

    @property
    def url(self) -> str:
        return f"unix:{self.directory / 'signer.sock'}"

    @property
    def seed(self) -> Path:
        return self.directory / "keys.seed"

    @property
    def log(self) -> Path:
        return self.directory / "signer.log"


@pytest.fixture(scope="module")
def running(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    web_secret, settle_secret = (f"canary-{secrets.token_urlsafe(32)}" for _ in range(2))
    made = Running(tmp_path_factory.mktemp("signer"), web_secret, settle_secret)
    environment = {
        "BLITZ_DATABASE_URL": server.url_of("sign"),
        "BLITZ_BROKER_URL": "amqp://unused",
        "BLITZ_SIGNER_URL": made.url,
        "BLITZ_KEYS_URL": f"seed:{made.seed}",
        "BLITZ_SIGNER_WEB_TOKEN": web_secret,
        "BLITZ_SIGNER_SETTLE_TOKEN": settle_secret,
    }
    with signer_process(environment, made.log):
        yield made


@pytest.fixture
async def scene(server: Server, running: Running, tmp_path: Path) -> AsyncIterator[Scene]:
    database = Database(server.url)
    with fake_services(tmp_path, migrated_database(tmp_path)) as fakes:
        local = LocalSigner(SeedKeyStore(running.seed), database, fakes.clock, BUDGET)
        ledger = Ledger(replace(fakes, database=database, signer=local))
        wallet = ledger.account(new_id(), 10 * ONE_SOL)
        token = await ledger.launch(wallet)
        thiefs, web = HttpSigner(running.url, running.settle_secret), HttpSigner(running.url, running.web_secret)
        canaries = [running.web_secret, running.settle_secret, running.seed.read_text().strip()]
        yield Scene(ledger, server, thiefs, web, wallet, token, running.log, running.url, canaries)
        await thiefs.close()
        await web.close()
    database.close()


async def test_what_is_honest_is_signed(scene: Scene) -> None:
    for settlement_id in (await scene.buy(), scene.withdrawal()):
        answer = await scene.asked(scene.stored(settlement_id))
        assert isinstance(answer, Signed), answer
        assert all(VersionedTransaction.from_bytes(answer.transaction).verify_with_results())


@pytest.mark.parametrize("role", ["trade", "settle"])
async def test_no_row_that_a_worker_can_write_pays_a_stranger(scene: Scene, role: str) -> None:
    strange_account = str(Pubkey.from_string(THIEF))
    forged = [
        scene.forge(role, wallet=THIEF),
        scene.forge(role, wallet=THIEF, account_id=strange_account),
        scene.forge(role, wallet=THIEF, token=THIEF),
        scene.forge(role, side="buy", vault=THIEF),
        scene.forge(role, kind="launch", side=None, vault=THIEF),
        scene.forge(role, kind="withdrawal", side=None, token=SOL, tokens=0, vault=THIEF),
        scene.forge(role, kind="withdrawal", side=None, lamports=0, vault=THIEF),
        scene.forge(role, kind="transfer", side=None, token=SOL, tokens=0, vault=THIEF),
    ]
    with scene.ledger.services.database.snapshot() as connection:
        found = rows.by_id(connection, forged)
    for settlement_id in forged:
        answer = await scene.asked(found[settlement_id])
        assert isinstance(answer, SignerRefused), (found[settlement_id], answer)
    log = scene.log.read_text()
    assert all(f"settlement='{each}'" in log for each in forged), "each refusal is a line in the audit log"


async def test_no_message_of_ones_own_passes_for_an_honest_row(scene: Scene) -> None:
    bought, withdrawn = scene.stored(await scene.buy()), scene.stored(scene.withdrawal())
    for honest in (bought, withdrawn):
        for changes in ({"vault": THIEF}, {"wallet": THIEF}, {"lamports": 5 * ONE_SOL}, {"token": THIEF, "tokens": 5}):
            answer = await scene.asked(replace(honest, **changes))  # type: ignore[arg-type]
            assert isinstance(answer, SignerRefused), (changes, answer)


@pytest.mark.parametrize("role", ["trade", "settle"])
async def test_a_request_to_pay_out_cannot_be_bent(scene: Scene, role: str) -> None:
    withdrawn = scene.withdrawal()
    for values in ({"destination": THIEF}, {"amount": 1}, {"account_id": THIEF}):
        statement = update(rows.WITHDRAWALS).where(rows.WITHDRAWALS.c.withdrawal_id == withdrawn).values(values)
        with pytest.raises(DatabaseError, match="permission denied"), scene.as_user(role) as connection:
            connection.execute(statement)
    bent = update(SETTLEMENTS).where(SETTLEMENTS.c.settlement_id == withdrawn).values(vault=THIEF)
    with pytest.raises(DatabaseError, match="permission denied"), scene.as_user(role) as connection:
        connection.execute(bent)
    assert isinstance(await scene.asked(replace(scene.stored(withdrawn), vault=THIEF)), SignerRefused)


async def test_neither_the_delay_nor_the_freeze_can_be_passed_over(scene: Scene) -> None:
    early = scene.withdrawal(release_at_ms=int(time.time() * 1000) + HOUR_MS)
    answer = await scene.asked(scene.stored(early))
    assert isinstance(answer, SignerUnavailable)
    assert "not due" in answer.reason
    with scene.as_user("reconcile") as connection:
        turn(connection, Switch.WITHDRAWALS_FROZEN, SwitchState(True, "a lamport is missing", "reconcile", 1))
    try:
        answer = await scene.asked(scene.stored(scene.withdrawal()))
        assert isinstance(answer, SignerUnavailable)
        assert "frozen" in answer.reason
    finally:
        with scene.as_user("reconcile") as connection:
            turn(connection, Switch.WITHDRAWALS_FROZEN, SwitchState(False, "found", "operator", 2))


async def test_a_workers_secret_makes_no_keys_and_the_webs_signs_nothing(scene: Scene) -> None:
    with pytest.raises(SignerUnavailable, match="403 forbidden"):
        await scene.signer.create_key(f"wallet/{THIEF}")
    honest = scene.stored(await scene.buy())
    message = message_bytes(build(honest, await scene.other.fee_payer(), "1" * 32, BUDGET))
    with pytest.raises(SignerUnavailable, match="403 forbidden"):
        await scene.other.sign([SigningRequest(honest.settlement_id, message)])


async def test_the_signer_tells_no_secret_to_its_log_or_its_callers(scene: Scene) -> None:
    answers = [await scene.asked(scene.stored(scene.forge("settle", wallet=THIEF)))]
    for caller in (HttpSigner(scene.url, "wrong"), scene.other):
        try:
            await caller.sign([SigningRequest("x", b"y")])
        except SignerUnavailable as error:
            answers.append(error)
        if caller is not scene.other:
            await caller.close()
    told = scene.log.read_text() + "".join(map(repr, answers)) + "".join(map(str, answers))
    assert len(answers) == 3
    assert len(scene.canaries) == 3
    for canary in scene.canaries:
        assert canary not in told


@pytest.mark.parametrize(
    "values", [{"vault": THIEF}, {"lamports": 2 * ONE_SOL}, {"kind": "transfer"}, {"rent_lamports": ONE_SOL}]
)
async def test_a_settlement_that_is_not_what_was_asked_for_is_refused_whoever_wrote_it(
    scene: Scene, values: dict[str, Any]
) -> None:
    withdrawn = scene.withdrawal()
    with scene.ledger.services.database.transaction() as connection:
        connection.execute(update(SETTLEMENTS).where(SETTLEMENTS.c.settlement_id == withdrawn).values(values))
    assert isinstance(await scene.asked(scene.stored(withdrawn)), SignerRefused)
