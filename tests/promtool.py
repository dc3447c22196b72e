"""Prometheus' own judgement in tests: what a process really answered, put under the alert rules by `promtool`.

A test scrapes running processes while all is well, and again while its fault stands; each scrape is repeated as often
as Prometheus would have seen the same. The rules are evaluated by Prometheus' code, never by ours.
"""

import json
import math
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

ROOT: Final = Path(__file__).parents[1]
RULES: Final = ROOT / "deploy" / "prometheus" / "alerts.yml"
INTERVAL_S: Final = 10
WELL, BROKEN = 18, 18
"""So often either scrape is repeated: three minutes, longer than any rule waits."""

_AGE: Final = "_timestamp_seconds"


def promtool(*arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run it; its exit status is the caller's to judge."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (on Debian it is in the package prometheus)")
    return subprocess.run([program, *arguments], input=given, capture_output=True, text=True, timeout=60, check=False)


def families(text: str) -> dict[str, Metric]:
    """The metrics of an answer by name, read by the library's parser."""
    return {family.name: family for family in text_string_to_metric_families(text)}


@dataclass(slots=True)
class Scrape:
    """What Prometheus would have kept of one round: the value of each series, and when that was, in epoch seconds."""

    at_s: float = field(default_factory=time.time)
    values: dict[str, float] = field(default_factory=dict)

    def value(self, name: str, **labels: str) -> float:
        """The largest of these series; 0 with none."""
        wanted = [f"{label}={json.dumps(each)}" for label, each in labels.items()]
        found = [
            value
            for series, value in self.values.items()
            if re.match(rf"{name}[{{]", series) and all(each in series for each in wanted)
        ]
        return max(found, default=0.0)


def answer(port: int) -> str:
    """What a process answers at its port for the metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        text: str = response.read().decode()
        return text


def scraped(targets: Mapping[str, int]) -> Scrape:
    """Ask each job's process; one that does not answer is `up` 0, as Prometheus says it."""
    found = Scrape()
    for job, port in targets.items():
        instance = {"job": job, "instance": f"127.0.0.1:{port}"}
        try:
            text = answer(port)
        except (urllib.error.URLError, OSError):
            found.values[_series("up", instance)] = 0.0
            continue
        found.values[_series("up", instance)] = 1.0
        for family in families(text).values():
            for sample in family.samples:
                found.values[_series(sample.name, {**sample.labels, **instance})] = sample.value
    return found


def _series(name: str, labels: Mapping[str, str]) -> str:
    return f"{name}{{{', '.join(f'{label}={json.dumps(value)}' for label, value in sorted(labels.items()))}}}"


def firing(directory: Path, well: Scrape, broken: Scrape, wanted: set[str] | None = None) -> str:
    """Hold the rules against what was scraped; "" if exactly these fire in the end, of those that are `wanted`.

    Without `wanted` none may fire at all. Otherwise what promtool says is returned.
    """
    last_s = (WELL + BROKEN - 1) * INTERVAL_S
    chosen = "" if wanted is None else f',alertname=~"{"|".join(sorted(wanted))}"'
    expected = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(wanted or ())]
    case = {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{INTERVAL_S}s",
        "tests": [
            {
                "interval": f"{INTERVAL_S}s",
                "input_series": [
                    {"series": series, "values": " ".join(map(_told, _values(series, well, broken)))}
                    for series in sorted({*well.values, *broken.values})
                ],
                "promql_expr_test": [
                    {
                        "expr": f'group by (alertname) (ALERTS{{alertstate="firing"{chosen}}})',
                        "eval_time": f"{last_s}s",
                        "exp_samples": expected,
                    }
                ],
            }
        ],
    }
    path = directory / "alerts_test.yml"
    path.write_text(yaml.safe_dump(case, width=10**9))
    outcome = promtool("test", "rules", str(path))
    return "" if outcome.returncode == 0 else outcome.stdout + outcome.stderr


def _values(series: str, well: Scrape, broken: Scrape) -> list[float]:
    """The series in the test's own time, which begins at 0; NaN where there was none."""
    before, after = (each.values.get(series, math.nan) for each in (well, broken))
    if not series.partition("{")[0].endswith(_AGE):
        return [before] * WELL + [after] * BROKEN
    steps = [number * INTERVAL_S for number in range(WELL + BROKEN)]
    aged = [at_s - (well.at_s - before) for at_s in steps[:WELL]]
    # A moment that has not moved between the scrapes stands still as long as the fault does.
    still = aged[-1] if before == after and well is not broken else None
    return aged + [at_s - (broken.at_s - after) if still is None else still for at_s in steps[WELL:]]


def _told(value: float) -> str:
    return "stale" if math.isnan(value) else repr(value)
