"""A subscriber that does not read is cut off instead of filling the node's memory."""

from engine.localnet.server import Outbox


async def test_a_subscriber_that_lets_its_outbox_run_full_is_cut_off() -> None:
    cut_offs: list[bool] = []
    outbox = Outbox(lambda: cut_offs.append(True), limit=2)
    outbox.tell({"n": 1})
    outbox.tell({"n": 2})
    assert not cut_offs
    outbox.tell({"n": 3})
    assert cut_offs
