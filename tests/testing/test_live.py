"""The option `--live`: ours where nobody else has it."""

from __future__ import annotations

import subprocess
import sys

import pytest

TEST = """
from spex_api.testing.regression import only_live


def test_it(request):
    only_live(request)
"""
THEIRS = """
def pytest_addoption(parser):
    parser.addoption("--live", action="store", default="", dest="their_own")
"""


@pytest.mark.parametrize(
    ("conftest", "arguments", "said"),
    [
        ("", [], "1 skipped"),
        ("", ["--live"], "1 passed"),
        (THEIRS, [], "1 skipped"),
        (THEIRS, ["--live", "yes"], "1 passed"),
        ("", ["-p", "no:spex_api"], "1 skipped"),
    ],
    ids=["ours", "ours-live", "theirs", "theirs-live", "without"],
)
def test_whose_option_it_is(tmp_path, conftest, arguments, said):
    """A conftest that has an option of that name keeps it; nothing breaks without ours."""
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_it.py").write_text(TEST)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_the_plugin_is_light():
    """Every run of pytest loads it: it brings no arrays and no models of data."""
    heavy = ["numpy", "pydantic", "rich", "httpx2"]
    code = (
        "import spex_api.testing.live, spex_api.testing.regression, sys; "
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
