"""A line of the log: text at a terminal, a JSON object in production."""

import json
import logging
import sys

import pytest

from engine import logs

FORMATTER = logs.JsonFormatter("trade")


def line(message: str, *values: object, level: int = logging.INFO, **ids: object) -> dict[str, object]:
    record = logging.LogRecord("engine.x", level, "x.py", 1, message, values, None)
    vars(record).update(ids)
    found: dict[str, object] = json.loads(FORMATTER.format(record))
    return found


def test_a_line_says_when_who_and_what() -> None:
    found = line("%d orders", 3, order_id="a" * 32)
    assert found.pop("time", "").endswith("+00:00")
    assert found == {
        "level": "INFO",
        "process": "trade",
        "logger": "engine.x",
        "message": "3 orders",
        "order_id": "a" * 32,
    }


def test_an_alert_and_the_request_have_fields_of_their_own() -> None:
    token = logs.request_id.set("r1")
    try:
        found = line("alert=redis_away gone", level=logging.ERROR)
    finally:
        logs.request_id.reset(token)
    assert (found["alert"], found["request_id"]) == ("redis_away", "r1")
    assert "request_id" not in line("later")


def test_no_text_breaks_out_of_its_line() -> None:
    hostile = 'x"}\n{"level":"INFO\u2028'
    record = logging.LogRecord("x", logging.INFO, "", 0, "%s", (hostile,), None)
    told = FORMATTER.format(record)
    assert "\n" not in told
    assert json.loads(told)["message"] == hostile


def test_a_traceback_is_in_its_line() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "it broke", (), sys.exc_info())
    told = FORMATTER.format(record)
    assert "\n" not in told
    assert "ValueError: why" in json.loads(told)["error"]


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
def test_the_trail_is_written_only_where_it_is_read(caplog: pytest.LogCaptureFixture, level: int) -> None:
    with caplog.at_level(level, "blitzhub.trail"):
        logs.step("queued", order_id="o1")
    assert [vars(each).get("order_id") for each in caplog.records] == (["o1"] if level == logging.INFO else [])
