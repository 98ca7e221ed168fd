"""`spex report` as a user runs it: a file in, a story or files out, and nothing asked."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import spex_api as spex
from spex_api.cli.app import run
from spex_api.explanation_schema import schema_text
from tests.report.exported import HOSTILE, hostile


@pytest.fixture
def stored(work) -> Path:
    """An explanation on disk, and a folder for what is made of it."""
    hostile().to_json(work / "explanation.json")
    (work / "out").mkdir()
    return work


def test_the_story_and_the_page(stored, capsys):
    """Without flags: the story here and report.html in this folder; the explanation stays."""
    before = Path("explanation.json").read_bytes()
    assert run(["report", "explanation.json"]) == 0
    printed = capsys.readouterr().out
    assert "Strongest interactions" in printed
    assert "Wrote report.html." in printed
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    page = Path("report.html").read_text(encoding="utf-8")
    assert page == spex.Explanation.from_json("explanation.json").to_html()
    assert Path("explanation.json").read_bytes() == before
    assert not Path("interactions.csv").exists()


def test_a_folder_and_chosen_formats(stored, capsys):
    """The folder with the file will do; only what is asked for is made, where --out says."""
    assert run(["report", ".", "--out", "out", "--format", "csv"]) == 0
    printed = capsys.readouterr().out
    assert "Strongest interactions" not in printed
    assert [path.name for path in Path("out").iterdir()] == ["interactions.csv"]
    with Path("out/interactions.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {tuple(json.loads(line["features"])): float(line["value"]) for line in lines} == dict(
        hostile().interactions
    )
    assert json.loads(lines[0]["texts"])[0] in HOSTILE
    assert run(["report", ".", "--format", "terminal"]) == 0
    assert "Wrote" not in capsys.readouterr().out


def test_json_is_the_object_of_explain(stored, capsys):
    """One object on stdout in the story's place; the files are made all the same."""
    assert run(["report", "explanation.json", "--json", "--format", "html"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["interactions"][0]["value"] == max(hostile().interactions.values(), key=abs)
    assert told["provenance"]["model"] == hostile().provenance.model
    assert Path("report.html").is_file()


def test_the_schema_alone(work, capsys):
    """On stdout, ready to be saved; with a file beside it is wrong use, and so is neither."""
    assert run(["report", "--schema"]) == 0
    assert capsys.readouterr().out == schema_text()
    assert run(["report", "--schema", "explanation.json"]) == 2
    assert "--schema alone" in capsys.readouterr().err
    assert run(["report"]) == 2
    assert "Give an explanation.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"", "holds no JSON object"),
        (b"\xff\xfe{", "it is no text"),
        (b"{", "no explanation of schema 1"),
        (b'{"schema_version": 1}', "no explanation of schema 1"),
        (b'{"schema_version": 9}', "pip install --upgrade"),
    ],
)
def test_what_is_no_explanation_is_wrong_use(work, capsys, content, said):
    """Status 2, with what is wrong; and no file is begun."""
    if content is not None:
        Path("a.json").write_bytes(content)
    assert run(["report", "a.json"]) == 2
    assert said in capsys.readouterr().err
    assert not Path("report.html").exists()


def test_a_folder_that_is_not_there_is_made(stored):
    """Where it alone is missing."""
    assert run(["report", "explanation.json", "--out", "reports"]) == 0
    assert Path("reports/report.html").is_file()


def test_a_folder_that_takes_no_file(stored, capsys):
    """Said before anything is read, or with what the system says against it."""
    assert run(["report", "missing.json", "--out", "nowhere/reports"]) == 2
    assert "--out nowhere/reports is no folder" in capsys.readouterr().err
    Path("out/report.html").mkdir()
    assert run(["report", "explanation.json", "--out", "out"]) == 2
    assert "out/report.html cannot be written" in capsys.readouterr().err


def test_a_format_that_is_not_there(stored, capsys):
    """The known ones are named."""
    assert run(["report", "explanation.json", "--format", "pdf"]) == 2
    assert "csv" in capsys.readouterr().err
