"""A process that starts while a server is away or wants another password: one sentence with its setting, and an end.

Whoever keeps processes running starts it again, so nothing waits inside it.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from tests import rabbit
from tests.app import ROOT, free_port, needs_frontend
from tests.databases import POSTGRESQL_URL
from tests.servers import postgresql_cluster

APP, TRADE = ["blitzhub"], ["workers", "trade"]
LIMIT_S = 90.0


async def started(command: list[str], data: Path, **settings: str) -> tuple[int, list[str]]:
    """The exit status of a process and the lines it said."""
    environment = os.environ | {
        "BLITZ_DATA_DIR": str(data),
        "BLITZ_DATABASE_URL": POSTGRESQL_URL,
        "BLITZ_BROKER_URL": rabbit.URL,
        "BLITZ_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, cwd=ROOT, env=environment, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode().splitlines()


def assert_told(status: int, lines: list[str], setting: str, words: str) -> None:
    assert status == 1, lines
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"{setting}: ")
    assert words in lines[0]
    assert "hidden" not in lines[0]


async def test_each_server_that_cannot_be_used_is_one_sentence_with_its_setting(
    tmp_path: Path, postgresql_url: str
) -> None:
    rabbit.needs_rabbitmq()
    needs_frontend()
    port = free_port()
    no_database = {"BLITZ_DATABASE_URL": f"postgresql+psycopg://me:hidden@127.0.0.1:{port}/x"}
    no_broker = {"BLITZ_DATABASE_URL": postgresql_url, "BLITZ_BROKER_URL": f"amqp://me:hidden@127.0.0.1:{port}/"}
    shut_broker = no_broker | {"BLITZ_BROKER_URL": rabbit.URL.replace("guest:guest", "guest:hidden")}
    with postgresql_cluster() as cluster:
        shut_database = {"BLITZ_DATABASE_URL": cluster.url(password="hidden")}
        told = await asyncio.gather(
            started(APP, tmp_path, **no_database),
            started(TRADE, tmp_path, **no_database),
            started(TRADE, tmp_path, **shut_database),
            started(TRADE, tmp_path, **no_broker),
            started(TRADE, tmp_path, **shut_broker),
        )
    assert_told(*told[0], "BLITZ_DATABASE_URL", f"127.0.0.1:{port}")
    assert_told(*told[1], "BLITZ_DATABASE_URL", f"127.0.0.1:{port}")
    assert_told(*told[2], "BLITZ_DATABASE_URL", "password authentication failed")
    assert_told(*told[3], "BLITZ_BROKER_URL", f"127.0.0.1:{port}")
    assert_told(*told[4], "BLITZ_BROKER_URL", "ACCESS_REFUSED")


async def test_wrong_settings_end_with_the_status_that_no_start_can_change(tmp_path: Path) -> None:
    told = await asyncio.gather(*(started(command, tmp_path, BLITZ_FEE_BPS="many") for command in (APP, TRADE)))
    assert told == [(2, ["BLITZ_FEE_BPS was 'many', expected a whole number from 0 to 9999"])] * 2
