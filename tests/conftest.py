"""Hooks that hold for every test."""

from collections.abc import Iterator

import pytest

from engine import metrics
from tests import portable
from tests.databases import pytest_report_header
from tests.no_skip import pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_make_collect_report", "pytest_report_header", "pytest_runtest_makereport"]

portable.install()


@pytest.fixture(autouse=True, scope="module")
def figures_of_its_own() -> Iterator[None]:
    """A process keeps one set of figures; whose parts a module's tests closed is not asked by the next one's."""
    yield
    metrics.forget()
