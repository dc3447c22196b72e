"""Set-up and start: nothing is done twice, and what stops a start is said in one sentence."""

import socket
from pathlib import Path

import pytest

from scripts import prepare, start


def test_a_port_in_use_names_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(start.CannotStart, match=f"Port {port} is in use.*BLITZ_PORT"):
            start.check_free(port, "BLITZ_PORT")
    start.check_free(port, "BLITZ_PORT")


@pytest.mark.parametrize("text", ["0", "65536", "abc", "-1", "８６００", "8600.0", "9" * 5_000])
def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("BLITZ_PORT", text)
    with pytest.raises(start.CannotStart, match="BLITZ_PORT"):
        start.read_port("BLITZ_PORT")


def test_a_stamp_follows_names_contents_and_labels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(prepare, "ROOT", tmp_path)
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a")
    first = prepare.digest([one], "3.11")
    assert prepare.digest([one], "3.12") != first
    two.write_text("a")
    assert prepare.digest([two], "3.11") != first
    assert prepare.digest([one], "3.11") == first
    one.write_text("b")
    assert prepare.digest([one], "3.11") != first


def test_the_frontend_is_built_from_its_sources_alone() -> None:
    names = {str(path.relative_to(prepare.ROOT)) for path in prepare.frontend_files()}
    assert {"rxconfig.py", "assets/theme.css", "blitzhub/feed/figures.js", "reflex.lock/bun.lock"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith("assets/external/")]
