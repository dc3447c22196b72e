"""What `make up` says before it starts: one sentence for each server that cannot be used, with its setting."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from engine import settings
from scripts import servers, start, up
from tests import rabbit
from tests.app import ROOT, free_port
from tests.databases import POSTGRESQL_URL


async def said(**urls: str) -> list[str]:
    """What is said about these servers; the others are as the defaults name them, and not looked at."""
    named = {
        "BLITZ_DATABASE_URL": POSTGRESQL_URL,
        "BLITZ_BROKER_URL": rabbit.URL,
        "BLITZ_REDIS_URL": "redis://127.0.0.1:6379/0",
        **urls,
    }
    sentences = await servers.missing(settings.load(named), with_chain="BLITZ_SOLANA_RPC_URL" in urls)
    return [sentence for sentence in sentences if any(name in sentence for name in urls)]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("BLITZ_DATABASE_URL", "postgresql+psycopg://me:hidden@127.0.0.1:{}/x"),
        ("BLITZ_BROKER_URL", "amqp://me:hidden@127.0.0.1:{}/"),
        ("BLITZ_REDIS_URL", "redis://me:hidden@127.0.0.1:{}/0"),
        ("BLITZ_SOLANA_RPC_URL", "http://127.0.0.1:{}"),
    ],
)
async def test_a_server_that_is_not_there_is_one_sentence_with_its_setting(name: str, url: str) -> None:
    port = free_port()
    (sentence,) = await said(**{name: url.format(port)})
    assert sentence.startswith(f"{name}: ")
    assert f"127.0.0.1:{port}" in sentence
    assert "hidden" not in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("BLITZ_DATABASE_URL", "sqlite:///x.db"),
        ("BLITZ_BROKER_URL", "http://127.0.0.1"),
        ("BLITZ_REDIS_URL", "memory://"),
    ],
)
async def test_an_embedded_part_is_no_server(name: str, url: str) -> None:
    (sentence,) = await said(**{name: url})
    assert sentence.startswith(name)


async def test_a_wrong_password_for_the_broker_is_said() -> None:
    rabbit.needs_rabbitmq()
    address = urlsplit(rabbit.URL)
    (sentence,) = await said(BLITZ_BROKER_URL=f"amqp://guest:hidden@{address.hostname}:{address.port}/")
    assert "ACCESS_REFUSED" in sentence
    assert "hidden" not in sentence


async def test_a_database_that_does_not_exist_is_said() -> None:
    (sentence,) = await said(BLITZ_DATABASE_URL=POSTGRESQL_URL.rpartition("/")[0] + "/blitz_never_made")
    assert 'database "blitz_never_made" does not exist' in sentence


async def test_a_redis_that_asks_for_another_password_is_said() -> None:
    (sentence,) = await said(BLITZ_REDIS_URL="redis://nobody:hidden@127.0.0.1:6379/0")
    assert sentence.startswith("BLITZ_REDIS_URL: Redis at 127.0.0.1:6379 cannot be used: ")
    assert "hidden" not in sentence


def test_a_missing_proxy_is_said_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "find_haproxy", lambda: None)
    with pytest.raises(start.CannotStart, match=r"HAProxy is missing.*apt install haproxy"):
        up.prepare_environment()


def test_nothing_starts_when_a_server_is_missing(tmp_path: Path) -> None:
    if up.find_haproxy() is None:
        pytest.skip("HAProxy is not installed (on Debian: apt install haproxy)")
    port = free_port()
    environment = os.environ | {
        "BLITZ_PORT": str(free_port()),
        "BLITZ_EU_PORT": str(free_port()),
        "BLITZ_NA_PORT": str(free_port()),
        "BLITZ_EU_STREAM_PORT": str(free_port()),
        "BLITZ_NA_STREAM_PORT": str(free_port()),
        "BLITZ_DATA_DIR": str(tmp_path),
        "BLITZ_SOLANA_RPC_URL": f"http://127.0.0.1:{port}",
        "BLITZ_DATABASE_URL": f"postgresql+psycopg://me:hidden@127.0.0.1:{port}/x",
        "BLITZ_BROKER_URL": f"amqp://me:hidden@127.0.0.1:{port}/",
        "BLITZ_REDIS_URL": f"redis://:hidden@127.0.0.1:{port}",
    }
    command = [sys.executable, "-m", "scripts.up"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert [line.partition(":")[0] for line in ended.stderr.splitlines() if line.startswith("BLITZ_")] == [
        "BLITZ_DATABASE_URL",
        "BLITZ_BROKER_URL",
        "BLITZ_REDIS_URL",
        "BLITZ_SOLANA_RPC_URL",
    ]
    assert "Traceback" not in ended.stderr
    assert "hidden" not in ended.stderr
