"""Every test has its own folder of answers, no key, and no way to a hosted model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_VARIABLES = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "SPEX_OFFLINE",
)


@pytest.fixture(autouse=True)
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own folder of answers."""
    for variable in _VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "answers"
    monkeypatch.setenv("SPEX_CACHE_DIR", str(folder))
    return folder
