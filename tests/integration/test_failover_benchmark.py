"""The fail-over benchmark's short form on the real servers: every step comes to its end, however long it takes.

How fast is for the benchmark to say; here the benchmark's own patience is the only limit of time.
"""

import json

import pytest

from benchmarks import failover
from tests.rabbit import needs_rabbitmq

pytestmark = pytest.mark.slow


def test_every_order_is_filled_when_a_worker_starts_joins_is_killed_and_is_stopped(
    capsys: pytest.CaptureFixture[str], postgresql_url: str
) -> None:
    needs_rabbitmq()
    assert failover.main(["--tokens", "30", "--sample", "10", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (figures["tokens"], figures["sample"]) == (30, 10)
    for step in ("start", "kill", "stop"):
        assert 0 < figures[f"{step}_first_fill_s"] <= figures[f"{step}_last_fill_s"]
    assert figures["join_s"] > 0
    assert figures["join_longest_wait_s"] > 0
