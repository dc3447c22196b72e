"""LiteSVM has one owner, and localnet stands by itself: it could be any Solana node."""

import ast
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_one_module_alone_owns_litesvm() -> None:
    owners = [
        str(path.relative_to(_ROOT))
        for folder in ("engine", "workers", "blitzhub")
        for path in (_ROOT / folder).rglob("*.py")
        if "solders.litesvm" in _imports(path)
    ]
    assert owners == ["engine/localnet/chain.py"]


def test_localnet_knows_nothing_of_the_project_but_units_identifiers_and_errors() -> None:
    allowed = ("engine.localnet", "engine.units", "engine.identifiers", "engine.errors")
    modules = sorted((_ROOT / "engine" / "localnet").glob("*.py"))
    assert modules
    for path in modules:
        ours = {name for name in _imports(path) if name.split(".")[0] in ("engine", "workers", "blitzhub")}
        assert all(name.startswith(allowed) for name in ours), f"{path.name} imports {sorted(ours)}"
