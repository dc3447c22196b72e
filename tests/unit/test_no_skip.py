"""The switch that lets no test be skipped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SKIPPED_TEST = "import pytest\n\ndef test_it():\n    pytest.skip('part is missing')\n"
_SKIPPED_MODULE = "import pytest\npytest.skip('part is missing', allow_module_level=True)\n"


def _run(test_file: Path, text: str, no_skip: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one file, with no plugin but ours and no configuration, which makes it quick."""
    test_file.write_text(text)
    settings = test_file.with_name("pytest.ini")
    settings.write_text("[pytest]\n")
    options = ["-q", "-p", "tests.no_skip", "-p", "no:cacheprovider", "-c", str(settings)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(test_file)],
        cwd=_ROOT,
        env=os.environ | {"BLITZ_NO_SKIP": no_skip, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("text", [_SKIPPED_TEST, _SKIPPED_MODULE])
def test_a_skip_fails_the_run_only_when_none_is_allowed(tmp_path: Path, text: str) -> None:
    strict = _run(tmp_path / "test_strict.py", text, "1")
    assert strict.returncode != 0
    assert "part is missing" in strict.stdout
    assert "BLITZ_NO_SKIP=1 allows none" in strict.stdout
    assert _run(tmp_path / "test_lenient.py", text, "0").returncode in (0, 5)
