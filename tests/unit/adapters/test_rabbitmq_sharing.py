"""Which worker prefers which queue, and who counts as alive."""

from collections import Counter

from engine.adapters.rabbitmq.sharing import (
    GONE_AFTER_S,
    HELLO_AT_MOST_EVERY_S,
    Colleagues,
    Sign,
    preference,
    shares,
)

TOKENS = [f"token{number}" for number in range(600)]
ANN, BEN, EVE = "ann", "ben", "eve"


def owners(workers: set[str]) -> dict[str, str]:
    return {token: preference(token, workers)[0] for token in TOKENS}


def test_every_token_has_one_owner_and_the_same_one_for_everybody() -> None:
    workers = {ANN, BEN, EVE}
    own = {worker: set(shares(TOKENS, workers, worker)[0]) for worker in workers}
    assert set.union(*own.values()) == set(TOKENS)
    assert sum(map(len, own.values())) == len(TOKENS)
    assert all(preference(token, [EVE, BEN, ANN]) == preference(token, workers) for token in TOKENS)


def test_shares_are_of_about_one_size() -> None:
    counts = Counter(owners({ANN, BEN, EVE}).values())
    assert all(0.7 * 200 < count < 1.3 * 200 for count in counts.values()), counts


def test_who_joins_takes_tokens_and_no_other_token_moves() -> None:
    before, after = owners({ANN, BEN}), owners({ANN, BEN, EVE})
    moved = {token for token in TOKENS if before[token] != after[token]}
    assert moved
    assert {after[token] for token in moved} == {EVE}


def test_who_leaves_is_replaced_by_the_next_in_line() -> None:
    for token in TOKENS:
        first, second, _ = preference(token, {ANN, BEN, EVE})
        assert preference(token, {ANN, BEN, EVE} - {first})[0] == second


def test_the_others_tokens_come_in_the_order_of_ones_rank_in_them() -> None:
    workers = {ANN, BEN, EVE}
    own, others = shares(TOKENS, workers, ANN)
    ranks = [preference(token, workers).index(ANN) for token in others]
    assert not set(own) & set(others)
    assert ranks == sorted(ranks)
    assert set(ranks) == {1, 2}


def test_a_worker_alone_owns_everything() -> None:
    assert shares(TOKENS, {ANN}, ANN) == (TOKENS, [])


def test_a_colleague_lives_as_long_as_it_is_heard_of() -> None:
    colleagues = Colleagues(ANN)
    assert colleagues.heard(Sign.HELLO, BEN, 10.0), "it is new"
    assert not colleagues.heard(Sign.HERE, BEN, 11.0), "it is known"
    assert colleagues.alive(11.0 + GONE_AFTER_S - 0.01) == {ANN, BEN}
    assert colleagues.alive(11.0 + GONE_AFTER_S) == {ANN}
    assert colleagues.heard(Sign.HERE, BEN, 20.0), "it is back, and was forgotten"


def test_one_that_says_goodbye_is_gone_at_once() -> None:
    colleagues = Colleagues(ANN)
    colleagues.heard(Sign.HERE, BEN, 1.0)
    assert not colleagues.heard(Sign.BYE, BEN, 1.1)
    assert colleagues.alive(1.1) == {ANN}


def test_ones_own_signs_mean_nothing() -> None:
    colleagues = Colleagues(ANN)
    assert not colleagues.heard(Sign.HELLO, ANN, 1.0)
    assert colleagues.alive(1.0) == {ANN}


def test_all_are_ready_when_each_living_colleague_has_said_so_since_the_last_hello() -> None:
    colleagues = Colleagues(ANN)
    assert colleagues.all_ready(1.0), "nobody else is there"
    colleagues.heard(Sign.HELLO, BEN, 1.0)
    colleagues.heard(Sign.HERE, EVE, 1.0)
    colleagues.heard(Sign.READY, BEN, 1.1)
    assert not colleagues.all_ready(1.1)
    colleagues.heard(Sign.READY, EVE, 1.2)
    assert colleagues.all_ready(1.2)
    colleagues.heard(Sign.HELLO, EVE, 1.3)
    assert not colleagues.all_ready(1.3), "everybody shares anew"


def test_ones_own_hello_makes_the_others_unready() -> None:
    colleagues = Colleagues(ANN)
    colleagues.heard(Sign.READY, BEN, 1.0)
    colleagues.said_hello(1.1)
    assert not colleagues.all_ready(1.1)


def test_a_dead_colleague_is_not_waited_for() -> None:
    colleagues = Colleagues(ANN)
    colleagues.heard(Sign.HELLO, BEN, 1.0)
    assert not colleagues.all_ready(1.0)
    assert colleagues.all_ready(1.0 + GONE_AFTER_S)


def test_hello_is_not_said_too_often() -> None:
    colleagues = Colleagues(ANN)
    assert colleagues.may_say_hello(0.0)
    colleagues.said_hello(100.0)
    assert not colleagues.may_say_hello(100.0 + HELLO_AT_MOST_EVERY_S - 0.1)
    assert colleagues.may_say_hello(100.0 + HELLO_AT_MOST_EVERY_S)


def test_who_said_hello_joins_until_it_is_ready_or_gone() -> None:
    colleagues = Colleagues(ANN)
    colleagues.heard(Sign.HERE, EVE, 0)
    assert not colleagues.somebody_joins(0)
    colleagues.heard(Sign.HELLO, BEN, 0)
    assert colleagues.somebody_joins(1)
    assert not colleagues.somebody_joins(GONE_AFTER_S + 1)
    colleagues.heard(Sign.READY, BEN, 1)
    assert not colleagues.somebody_joins(1)
    colleagues.heard(Sign.HELLO, BEN, 2)
    colleagues.heard(Sign.BYE, BEN, 2)
    assert not colleagues.somebody_joins(2)
