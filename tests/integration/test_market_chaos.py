"""The short form of `make chaos`: a hundred clients, the bus cut twice, frames lost, a stream process restarted."""

from pathlib import Path

from tests.chaos.run import Options, run


async def test_every_client_ends_with_what_stands_in_the_database(tmp_path: Path) -> None:
    options = Options(
        seconds=16, sockets=120, tokens=8, trades_per_s=25, lost_percent=2, cut_s=3, drain_s=2, agree_limit_s=30
    )
    found = await run(options, tmp_path)
    assert found["wrong"] == 0, found
    assert found["trades_missed"] == 0, found
    assert min(found["frames_lost"], found["gaps"], found["resumed"], found["lost_last"]) > 0, found
    assert found["sent_away"] > 0, found
