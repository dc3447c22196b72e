"""Reconciliation while everything moves: explained line by line, no alarm. `make soak` does it for half an hour."""

from pathlib import Path

import pytest

from tests.localnet import running_localnet
from tests.settling import settings_for
from tests.soak import soak

SECONDS = 12


@pytest.mark.slow
async def test_trades_deposits_withdrawals_and_claims_under_way_raise_no_alarm(tmp_path: Path) -> None:
    with running_localnet(tmp_path / "localnet", slot_ms=50) as node:
        settings = settings_for(tmp_path, node, reconcile_ms=2_000, withdrawals_hourly_lamports=2**62)
        tally = await soak(settings, SECONDS, trades_per_s=30)
    assert tally.alarms == []
    assert tally.done["trade"] > 100
    assert tally.checks >= 5
    assert {"buy signed", "sell signed", "arrival not booked yet"} <= set(tally.in_flight), "much was in flight"
