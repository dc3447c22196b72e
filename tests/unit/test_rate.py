"""Token buckets: how many requests, how soon again, and what the headers say."""

import pytest

from blitzhub.api.rate import Limiter, Policy

POLICY = Policy("test", burst=3, refill_ms=1_000)


def test_a_burst_is_allowed_and_then_one_request_per_refill() -> None:
    limiter = Limiter()
    verdicts = [limiter.take(POLICY, "a", 0) for _ in range(4)]
    assert [verdict.allowed for verdict in verdicts] == [True, True, True, False]
    assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]
    assert verdicts[3].headers["Retry-After"] == "1"
    assert not limiter.take(POLICY, "a", 999).allowed
    assert limiter.take(POLICY, "a", 1_000).allowed
    assert not limiter.take(POLICY, "a", 1_001).allowed


def test_a_refused_request_costs_nothing() -> None:
    limiter = Limiter()
    for _ in range(50):
        limiter.take(POLICY, "a", 0)
    assert [limiter.take(POLICY, "a", 3_000).allowed for _ in range(4)] == [True, True, True, False]


def test_nobody_uses_up_anothers_requests_or_another_policys() -> None:
    limiter = Limiter()
    for _ in range(5):
        limiter.take(POLICY, "a", 0)
    assert limiter.take(POLICY, "b", 0).allowed
    assert limiter.take(Policy("other", burst=1, refill_ms=1), "a", 0).allowed


@pytest.mark.parametrize("now_ms", [0, 1, 999, 1_000, 5_000])
def test_the_wait_that_is_told_is_enough(now_ms: int) -> None:
    limiter = Limiter()
    for at_ms in (0, 0, 0, now_ms, now_ms, now_ms, now_ms):
        verdict = limiter.take(POLICY, "a", at_ms)
    assert not verdict.allowed
    assert limiter.take(POLICY, "a", now_ms + 1_000 * verdict.wait_s).allowed


def test_a_clock_that_goes_back_locks_nobody_out_for_long() -> None:
    limiter = Limiter()
    limiter.take(POLICY, "a", 10_000)
    assert limiter.take(POLICY, "a", 9_000).allowed
