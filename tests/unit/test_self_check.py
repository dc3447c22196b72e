"""The table of what is configured and answers, which shows no secret."""

import asyncio
import sys
from pathlib import Path
from subprocess import run

import pytest

from engine import bootstrap, metrics, self_check
from engine.errors import Unavailable
from engine.self_check import Part, ask, configured, masked, table
from engine.settings import Settings, load

SECRETS = {
    "BLITZ_DATABASE_URL": "postgresql+psycopg://ann:geheim@db:5432/blitz?password=geheim",
    "BLITZ_BROKER_URL": "amqp://ann:geheim@rabbit:5672/",
    "BLITZ_REDIS_URL": "redis://:geheim@cache:6379/0",
    "BLITZ_SIGNER_URL": "https://signer:9000",
    "BLITZ_SIGNER_TOKEN": "geheim",
    "BLITZ_SIGNER_WEB_TOKEN": "geheim",
    "BLITZ_SIGNER_SETTLE_TOKEN": "geheim",
    "BLITZ_DATABASE_WALLET_PASSWORD": "geheim",
    "BLITZ_SOLANA_RPC_URL": "https://rpc.example/geheim/?api-key=geheim",
    "BLITZ_SOLANA_WS_URL": "wss://rpc.example/geheim",
    "BLITZ_SOLANA_FALLBACKS": "https://a/geheim wss://a/geheim, https://b/?k=geheim wss://b",
}


async def answers() -> None:
    await asyncio.sleep(0)


async def is_away() -> None:
    raise Unavailable("The part is\naway.")


async def hangs() -> None:
    await asyncio.sleep(60)


async def test_each_part_is_asked_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_check, "ANSWER_LIMIT_S", 0.01)
    parts = [Part(name, "BLITZ_X", "there", asked) for name, asked in enumerate_parts()]
    found = {each.part.name: each for each in await ask(parts)}
    assert [name for name, each in found.items() if each.is_missing] == ["away", "hanging"]
    assert found["away"].words == "MISSING: The part is away."
    assert found["hanging"].words.startswith("MISSING: no answer")
    shown = table(list(found.values()), Settings())
    assert [line.split()[0] for line in shown.splitlines() if line][:5] == ["part", "good", "away", "hanging", "own"]


def enumerate_parts() -> list[tuple[str, object]]:
    return [("good", answers), ("away", is_away), ("hanging", hangs), ("own", None)]


def test_what_is_set_is_told_and_no_secret() -> None:
    told = configured(load(SECRETS))
    assert SECRETS.keys() <= told.keys()
    assert "geheim" not in str(told)
    assert told["BLITZ_DATABASE_URL"] == "postgresql+psycopg://db:5432/blitz"
    assert told["BLITZ_SOLANA_FALLBACKS"] == "https://a wss://a, https://b wss://b"
    assert told["BLITZ_SIGNER_TOKEN"] == "(set, not shown)"


@pytest.mark.parametrize("plain", ["sqlite", "unix:/run/signer.sock", "memory://", "seed:.blitz/keys.seed", "EU-BE-01"])
def test_what_is_no_secret_is_shown_as_it_is(plain: str) -> None:
    assert masked(plain) == plain


def test_the_command_says_what_is_missing_and_how_it_ended(tmp_path: Path) -> None:
    environment = {"BLITZ_DATA_DIR": str(tmp_path), "BLITZ_SOLANA_RPC_URL": "http://127.0.0.1:1", "PATH": "/usr/bin"}
    command = [sys.executable, "-m", "workers", "check"]
    found = run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 1, found.stderr
    lines = {line.split("  ")[0]: line for line in found.stdout.splitlines()}
    assert "MISSING" in lines["chain"]
    assert "MISSING" not in lines["database"]
    assert not [*tmp_path.iterdir()], "looking makes nothing"
    wrong = run(
        command, env=environment | {"BLITZ_FEE_BPS": "x"}, capture_output=True, text=True, check=False, timeout=60
    )
    assert (wrong.returncode, wrong.stdout) == (2, "")


async def test_looking_leaves_the_figures_of_the_process_alone(tmp_path: Path) -> None:
    (tmp_path / "blitzhub.db").touch()
    metrics.statements.by(lambda: 7.0)
    settings = load({"BLITZ_DATA_DIR": str(tmp_path), "BLITZ_SOLANA_RPC_URL": "http://127.0.0.1:1"})
    answers = await bootstrap.check(settings)
    assert [each.part.name for each in answers if each.is_missing] == ["chain"]
    assert [sample.value for family in metrics.statements.collect() for sample in family.samples] == [7.0]
