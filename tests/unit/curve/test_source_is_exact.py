"""No float touches money: the curve's source is parsed for everything that could make one."""

import ast
from pathlib import Path

import pytest

import engine.curve

PACKAGE = Path(engine.curve.__file__).parent
EXACT_MATH = {"isqrt"}
PURE_IMPORTS = {"dataclasses", "decimal", "enum", "fractions", "math", "re", "typing"}
OWN_IMPORTS = ("engine.curve", "engine.units", "engine.errors", "engine.identifiers")


def inexact(source: str) -> list[str]:
    """What in this source makes or could make a float, as `line: reason`."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        reason = None
        match node:
            case ast.Constant(value=float() | complex()):
                reason = "a float literal"
            case ast.Name(id="float" | "complex" | "round"):
                reason = f"the name {node.id}"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                reason = "true division: use //, or Fraction(a, b)"
            case ast.BinOp(op=ast.Pow(), right=ast.UnaryOp(op=ast.USub())):
                reason = "a negative power"
            case ast.Import(names=names) if any(name.name == "math" for name in names):
                reason = "all of math: import the exact function by name"
            case ast.ImportFrom(module="math", names=names) if {n.name for n in names} - EXACT_MATH:
                reason = "an inexact function of math"
        if reason:
            found.append(f"{node.lineno}: {reason}")
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("**/*.py")), ids=lambda path: path.name)
def test_the_curve_is_computed_without_floats(path: Path) -> None:
    assert inexact(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "x = 1.5",
        "x = float(1)",
        "x = a / b",
        "x /= 2",
        "x = 10 ** -9",
        "import math",
        "from math import sqrt",
    ],
)
def test_the_check_finds_what_makes_a_float(source: str) -> None:
    assert len(inexact(source)) == 1


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("**/*.py")), ids=lambda path: path.name)
def test_the_curve_imports_only_what_is_pure(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [name.name for name in node.names] if isinstance(node, ast.Import) else []
        for module in modules:
            assert module in PURE_IMPORTS or module.startswith(OWN_IMPORTS), module
