"""The examples run as their readers run them, on the real local model, with fewer requests."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

LOCAL = [
    pytest.mark.model,
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None,
        reason="the embedded model needs the extra `local`",
    ),
]


def on_the_local_model(test):
    """Marks a test that asks it."""
    for mark in LOCAL:
        test = mark(test)
    return test


def ran(*command: str, folder: Path) -> str:
    """What a command prints, run in an empty folder."""
    result = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@on_the_local_model
def test_the_first_command_of_the_readme(tmp_path):
    """`spex explain examples/review.toml` explains a real model, and again at no cost."""
    command = ("-m", "spex_api", "explain", str(EXAMPLES / "review.toml"), "--requests", "24")
    first = json.loads(ran(*command, "--json", folder=tmp_path))
    written = (tmp_path / "explanation.json").read_bytes()
    assert first["usage"]["sent"] == 24
    assert len(first["features"]) >= 60
    assert first["provenance"]["model"] == "SmolLM2-135M-Instruct.Q4_1"
    again = json.loads(ran(*command, "--json", folder=tmp_path))
    assert again["usage"]["sent"] == 0
    assert (tmp_path / "explanation.json").read_bytes() == written


@on_the_local_model
def test_01_first_explanation(tmp_path):
    """The first example prints interactions of a real model."""
    printed = ran(str(EXAMPLES / "01_first_explanation.py"), "30", folder=tmp_path)
    assert "Held-out R²" in printed
    assert "30 answers, of which 30 were asked now." in printed


@on_the_local_model
def test_02_two_hops(tmp_path):
    """The second one explains the model's own answer, and checks itself against the model.

    A long prompt takes seconds, so its answers are kept: those that this engine gives are not asked
    again, and of another one all are. They were made by this command and `spex cache export`.
    """
    kept = Path(__file__).parent / "data" / "answers" / "two_hops.jsonl.zst"
    ran("-m", "spex_api", "cache", "import", str(kept), folder=tmp_path)
    printed = ran(str(EXAMPLES / "02_two_hops.py"), "60", "3", folder=tmp_path)
    assert "log-prob of ' Lisbon', in nats; 18 sentences" in printed
    assert "in 3 random contexts, by the model itself" in printed
    assert "explained as" in printed


@on_the_local_model
def test_04_root_cause(tmp_path):
    """The fourth goes from the ticket to the two notes, either of which suffices, and to a test."""
    printed = ran(str(EXAMPLES / "04_root_cause.py"), "70", folder=tmp_path)
    assert "The ticket: The employee has 25 days" in printed
    assert "Confirmed: redundant parts" in printed
    assert "notes[3]: Annual leave (2019 edition)" in printed
    assert "notes[9]: Welcome to the company" in printed
    assert "removing both flips" in (tmp_path / "report.html").read_text(encoding="utf-8")
    written = ran("-m", "pytest", "test_leave_days.py", folder=tmp_path)
    assert "4 passed, 2 skipped" in written


def test_05_audit(tmp_path, monkeypatch):
    """The fifth is rebuilt from the committed bundle with no model, no key and no connection."""
    monkeypatch.setenv("SPEX_OFFLINE", "1")
    printed = ran(str(EXAMPLES / "05_audit.py"), folder=tmp_path)
    assert "feeling = love" in printed
    assert "Of 20 prompts 20" in printed
    assert "Rebuilt from 1,418 answers, none of them asked now." in printed
    assert "identical to the byte" in printed or "the same to rounding" in printed
