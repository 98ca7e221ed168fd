"""`spex compare` as a user runs it: two files, a story or one object, and status 0."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

import spex_api as spex
from spex_api.claims import Kind
from spex_api.cli import comparison
from spex_api.cli.app import run
from tests.cli.toy_spec import TEXT, toy_spec
from tests.report.planted_causes import cause, explained, put_to_test

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


@pytest.fixture(scope="module")
def runs(shell) -> Shell:
    """Where a run before and one after a change of the text have left their files."""
    for name, text in (("before", TEXT), ("after", TEXT.replace("never", "always"))):
        (shell.folder / name).mkdir()
        (shell.folder / f"{name}.toml").write_text(toy_spec(120).replace(TEXT, text))
        assert shell.run("explain", f"{name}.toml", "--out", name).status == 0
    return shell


def test_a_change_of_one_word(runs):
    """What the whole is worth, which part was replaced, and the interaction that vanished."""
    status, printed, _ = runs.run("compare", "before", "after/explanation.json")
    assert status == 0
    assert "Whole prompt" in printed
    assert "1 replaced" in printed
    assert "“never” → “always”" in printed
    assert "\x1b" not in printed


def test_json_is_one_object(runs):
    """With everything that is told, and numbers as numbers."""
    status, printed, _ = runs.run("compare", "before", "after", "--json")
    assert status == 0
    told = json.loads(printed)
    assert set(told) == {
        "numbers",
        "differences",
        "parts",
        "interactions",
        "causes",
        "warnings",
    }
    strongest = told["interactions"][0]
    assert strongest["fate"] == "vanished"
    assert strongest["texts"] == ["“never” → “always”", "“bad” (2 of 2)"]
    assert {"features", "value", "low", "high"} == set(strongest["before"])
    written = json.loads((runs.folder / "before" / "explanation.json").read_text())
    assert told["numbers"][0]["before"] == pytest.approx(written["provenance"]["full"])


def test_the_same_file_twice(runs):
    """Nothing changed, which is said."""
    status, printed, _ = runs.run("compare", "before", "before")
    assert status == 0
    assert "No interaction appeared, vanished or changed beyond its interval." in printed
    assert "→" not in printed


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("", "holds no JSON object"),
        ("[1]", "holds no JSON object"),
        ("{", "no explanation of schema 1"),
        ("{}", "no explanation of schema 1"),
    ],
)
def test_what_is_no_explanation_is_wrong_use(work, capsys, content, said):
    """Status 2, with the file's name or what it lacks."""
    if content is not None:
        Path("a.json").write_text(content)
    assert run(["compare", "a.json", "a.json"]) == 2
    assert said in capsys.readouterr().err


def test_causes_are_told_and_nothing_foreign_acts():
    """Headings for what was, is and stays confirmed; control characters are made harmless."""
    names = tuple(f"documents[{at}]: \x1b[31m[bold]{at}" for at in range(8))
    before = explained(put_to_test(cause(Kind.ALONE, 3), cause(Kind.ALONE, 1), flips={}), names)
    after = explained(put_to_test(cause(Kind.ALONE, 3), cause(Kind.ALONE, 2), flips={}), names)
    console = Console(file=io.StringIO(), width=200, color_system=None)
    comparison.render(spex.compare(before, after), console)
    printed = console.file.getvalue()
    assert printed.index("Confirmed before, not now") < printed.index("documents[1]")
    assert printed.index("Confirmed now, not before") < printed.index("documents[2]")
    assert printed.index("Confirmed before and now") < printed.index("documents[3]")
    assert "\x1b" not in printed
    assert "[bold]" in printed
