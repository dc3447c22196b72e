"""Settlement on a chain that fails all the while; the long form is `make faulty`."""

from pathlib import Path

from tests import faulty


async def test_every_trade_on_a_failing_chain_ends_confirmed_and_is_there_exactly_once(tmp_path: Path) -> None:
    outcome = await faulty.run(tmp_path, trades=100, tokens=3, accounts=10, limit_s=60)
    assert outcome.exactly_once, outcome
    assert len(outcome.on_chain) == 100
