"""The fan-out benchmark's short form: fifty sockets of a real stream process, and of the naive way beside it."""

import json
import shutil

import pytest

from benchmarks import fan_out
from tests.app import needs_frontend

pytestmark = pytest.mark.slow


def test_fifty_sockets_get_every_trade_in_time_and_stalled_ones_cost_little(
    capsys: pytest.CaptureFixture[str],
) -> None:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler (on Debian: apt install gcc libc6-dev)")
    legs = ["--seconds", "3", "--stalled-seconds", "2", "--naive-seconds", "1"]
    assert fan_out.main(["--sockets", "50", "--tokens", "5", "--json", *legs]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (figures["sockets"], figures["dropped"], figures["closed"]) == (50, 0, 0)
    assert 9 < figures["frames_per_s"] < 11
    assert figures["least_bytes"] >= 400
    assert 0 < figures["p50_ms"] <= figures["p99_ms"] < 1_000
    assert figures["stalled_sockets"] == 3
    assert figures["stalled_dropped"] == 0
    assert figures["naive_p99_ms"] > 0


def test_the_app_feeds_its_sockets_while_people_open_pages(capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler (on Debian: apt install gcc libc6-dev)")
    needs_frontend()
    legs = ["--seconds", "3", "--stalled-seconds", "0", "--naive-seconds", "0"]
    people = ["--reflex-sessions", "4", "--reflex-pause-s", "0.5"]
    sockets = ["--sockets", "20", "--tokens", "5", "--frames-per-s", "5"]
    assert fan_out.main(["--mode", "app", "--json", *sockets, *people, *legs]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (figures["sockets"], figures["dropped"], figures["reflex_sessions"]) == (20, 0, 4)
    assert figures["reflex_events_per_s"] > 1
    assert 0 < figures["reflex_p50_ms"] <= figures["reflex_p99_ms"] < 10_000
