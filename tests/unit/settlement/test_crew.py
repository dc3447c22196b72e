"""Who lives and whose a settlement is, as one settlement worker sees it."""

from collections import Counter

from engine.persistence.heartbeats import GONE, Heartbeat
from engine.settlement.crew import SILENT_MS, STALE_MS, Crew

NOW_MS = 1_000_000
IDS = [f"{number:032x}" for number in range(300)]


def crew(name: str, *others: str) -> Crew:
    made = Crew(name)
    made.observe({other: Heartbeat(1, NOW_MS) for other in others}, NOW_MS)
    return made


def test_every_settlement_belongs_to_exactly_one_of_the_living() -> None:
    names = ("a", "b", "c")
    crews = [crew(name, *(other for other in names if other != name)) for name in names]
    owners = [[each.name for each in crews if each.is_mine(settlement)] for settlement in IDS]
    assert {len(found) for found in owners} == {1}
    assert min(Counter(found[0] for found in owners).values()) > len(IDS) // 6


def test_a_worker_alone_does_everything() -> None:
    assert all(Crew("a").is_mine(settlement) for settlement in IDS)


def test_a_worker_whose_beats_stand_still_is_gone_and_comes_back_with_its_next_beat() -> None:
    made = crew("a", "b")
    made.observe({"b": Heartbeat(1, NOW_MS)}, NOW_MS + SILENT_MS)
    assert (made.living, made.gone) == (("a", "b"), ())
    made.observe({"b": Heartbeat(1, NOW_MS)}, NOW_MS + SILENT_MS + 1)
    assert (made.living, made.gone) == (("a",), ("b",))
    made.observe({"b": Heartbeat(2, NOW_MS)}, NOW_MS + SILENT_MS + 2)
    assert (made.living, made.gone) == (("a", "b"), ())


def test_an_orderly_end_and_a_stale_stranger_are_gone_at_once() -> None:
    made = crew("a", "b")
    made.observe({"b": Heartbeat(GONE, NOW_MS + 1), "old": Heartbeat(9, NOW_MS - STALE_MS - 1)}, NOW_MS + 1)
    assert (made.living, made.gone) == (("a",), ("b", "old"))


def test_a_clock_that_differs_makes_nobody_dead_who_beats() -> None:
    made = Crew("a")
    for beats in range(1, 5):
        made.observe({"b": Heartbeat(beats, 0)}, NOW_MS + beats * 1_000)
    assert made.living == ("a", "b")


def test_one_of_the_living_leads() -> None:
    assert [crew("a", "b").leads, crew("b", "a").leads] == [True, False]
    assert Crew("z").leads
