"""The README's Python runs as it stands, on the real local model."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.code_blocks import blocks, execute

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.model
@pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None,
    reason="the embedded model needs the extra `local`",
)
def test_the_python_blocks_run(tmp_path, monkeypatch):
    """Every Python block, in order, in one namespace and an empty folder."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for block in blocks(README, "python"):
        execute(block, namespace)
    assert sorted(path.name for path in tmp_path.glob("*.*")) == [
        "explanation.json",
        "report.html",
    ]
    strongest = namespace["recovery"].transform.strongest(4)
    assert {(0,), (3, 5)} <= set(strongest)


def test_the_test_command_is_what_ci_runs():
    """`.ci/run` installs and tests as the README says."""
    readme = README.read_text(encoding="utf-8")
    ci = (README.parent / ".ci" / "run").read_text(encoding="utf-8")
    for command in ('python -m pip install -e ".[local,dev]"', "python -m pytest"):
        assert command in readme
        assert command.replace("install -e", "install --quiet --no-compile -e") in ci
