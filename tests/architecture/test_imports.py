"""The import rules of the layout, kept by reading the source: who may know whom, and who may know which library."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
OURS: Final = ("engine", "workers", "blitzhub")

Check = Callable[["Module"], list[str]]


@dataclass(frozen=True, slots=True)
class Module:
    """A source file: its dotted name, what it imports, and what it calls."""

    name: str
    imports: frozenset[str]
    calls: frozenset[str]

    def knows(self, *names: str) -> list[str]:
        """Which of its imports are one of these modules or inside one."""
        return sorted(found for found in self.imports if any(inside(found, name) for name in names))


def inside(module: str, package: str) -> bool:
    """Whether the module is the package or in it."""
    return module == package or module.startswith(package + ".")


def parsed(name: str, source: str, is_package: bool = False) -> Module:
    """Read a module's source. `from a import b` counts as `a` and as `a.b`, which may be a module."""
    imports: set[str] = set()
    calls: set[str] = set()
    parents = name.split(".") if is_package else name.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                imports |= {alias.name for alias in names}
            case ast.ImportFrom(module=module, names=names, level=level):
                base = ".".join(parents[: len(parents) - level + 1]) if level else ""
                source_module = ".".join(part for part in (base, module or "") if part)
                imports |= {source_module} | {f"{source_module}.{alias.name}" for alias in names}
            case ast.Call(func=ast.Name(id=called)) | ast.Call(func=ast.Attribute(attr=called)):
                calls.add(called)
    return Module(name, frozenset(imports), frozenset(calls))


PURE: Final = ("engine.curve", "engine.indicators")
PLAIN: Final = ("engine.units", "engine.identifiers", "engine.errors")
OUTSIDE: Final = (
    "asyncio", "concurrent", "glob", "http", "httpx", "io", "logging", "multiprocessing", "os", "pathlib", "requests",
    "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "urllib",
)  # fmt: skip
READING_OR_WRITING: Final = ("open", "print", "input", "exec", "eval")
FILE_FORMATS: Final = ("read_", "scan_", "write_", "sink_")
LIBRARIES: Final = {
    ("sqlmodel", "sqlalchemy", "oracledb"): ("engine.persistence",),
    ("aio_pika", "aiormq", "pamqp", "redis", "solana", "hvac"): ("engine.adapters",),
    ("solders",): ("engine.adapters", "engine.settlement", "engine.localnet"),
    ("reflex", "plotly", "fastapi"): ("blitzhub",),
    ("prometheus_client",): ("engine.metric_kinds", "engine.metrics", "engine.watching"),
}
EMBEDDED: Final = "blitzhub.embedded"


def rule_1_plain_and_pure(module: Module) -> list[str]:
    """`units`, `identifiers`, `errors` import nothing of ours; `curve` and `indicators` do no I/O."""
    if module.name in PLAIN:
        return module.knows(*OURS)
    if not any(inside(module.name, package) for package in PURE):
        return []
    foreign = [name for name in module.knows(*OURS) if not any(inside(name, own) for own in (*PURE, *PLAIN))]
    effects = [call for call in module.calls if call in READING_OR_WRITING or call.startswith(FILE_FORMATS)]
    return foreign + module.knows(*OUTSIDE) + sorted(effects)


def rule_2_ports(module: Module) -> list[str]:
    """Nobody but the composition root names an adapter, and an adapter's neighbours are adapters."""
    if module.name == "engine.bootstrap" or inside(module.name, "engine.adapters"):
        return []
    return module.knows("engine.adapters")


def rule_2_one_root(module: Module) -> list[str]:
    """The engine's use cases get their services; they never open them."""
    return module.knows("engine.bootstrap") if inside(module.name, "engine") else []


def rule_3_libraries(module: Module) -> list[str]:
    """Each outside library has one home."""
    return [
        found
        for libraries, homes in LIBRARIES.items()
        if not any(inside(module.name, home) for home in homes)
        for found in module.knows(*libraries)
    ]


def rule_4_app_and_workers(module: Module) -> list[str]:
    """`blitzhub` and `workers` never import each other, and the engine knows neither."""
    if inside(module.name, "blitzhub"):
        return [] if module.name == EMBEDDED else module.knows("workers")
    if inside(module.name, "workers"):
        return module.knows("blitzhub")
    return module.knows("blitzhub", "workers")


def rule_5_pages(module: Module) -> list[str]:
    """Pages reach the engine through `blitzhub.services` alone."""
    return module.knows("engine") if inside(module.name, "blitzhub.pages") else []


RULES: Final[tuple[Check, ...]] = (
    rule_1_plain_and_pure,
    rule_2_ports,
    rule_2_one_root,
    rule_3_libraries,
    rule_4_app_and_workers,
    rule_5_pages,
)


def modules() -> Iterator[Module]:
    """Every module of ours."""
    for folder in OURS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield parsed(name, path.read_text(encoding="utf-8"), is_package=parts[-1] == "__init__")


def test_there_is_something_to_check() -> None:
    names = {module.name for module in modules()}
    assert {"engine.units", "engine.curve.power", "engine.trading.worker", "blitzhub.blitzhub", *OURS} <= names


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_keeps(rule: Check) -> None:
    broken = {module.name: found for module in modules() if (found := rule(module))}
    assert broken == {}


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (rule_1_plain_and_pure, "engine.units", "from engine.errors import Refusal"),
        (rule_1_plain_and_pure, "engine.errors", "import workers"),
        (rule_1_plain_and_pure, "engine.identifiers", "def f():\n    from engine import units"),
        (rule_1_plain_and_pure, "engine.curve.power", "from pathlib import Path"),
        (rule_1_plain_and_pure, "engine.curve.power", "from engine.persistence import market"),
        (rule_1_plain_and_pure, "engine.indicators.candles", "text = open('candles.csv')"),
        (rule_1_plain_and_pure, "engine.indicators.candles", "import polars as pl\nframe = pl.read_csv('x')"),
        (rule_1_plain_and_pure, "engine.indicators", "import urllib.request"),
        (rule_2_ports, "engine.trading.worker", "from engine.adapters.broker_sqlite import SqliteBroker"),
        (rule_2_ports, "engine.live.hub", "from engine import adapters"),
        (rule_2_ports, "engine.live.hub", "from ..adapters import bus_memory"),
        (rule_2_ports, "blitzhub.services", "import engine.adapters.bus_memory as bus"),
        (rule_2_one_root, "engine.trading.accept", "from engine.bootstrap import open_services"),
        (rule_3_libraries, "engine.trading.worker", "from sqlalchemy.exc import IntegrityError"),
        (rule_3_libraries, "engine.adapters.broker_sqlite", "import sqlalchemy"),
        (rule_3_libraries, "engine.persistence.database", "import redis.asyncio"),
        (rule_3_libraries, "engine.settlement.sending", "from solana.rpc.async_api import AsyncClient"),
        (rule_3_libraries, "engine.trading.launch", "from solders.pubkey import Pubkey"),
        (rule_3_libraries, "workers.stream", "def f():\n    import fastapi"),
        (rule_3_libraries, "engine.trading.worker", "from prometheus_client import Counter"),
        (rule_3_libraries, "engine.indicators.figures", "if True:\n    import plotly.graph_objects"),
        (rule_4_app_and_workers, "blitzhub.lifespan", "from workers import trade"),
        (rule_4_app_and_workers, "workers.trade", "import blitzhub.figures"),
        (rule_4_app_and_workers, "engine.services", "from blitzhub import services"),
        (rule_5_pages, "blitzhub.pages.board.state", "from engine.persistence import market"),
        (rule_5_pages, "blitzhub.pages.token.page", "import engine"),
    ],
)
def test_a_rule_finds_a_breach(rule: Check, name: str, source: str) -> None:
    assert rule(parsed(name, source))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("engine.curve.quotes", "from engine.units import Price\nfrom engine.curve.power import PowerCurve"),
        ("engine.curve.quotes", "from . import power\nfrom ..units import Price"),
        ("engine.bootstrap", "from engine.adapters.bus_memory import MemoryBus"),
        (
            "engine.adapters.chain_rpc",
            "import solana\nimport solders\nfrom engine.adapters import chain_socket",
        ),
        ("engine.persistence.market", "from sqlalchemy import select"),
        ("engine.trading.worker", "from engine.persistence.database import Connection\nimport asyncio, logging"),
        ("engine.live.hub", "import redistribution, solanaceae"),
        ("blitzhub.embedded", "from workers import trade"),
        ("blitzhub.api.trading", "from fastapi import APIRouter\nfrom engine.trading.accept import accept"),
        ("blitzhub.pages.board.state", "import reflex as rx\nfrom blitzhub import services"),
    ],
)
def test_the_rules_allow_what_is_allowed(name: str, source: str) -> None:
    assert [rule(parsed(name, source)) for rule in RULES] == [[]] * len(RULES)
