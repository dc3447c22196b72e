"""Hooks that hold for every test."""

from tests import portable
from tests.databases import pytest_report_header
from tests.no_skip import pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_make_collect_report", "pytest_report_header", "pytest_runtest_makereport"]

portable.install()
