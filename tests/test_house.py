"""The house itself: its public names, its lightness, and its style."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import spex_api

ROOT = Path(spex_api.__file__).parent
MODULES = sorted([*ROOT.rglob("*.py"), *(ROOT.parent / "adapters").rglob("*.py")])


def test_the_public_names():
    """What users rely on, sorted; each can be loaded and is listed by `dir`."""
    assert spex_api.__all__ == sorted(spex_api.__all__)
    assert set(spex_api.__all__) == set(spex_api._HOMES)
    for name in spex_api.__all__:
        assert getattr(spex_api, name) is not None
    assert dir(spex_api) == spex_api.__all__
    with pytest.raises(AttributeError, match="nothing_of_ours"):
        spex_api.nothing_of_ours  # noqa: B018


@pytest.mark.parametrize("statement", ["import spex_api", "from spex_api import Prompt, Budget"])
def test_importing_loads_no_sdk_and_no_solver(statement):
    """A fresh interpreter that imports the package has loaded nothing heavy."""
    heavy = [
        "openai",
        "anthropic",
        "scipy.optimize",
        "scipy.linalg",
        "matplotlib",
        "xllamacpp",
        "sentencex",
        "PIL",
        "markdown_it",
    ]
    code = f"{statement}; import sys; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_are_short_and_say_what_they_are(path):
    """No module is over 400 lines, and each begins with a docstring."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(text))


def test_no_room_is_called_after_nothing():
    """If a name needs one of these words, the idea is not found yet."""
    vague = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "misc"}
    assert not {path.stem.strip("_") for path in MODULES} & vague
