"""With BLITZ_NO_SKIP=1 a skipped test fails: on the machine that decides, nothing may be missing in silence."""

import os
from collections.abc import Generator
from typing import Any

import pytest


def _refuses_skips() -> bool:
    return os.environ.get("BLITZ_NO_SKIP") == "1"


def _as_failure(report: Any) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"skipped, and BLITZ_NO_SKIP=1 allows none: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and _refuses_skips():
        _as_failure(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole module skipped while it is imported."""
    report = yield
    if report.skipped and _refuses_skips():
        _as_failure(report)
    return report
