"""The example of a third party's adapter runs as its reader runs it, and keeps the contract."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from spex_api.querying import adapter as seam
from spex_api.testing.adapter_contract import Subject, checks_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "03_write_an_adapter.py"


@pytest.fixture
def house(monkeypatch):
    """The example's module, under a name that an entry point can have."""
    spec = importlib.util.spec_from_file_location("house_example", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "house_example", module)
    spec.loader.exec_module(module)
    return module


def test_it_runs_offline(tmp_path):
    """It explains the critic, and finds what the critic knows of "never fails"."""
    result = subprocess.run(
        [sys.executable, str(EXAMPLE), "100"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Held-out R²: 1.00" in result.stdout
    assert "never + fails" in result.stdout


def test_it_is_found_by_its_entry_point(house, monkeypatch):
    """The lines of the docstring are those that make it known."""
    assert 'house = "your_package.your_module:connect"' in house.__doc__
    entry = EntryPoint("house", "house_example:connect", "spex_api.adapters")
    monkeypatch.setattr(seam, "entry_points", lambda group: [entry])
    assert seam.load_adapter("house:critic-2").model == "critic-2"


def test_it_keeps_the_contract(house):
    """The checks that its docstring names hold for it."""
    talk = "Answer with one word.\nIs it good?\nYes.\nSure?"
    review = "Positive or negative? Zoë’s film: “never fails” 🎬\n{{x}}"
    texts = dict.fromkeys(("plain", "listed", "longest", "warm"), review)
    texts |= {"talk": talk, "begun": f"{review}\nIt is", "words": "What is in it?"}
    top = [["positive", -0.6931471805599453], ["negative", -0.6931471805599453]]
    token = {"token": "positive", "logprob": top[0][1], "top": top, "token_id": None, "exact": []}
    subject = Subject(
        name="house",
        build=lambda url: house.HouseAdapter("critic-1"),
        bodies={case: {"model": "critic-1", "input": text} for case, text in texts.items()},
        reply='{"positive": 0.5, "read": 3}',
        says={
            "text": "positive",
            "tokens": [token],
            "finish_reason": "",
            "outcome": "answered",
            "model": "critic-1",
            "fingerprint": "",
            "usage": {
                "requests": 1,
                "input_tokens": 3,
                "output_tokens": 1,
                "cache_read_tokens": 0,
                "cache_write_tokens": 0,
            },
            "others": [],
            "prompt_tokens": [],
            "vectors": [],
            "tool_calls": [],
        },
        over_wire=False,
    )
    for check in checks_of(subject):
        check(subject)
