"""Names, units, types and words of every metric; the alerts, pictures and runbook speak of what exists."""

import asyncio
import json
import logging
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import ProcessCollector

from engine import logs, metrics
from tests.promtool import RULES, families, promtool
from workers.__main__ import SERVICES

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "blitzhub.json").read_text())
RUNBOOK = (ROOT / "docs" / "RUNBOOK.md").read_text()
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",), "gauge": ("",)}
UNITS = ("_seconds", "_bytes", "_lamports", "_orders", "_total")
COUNTED = {
    "blitz_database_connections_in_use", "blitz_database_pool_size", "blitz_database_waiting_calls", "blitz_part_up",
    "blitz_trade_workers", "blitz_settlements", "blitz_settlements_in_flight", "blitz_reconcile_differences",
    "blitz_frozen_accounts", "blitz_held_tokens", "blitz_withdrawals_frozen", "blitz_market_sockets", "blitz_build",
}  # fmt: skip
"""Gauges of things or of yes and no, which have no unit."""

FAMILIES = [
    family
    for group in metrics.GROUPS
    for collector in group
    if not isinstance(collector, ProcessCollector)
    for family in collector.describe()
]
RULE_LIST = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def samples() -> set[str]:
    """Every name that a rule or a picture may use."""
    own = {family.name + suffix for family in FAMILIES for suffix in SUFFIXES[family.type]}
    return own | {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}


def used(expression: str) -> set[str]:
    """The metrics that an expression names."""
    return set(re.findall(r"\b(?:blitz_\w+|process_\w+|up)\b", re.sub(r'"[^"]*"', "", expression)))


def test_every_metric_has_a_name_a_unit_and_words_by_the_conventions() -> None:
    assert len(FAMILIES) == len({family.name for family in FAMILIES}) > 40
    for family in FAMILIES:
        assert re.fullmatch(r"blitz(_[a-z]+)+", family.name), family.name
        assert family.documentation.endswith("."), family.name
        assert family.type in SUFFIXES, family.name
        if family.type in ("gauge", "histogram") and family.name not in COUNTED:
            assert family.name.endswith(UNITS), f"{family.name} has no unit"


def test_no_label_takes_what_users_make() -> None:
    labels = {each for group in metrics.GROUPS for each in map(_labels, group) for each in each}
    assert labels == {
        "alert",
        "result",
        "side",
        "code",
        "route",
        "status",
        "part",
        "reason",
        "cause",
        "kind",
        "state",
        "by",
    }


def _labels(collector: object) -> tuple[str, ...]:
    label = getattr(collector, "_label", "")
    return (label,) if label else tuple(getattr(collector, "_labelnames", ()))


async def test_an_answer_reads_well_and_passes_promtool() -> None:
    metrics.expose(*metrics.GROUPS)
    before = _fills((await metrics.answer()).decode())
    metrics.order_fill.observe_ms([0, 5, 6, 350, 99_000])
    text = (await metrics.answer()).decode()
    assert [now - then for now, then in zip(_fills(text), before, strict=True)] == [2, 4, 4, 5]
    checked = promtool("check", "metrics", given=text)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def _fills(text: str) -> list[float]:
    """How many fills took at most 5 ms, 350 ms, a minute and any time; the process may have counted before."""
    fill = families(text)["blitz_order_fill_seconds"]
    buckets = {sample.labels["le"]: sample.value for sample in fill.samples if sample.name.endswith("_bucket")}
    return [buckets[each] for each in ("0.005", "0.35", "60.0", "+Inf")]


def test_promtool_itself_finds_a_bad_name() -> None:
    bad = "# HELP blitz_lag_ms How long.\n# TYPE blitz_lag_ms counter\nblitz_lag_ms 1\n"
    assert promtool("check", "metrics", given=bad).returncode != 0


async def test_what_cannot_be_read_in_time_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "REFRESH_LIMIT_S", 0.01)
    monkeypatch.setitem(metrics._refreshers, int, asyncio.Event().wait)
    assert b"blitz_alerts_total" in await metrics.answer() or metrics.expose(metrics.PROCESS) is None


def test_every_alert_that_the_code_logs_is_known_from_the_start() -> None:
    source = "".join(
        path.read_text() for folder in ("engine", "workers", "blitzhub") for path in (ROOT / folder).rglob("*.py")
    )
    assert set(re.findall(r"\balert=(\w+)", source)) - {"NAME"} == set(metrics.ALERTS)


def test_the_rules_are_valid_and_speak_of_metrics_that_exist() -> None:
    checked = promtool("check", "config", str(RULES.parent / "prometheus.yml"))
    assert checked.returncode == 0, checked.stderr
    for rule in RULE_LIST:
        assert used(rule["expr"]) <= samples(), rule["alert"]
        assert used(rule["expr"]), rule["alert"]
        assert rule["labels"]["severity"] in ("page", "warn")
    listed = {
        each
        for rule in RULE_LIST
        for found in re.findall(r'alert=~?"([^"]+)"', rule["expr"])
        for each in found.split("|")
    }
    by_figure = {
        "order_parked",
        "settlement_failed",
        "settlement_refused",
        "fee_payer_low",
        "ledger_differs",
        "token_held",
    }
    assert listed | by_figure == set(metrics.ALERTS), "each alert of the log has a rule"


def test_every_alert_has_its_section_in_the_runbook_and_no_other_has() -> None:
    sections = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", RUNBOOK, re.M | re.S))
    assert list(sections) == [name for name in sections if name in {rule["alert"] for rule in RULE_LIST}]
    for rule in RULE_LIST:
        text = sections[rule["alert"]]
        assert all(f"**{word}**" in text for word in ("Means", "Look", "Do")), rule["alert"]
        assert rule["annotations"]["runbook"] == f"docs/RUNBOOK.md#{rule['alert'].lower()}"


def test_the_commands_of_the_runbook_exist() -> None:
    named = set(re.findall(r"python -m workers (\w+)", RUNBOOK))
    assert named <= set(SERVICES)


def test_the_pictures_show_metrics_that_exist_and_every_one_of_ours() -> None:
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]]
    named = set().union(*map(used, expressions))
    assert named <= samples()
    shown = {family.name for family in FAMILIES if any(family.name + each in named for each in SUFFIXES[family.type])}
    assert {family.name for family in FAMILIES} - shown == set()


def test_every_process_of_up_is_asked() -> None:
    config = yaml.safe_load((RULES.parent / "prometheus.yml").read_text())
    ports = [target for job in config["scrape_configs"] for each in job["static_configs"] for target in each["targets"]]
    offsets = re.findall(r"^(\w+): .*BLITZ_METRICS_PORTS \+ (\d+)", (ROOT / "Procfile.up").read_text(), re.M)
    assert sorted(ports) == sorted(f"127.0.0.1:{8620 + int(offset)}" for _, offset in offsets)
    jobs = {job["job_name"] for job in config["scrape_configs"]}
    assert jobs == {"app", "stream", "trade", "sign", "settle", "indicators", "reconcile"}


def test_the_proxy_knows_nothing_of_metrics() -> None:
    assert "metrics" not in (ROOT / "deploy" / "haproxy" / "haproxy.cfg").read_text()


def test_lines_with_an_alert_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    def counted() -> float:
        return {each.labels["alert"]: each.value for each in next(iter(metrics.alerts.collect())).samples}["redis_away"]

    counter, before = logs.AlertCounter(), counted()
    for level, words in ((logging.ERROR, "%sgone"), (logging.INFO, "%sgone"), (logging.ERROR, "gone")):
        record = logging.LogRecord("x", level, "", 0, words, ("alert=redis_away ",) if "%s" in words else None, None)
        counter.emit(record)
    assert counted() - before == 1
