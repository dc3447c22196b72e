"""What the build adds, and the headers served with it."""

import base64
import hashlib

import pytest

from blitzhub.build_plugin import inline_script_hashes, without_origin
from blitzhub.components.browser import with_notice
from blitzhub.security import cache_control, content_security_policy


def test_only_inline_scripts_are_hashed() -> None:
    html = '<script src="/a.js"></script><script type="module">let a = 1</script><SCRIPT>\nb()\n</SCRIPT>'
    wanted = {base64.b64encode(hashlib.sha256(body).digest()).decode() for body in (b"let a = 1", b"\nb()\n")}
    assert inline_script_hashes(html) == {f"'sha256-{each}'" for each in wanted}


def test_no_origin_stays_in_the_environment_script() -> None:
    script = "var e={PING:`http://localhost:8600/ping`,EVENT:`wss://example.org/_event`};"
    assert without_origin(script) == (
        "var e={PING:location.origin+`/ping`,EVENT:location.origin.replace(/^http/,`ws`)+`/_event`};"
    )


def test_the_policy_allows_no_inline_script_without_its_hash_and_no_eval() -> None:
    rules = dict(rule.split(" ", 1) for rule in content_security_policy(["'sha256-abc='"]).split("; "))
    assert rules["script-src"] == "'self' 'sha256-abc='"
    assert rules["default-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"


@pytest.mark.parametrize(
    ("path", "status", "content_type", "wanted"),
    [
        ("/assets/root-C_Wy1Jbc.js", 200, "text/javascript", "public, max-age=31536000, immutable"),
        ("/assets/root-C_Wy1Jbc.js", 404, "text/html", "no-cache"),
        ("/assets/reflex-env-Dymxetij.js", 200, "text/javascript", "no-cache"),
        ("/", 200, "text/html; charset=utf-8", "no-cache"),
        ("/api/health/live", 200, "application/json", None),
        ("/favicon.svg", 200, "image/svg+xml", None),
    ],
)
def test_only_names_that_change_with_their_content_are_kept(
    path: str, status: int, content_type: str, wanted: str | None
) -> None:
    assert cache_control(path, status, content_type) == wanted


def test_notices_are_few_distinct_and_in_order() -> None:
    notices = with_notice([], "order-1", "Filled")
    for number in range(9):
        notices = with_notice(notices, "order-1", str(number), kind="success")
    assert [notice["text"] for notice in notices] == ["5", "6", "7", "8"]
    assert len({notice["key"] for notice in notices}) == 4
