"""Slots reach commitments in order, never early and never unstored; versions show each slot's own state."""

from solders.account import Account
from solders.pubkey import Pubkey
from solders.signature import Signature

from engine.localnet.timeline import BlockhashWindow, ChainPoint, Commitment, Timeline, Timing
from engine.localnet.versions import AccountVersions

TIMING = Timing(confirm_ms=350, finalize_ms=2_000, slot_ms=100)


def _timeline() -> Timeline:
    return Timeline(TIMING, ChainPoint(10, 0), ChainPoint(12, 1), now_ms=0.0)


def test_a_slot_is_confirmed_a_delay_after_its_last_transaction() -> None:
    timeline = _timeline()
    timeline.landed(Signature.new_unique(), 10.0)
    timeline.landed(Signature.new_unique(), 90.0)
    timeline.seal(100.0)
    timeline.stored(12)
    timeline.advance(439.9)
    assert timeline.commitment_of(12) is Commitment.PROCESSED
    assert timeline.next_due_ms() == 440.0
    reached = timeline.advance(440.0)
    assert [slot.point.slot for slot in reached[Commitment.CONFIRMED]] == [12]
    assert len(reached[Commitment.CONFIRMED][0].signatures) == 2
    assert timeline.commitment_of(12) is Commitment.CONFIRMED
    assert timeline.point(Commitment.FINALIZED) == ChainPoint(10, 0)
    assert timeline.advance(2_090.0)[Commitment.FINALIZED][0].point == ChainPoint(12, 1)


def test_a_slot_that_is_not_stored_is_not_confirmed_however_old_it_is() -> None:
    timeline = _timeline()
    timeline.seal(100.0)
    assert timeline.advance(99_999.0) == {Commitment.CONFIRMED: [], Commitment.FINALIZED: []}
    assert timeline.next_due_ms() is None
    timeline.stored(12)
    assert timeline.advance(99_999.0)[Commitment.FINALIZED]


def test_a_later_slot_never_overtakes_an_earlier_one() -> None:
    timeline = _timeline()
    timeline.landed(Signature.new_unique(), 99.0)
    timeline.seal(100.0)
    timeline.seal(100.0)
    timeline.stored(13)
    assert timeline.advance(448.0)[Commitment.CONFIRMED] == []
    assert len(timeline.advance(450.0)[Commitment.CONFIRMED]) == 2


def test_a_blockhash_is_usable_in_its_own_block_and_150_after_it() -> None:
    window = BlockhashWindow(b"salt", [0])
    first = window.latest
    for height in range(1, 151):
        window.open(height)
    assert first in window
    window.open(151)
    assert first not in window
    assert BlockhashWindow(b"salt", [0]).latest == first
    assert BlockhashWindow(b"pepper", [0]).latest != first


def _account(lamports: int) -> Account:
    return Account(lamports, b"", Pubkey.default())


def test_an_account_is_shown_as_it_was_at_each_slot() -> None:
    versions, key = AccountVersions(), Pubkey.new_unique()
    versions.record(key, 5, None, _account(1))
    versions.record(key, 5, _account(1), _account(2))
    versions.record(key, 8, _account(2), None)
    shown = {slot: versions.at(key, slot, None) for slot in (4, 5, 7, 8, 9)}
    assert shown == {4: None, 5: _account(2), 7: _account(2), 8: None, 9: None}
    assert versions.changed_in(8) == [(key, None)]


def test_finalizing_forgets_only_what_nobody_can_ask_for() -> None:
    versions, key = AccountVersions(), Pubkey.new_unique()
    versions.record(key, 5, _account(1), _account(2))
    versions.record(key, 8, _account(2), _account(3))
    versions.finalize(5)
    assert versions.at(key, 6, _account(3)) == _account(2)
    versions.finalize(8)
    assert versions.at(key, 8, _account(3)) == _account(3)
    assert not versions._states
    assert not versions._changed
