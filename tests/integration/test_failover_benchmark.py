"""The fail-over benchmark's short form on the real servers, and what must hold at any number of tokens."""

import json

import pytest

from benchmarks import failover
from tests.rabbit import needs_rabbitmq

pytestmark = pytest.mark.slow

SERVING_WITHIN_S = 10.0
REPLACED_WITHIN_S = 1.0


def test_a_worker_serves_soon_after_its_start_and_is_replaced_within_a_second(
    capsys: pytest.CaptureFixture[str], postgresql_url: str
) -> None:
    needs_rabbitmq()
    assert failover.main(["--tokens", "60", "--sample", "20", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (figures["tokens"], figures["sample"]) == (60, 20)
    assert 0 < figures["start_first_fill_s"] <= figures["start_last_fill_s"] < SERVING_WITHIN_S
    assert 0 < figures["kill_first_fill_s"] <= figures["kill_last_fill_s"] < REPLACED_WITHIN_S
    assert 0 < figures["stop_first_fill_s"] <= figures["stop_last_fill_s"] < REPLACED_WITHIN_S
    assert figures["join_longest_wait_s"] < figures["join_s"]
