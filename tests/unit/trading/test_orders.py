"""The order as a message: what is written is read, and what is no order of ours is refused."""

import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.identifiers import order_id
from engine.trading.orders import Side, UnreadableOrder, body_hash, decoded
from tests.ledger import make_order

ORDER = make_order(Side.SELL, 2**63 - 1, number=5, who=2, bound=0, deadline_ms=2**62)
RAW: dict[str, Any] = orjson.loads(ORDER.encoded())


@pytest.mark.parametrize("order", [ORDER, make_order(Side.BUY, 1), ORDER._replace(simulated=True)])
def test_a_message_is_read_as_it_was_written(order: Any) -> None:
    assert decoded(order.encoded()) == order


def test_the_order_id_is_computed_and_never_taken_from_the_message() -> None:
    forged = decoded(orjson.dumps({**RAW, "order_id": "0" * 32}))
    assert forged.order_id == order_id(ORDER.account_id, ORDER.client_order_id)


@pytest.mark.parametrize("name", ["amount", "bound", "deadline_ms", "accepted_at_ms"])
@pytest.mark.parametrize("value", [-1, 2**63, 2**64, 1.0, 1e18, 1.5, "1", True, None, [1], {}])
def test_a_figure_of_the_wrong_form_is_refused(name: str, value: object) -> None:
    body = b"{" + orjson.dumps({key: RAW[key] for key in RAW if key != name})[1:-1]
    with pytest.raises(ValueError, match=name):
        decoded(body + b',"%s":%s}' % (name.encode(), str_json(value)))


def str_json(value: object) -> bytes:
    """JSON of a value, integers beyond 64 bits included."""
    return str(value).encode() if type(value) is int else orjson.dumps(value)


@pytest.mark.parametrize("name", ["account", "client_order_id", "token", "body_hash"])
@pytest.mark.parametrize("value", ["", "x" * 45, 7, None, True, ["a"], {"a": 1}])
def test_a_text_of_the_wrong_form_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        decoded(orjson.dumps({**RAW, name: value}))


@pytest.mark.parametrize("name", sorted(RAW))
def test_a_missing_field_is_refused(name: str) -> None:
    with pytest.raises(UnreadableOrder, match=name):
        decoded(orjson.dumps({key: value for key, value in RAW.items() if key != name}))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff\xfe", b"null", b"7", b"[]", b'"v"', b"{}", b"{", b"NaN", b"[" * 100_000, b'{"v":1}',
        orjson.dumps({**RAW, "v": 2}), orjson.dumps({**RAW, "v": "1"}), orjson.dumps({**RAW, "side": "short"}),
        orjson.dumps({**RAW, "side": ["buy"]}), orjson.dumps({**RAW, "side": None}), ORDER.encoded()[:-1],
        ORDER.encoded() + b"x", ORDER.encoded().replace(b'"sell"', b'"\\ud800"'),
    ],
    ids=lambda body: repr(body[:24]),
)  # fmt: skip
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableOrder):
        decoded(body)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(UnreadableOrder):
        decoded(body)


def test_a_message_with_a_flipped_byte_is_refused_or_a_whole_order() -> None:
    dice = random.Random(3)
    body = ORDER.encoded()
    for _ in range(300):
        at = dice.randrange(len(body))
        damaged = body[:at] + bytes([dice.randrange(256)]) + body[at + 1 :]
        try:
            order = decoded(damaged)
        except (ValueError, KeyError, TypeError):
            continue
        assert order.order_id == order_id(order.account_id, order.client_order_id)
        assert 0 <= order.amount < 2**63


def test_the_body_hash_tells_every_difference_and_leaves_out_a_deadline_that_was_left_out() -> None:
    bodies = [
        (Side.BUY, "A", 1, 2, None),
        (Side.SELL, "A", 1, 2, None),
        (Side.BUY, "B", 1, 2, None),
        (Side.BUY, "A", 2, 2, None),
        (Side.BUY, "A", 1, 3, None),
        (Side.BUY, "A", 12, 2, None),
        (Side.BUY, "A", 1, 22, None),
        (Side.BUY, "A", 1, 2, 0),
        (Side.BUY, "A", 1, 2, 9),
    ]
    assert len({body_hash(*body) for body in bodies}) == len(bodies)
    assert body_hash(Side.BUY, "A", 1, 2, None) == body_hash(Side.BUY, "A", 1, 2, None)
