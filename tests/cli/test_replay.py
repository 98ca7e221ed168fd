"""`spex replay` as a user runs it: the same files, and not a single connection."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from spex_api.cli.app import run
from spex_api.querying.answers.bundle import export_bundle
from spex_api.querying.answers.store import DiskStore
from tests.cli.toy_spec import TEXT, toy_spec

SPEC = toy_spec(80, "lasso")


@pytest.fixture
def folder(work) -> Path:
    """The folder to work in, with a spec in it."""
    (work / "spec.toml").write_text(SPEC)
    return work


@pytest.fixture
def explained(folder, monkeypatch, chat_server, capsys) -> bytes:
    """What a run has written into the folder; from here on, nobody may connect."""
    assert run(["explain", "spec.toml"]) == 0
    capsys.readouterr()
    monkeypatch.delenv("OPENAI_API_KEY")

    def refuse(*_):
        raise AssertionError("A replay opened a connection.")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    return Path("explanation.json").read_bytes()


def replayed(*arguments: str) -> int:
    """The exit status of a replay whose files go into a folder of their own."""
    Path("again").mkdir(exist_ok=True)
    return run(["replay", *arguments, "--out", "again"])


def test_a_replay_writes_the_same_bytes(explained, chat_server, capsys):
    """From the spec file: the identical explanation and page, with neither key nor connection."""
    asked = len(chat_server.bodies)
    assert replayed("spec.toml") == 0
    assert Path("again/explanation.json").read_bytes() == explained
    assert Path("again/report.html").read_bytes() == Path("report.html").read_bytes()
    assert len(chat_server.bodies) == asked
    printed = capsys.readouterr()
    assert "Answers: 76 (80 on disk, 0 sent)" in printed.err
    assert "never + bad" in printed.out


def test_json_has_what_the_contract_names(explained, capsys):
    """One object: findings, explanations, and what was used, of which nothing was sent."""
    assert replayed("spec.toml", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert {"findings", "explanations", "usage"} <= set(told)
    assert (told["usage"]["sent"], told["usage"]["cached"]) == (0, 80)
    (one,) = told["explanations"]
    assert one["faithfulness"] == json.loads(explained)["faithfulness"]


def test_missing_answers_are_one_error(explained, capsys):
    """Status 5, one line: how many of how many are missing, and which the first is."""
    Path("larger.toml").write_text(SPEC.replace("requests = 80", "requests = 90"))
    assert replayed("larger.toml") == 5
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("spex: ")]
    assert "of 86 answers are not on disk. The first: No answer of toy to " in line
    assert "0 requests were sent." in line
    assert list(Path("again").iterdir()) == []


def test_an_explanation_that_carries_its_spec_is_enough(explained):
    """Its file, or the folder with it, rebuilds itself; the spec file is not needed."""
    told = json.loads(explained)
    told["spec"] = {
        "model": "openai:toy",
        "seed": 0,
        "prompt": {"template": "Positive or negative? {text}", "text": TEXT, "split": "words"},
        "score": {"labels": ["positive", "negative"]},
        "budget": {"requests": 80},
        "decode": {"decoder": "lasso"},
    }
    Path("kept").mkdir()
    Path("kept/explanation.json").write_text(json.dumps(told))
    Path("spec.toml").unlink()
    for name in ("kept/explanation.json", "kept"):
        assert replayed(name) == 0
        again = json.loads(Path("again/explanation.json").read_text())
        assert again["interactions"] == told["interactions"]
        assert again["provenance"] == told["provenance"]


def test_what_a_budget_ended_is_rebuilt_from_its_file_or_its_name(folder, chat_server, capsys):
    """The identical partial explanation and its status; a spec alone cannot tell, and misses."""
    Path("spec.toml").write_text(SPEC.replace("requests = 80", "requests = 80\ntokens = 1800"))
    assert run(["explain", "spec.toml", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    partial = Path("explanation.json").read_bytes()
    assert json.loads(partial)["provenance"]["unasked"]
    assert replayed("spec.toml") == 5
    assert "rebuilt from its explanation.json" in capsys.readouterr().err
    for run_or_file in (told["run"], "explanation.json"):
        assert replayed(run_or_file) == 3
        assert Path("again/explanation.json").read_bytes() == partial
        assert Path("again/report.html").read_bytes() == Path("report.html").read_bytes()
    # The rest comes to disk, and makes no difference to what the file says.
    Path("whole").mkdir()
    assert run(["explain", "spec.toml", "--tokens", "99000", "--out", "whole"]) == 0
    assert replayed("explanation.json") == 3
    assert Path("again/explanation.json").read_bytes() == partial
    assert replayed("whole") == 0
    assert (
        Path("again/explanation.json").read_bytes() == Path("whole/explanation.json").read_bytes()
    )


@pytest.mark.parametrize("unasked", ["all", [[3]], [[5, 2]], [[2**70, "x"]]], ids=str)
def test_other_words_for_what_was_not_asked_are_wrong_use(explained, capsys, unasked):
    """A file that was touched is told from one that says it."""
    told = json.loads(explained)
    told["provenance"]["unasked"] = unasked
    Path("explanation.json").write_text(json.dumps(told))
    assert replayed("explanation.json") == 2
    assert "which masks were not asked" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "does not carry the spec of its run"),
        ("[1]", "does not carry the spec of its run"),
        ('{"spec": 3}', "does not carry the spec of its run"),
        ("not json", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ('{"spec": {"prompt": {"template": "x", "text": "y"}, "score": {"lables": []}}}', "lables"),
    ],
)
def test_what_is_no_run_is_wrong_use(folder, capsys, content, said):
    """Each file that cannot be rebuilt from gets one line, and status 2."""
    Path("foreign.json").write_text(content)
    assert replayed("foreign.json") == 2
    assert said in capsys.readouterr().err


def test_what_is_not_there_is_wrong_use(folder, capsys):
    """A run, or a folder to write to, that does not exist is named."""
    assert replayed("nowhere.json") == 2
    assert "nowhere.json cannot be read" in capsys.readouterr().err
    assert run(["replay", "spec.toml", "--out", "no-folder/below"]) == 2
    assert "no-folder" in capsys.readouterr().err


def test_a_bundle_is_enough(explained, answers, monkeypatch, tmp_path):
    """On a machine that has no answers of its own, and they do not come to lie there."""
    store = DiskStore(answers)
    export_bundle(store, Path("run.jsonl"))
    store.close()
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setenv("SPEX_CACHE_DIR", str(elsewhere))
    assert replayed("spec.toml") == 5
    assert replayed("spec.toml", "--answers", "run.jsonl") == 0
    assert Path("again/explanation.json").read_bytes() == explained
    assert os.environ["SPEX_CACHE_DIR"] == str(elsewhere)
    assert replayed("spec.toml") == 5


def test_a_tampered_bundle_is_refused(explained, answers, capsys):
    """One changed byte, and nothing is rebuilt."""
    store = DiskStore(answers)
    export_bundle(store, Path("run.jsonl"))
    store.close()
    lines = Path("run.jsonl").read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace("toy", "tay", 1)
    Path("run.jsonl").write_text("".join(lines))
    assert replayed("spec.toml", "--answers", "run.jsonl") == 1
    assert not list(Path("again").iterdir())
