"""Figures read the same on the server and in the browser: both are held to one table of cases."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from blitzhub import figures

_ROOT: Final = Path(__file__).parents[2]
_CASES: Final[dict[str, list[tuple[list[Any], Any]]]] = json.loads((Path(__file__).parent / "figures.json").read_text())
_MODULE: Final = _ROOT / "blitzhub" / "feed" / "figures.js"

_PYTHON: Final[dict[str, Callable[..., Any]]] = {
    "price": lambda units: str(figures.price(units)),
    "price_exact": lambda units: figures.price(units).exact,
    "own_sol_paid": lambda lamports: figures.own_sol(lamports, pays=True),
    "graduation_percent": lambda raised, needed, done: figures.graduation_percent(raised, needed, graduated=done),
}
_JAVASCRIPT: Final = """
import * as figures from "%s";
const special = {
  price: figures.priceText,
  price_exact: (units) => figures.price(units).exact,
  own_sol_paid: (lamports) => figures.ownSol(lamports, { pays: true }),
};
const named = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const cases = JSON.parse(await new Promise((resolve) => {
  let text = "";
  process.stdin.on("data", (part) => { text += part; }).on("end", () => resolve(text));
}));
const results = {};
for (const [name, rows] of Object.entries(cases)) {
  const figure = special[name] ?? figures[named(name)];
  results[name] = rows.map(([input]) => figure(...input));
}
console.log(JSON.stringify(results));
"""
_TEXT_FUNCTIONS: Final = ("short_address", "grouped_address")


def _integers(name: str, values: list[Any]) -> list[Any]:
    """Large integers stand in the table as strings, as they do on the wire."""
    return [int(value) if isinstance(value, str) and name not in _TEXT_FUNCTIONS else value for value in values]


@pytest.mark.parametrize("name", _CASES)
def test_the_server_writes_every_figure_of_the_table(name: str) -> None:
    figure = _PYTHON.get(name) or getattr(figures, name)
    got = [(given, figure(*_integers(name, given))) for given, _ in _CASES[name]]
    assert got == [(given, wanted) for given, wanted in _CASES[name]]


def _script_runner() -> str:
    bundled = Path(sys.executable).with_name("bun")
    found = str(bundled) if bundled.exists() else shutil.which("bun") or shutil.which("node")
    if found is None:
        pytest.skip("neither bun nor node is here to run figures.js")
    return found


def test_the_browser_writes_every_figure_of_the_table(tmp_path: Path) -> None:
    script = tmp_path / "figures_check.mjs"
    module = tmp_path / "figures.mjs"
    shutil.copy(_MODULE, module)
    script.write_text(_JAVASCRIPT % module.as_uri())
    done = subprocess.run(
        [_script_runner(), str(script)],
        input=json.dumps(_CASES),
        env=os.environ | {"TZ": "UTC"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    for name, rows in _CASES.items():
        assert list(zip((given for given, _ in rows), results[name], strict=True)) == [tuple(row) for row in rows]


def test_a_price_in_html_has_its_zeros_apart() -> None:
    parts = figures.price(44_497_190_000)
    assert (parts.lead, parts.zeros, parts.digits) == ("0.0", 4, "4450")
    assert figures.price(400_000_000_000).zeros == 0
