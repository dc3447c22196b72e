"""Colours have one home, and the committed theme is what it generates."""

import re
from pathlib import Path

from blitzhub.styles import generate
from blitzhub.styles.tokens import DARK, LIGHT

_ROOT = Path(__file__).parents[2]
_HEX = re.compile(r"#(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3,4})(?![0-9a-zA-Z_-])")
_HOMES = {"blitzhub/styles/tokens.py", "assets/theme.css", "assets/favicon.svg"}


def test_the_committed_theme_is_the_generated_one() -> None:
    assert (_ROOT / "assets" / "theme.css").read_text() == generate.theme_css()
    assert (_ROOT / "assets" / "favicon.svg").read_text() == generate.favicon_svg()


def test_both_themes_define_the_same_tokens() -> None:
    assert list(DARK) == list(LIGHT)


def test_no_other_file_holds_a_hex_colour() -> None:
    suffixes = {".py", ".js", ".jsx", ".css", ".svg"}
    files = [path for top in ("blitzhub", "assets") for path in (_ROOT / top).rglob("*") if path.suffix in suffixes]
    assert len(files) > 10
    found = {
        str(path.relative_to(_ROOT)): _HEX.findall(path.read_text())
        for path in files
        if "external" not in path.relative_to(_ROOT).parts
    }
    assert {name for name, colours in found.items() if colours} == _HOMES


def test_every_token_a_stylesheet_uses_exists() -> None:
    defined = set(re.findall(r"(--bh-[\w-]+):", generate.theme_css())) | {"--bh-share"}
    for sheet in (_ROOT / "assets").glob("*.css"):
        used = set(re.findall(r"var\((--bh-[\w-]+)", sheet.read_text()))
        assert used <= defined, sheet.name
