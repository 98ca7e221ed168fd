"""One suite over every registered adapter: what goes out, what comes in, and how it fails."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from spex_adapters import local

from spex_api.testing.adapter_contract import checks_of
from tests.adapters import contract

SUBJECTS = {name: contract.subject(name) for name in contract.ROWS}
PAIRS = [(name, check) for name, each in SUBJECTS.items() for check in checks_of(each)]


@pytest.mark.parametrize(
    ("name", "check"), PAIRS, ids=[f"{name}-{check.__name__}" for name, check in PAIRS]
)
def test_contract(name, check, monkeypatch):
    """The check holds for the adapter."""
    monkeypatch.setattr(local, "version", lambda name: "2026.1")
    check(SUBJECTS[name])


def test_every_registered_adapter_is_a_subject():
    """An adapter that is registered without standing under the contract is found here."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    registered = tomllib.loads(text)["project"]["entry-points"]["spex_api.adapters"]
    assert set(registered) <= {row.entry for row in contract.ROWS.values()}
    for name, value in registered.items():
        assert callable(EntryPoint(name, value, "spex_api.adapters").load())
