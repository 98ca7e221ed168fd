"""A run by its name: the same spec, the same name, and the same bytes from disk alone."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

import pytest

from spex_api.cli.app import run
from spex_api.cli.runs import KeptRun, find_run, keep_run, kept_runs, runs_folder
from spex_api.errors import SpecError
from spex_api.spec import check_spec, read_spec
from tests.cli.toy_spec import toy_spec

SPEC = toy_spec(80, "lasso")


def spec(**more):
    return check_spec({"prompt": {"template": "{text}", "text": "a b"}, **more}, source="a test")


def run_name(of, source):
    return KeptRun.of(of, source=source, model="m").name


@pytest.fixture
def folder(work) -> Path:
    """The folder to work in, with a spec in it."""
    (work / "review.toml").write_text(SPEC)
    return work


@pytest.fixture
def offline(monkeypatch):
    """From when it is called, nobody has a key and nobody may connect."""

    def refuse(*_):
        raise AssertionError("A replay opened a connection.")

    def go() -> None:
        monkeypatch.delenv("OPENAI_API_KEY")
        for name in ("connect", "connect_ex"):
            monkeypatch.setattr(socket.socket, name, refuse)

    return go


def explained(capsys, *arguments: str) -> str:
    """The name that a run prints."""
    assert run(["explain", *arguments]) == 0
    (name,) = re.findall(r"This run is ([a-z0-9-]+);", capsys.readouterr().out)
    return name


def replayed(name: str) -> int:
    """The exit status of a replay whose files go into a folder of their own."""
    Path("again").mkdir(exist_ok=True)
    return run(["replay", name, "--out", "again"])


def test_a_run_is_replayed_by_the_name_that_it_printed(folder, chat_server, capsys, offline):
    """The same bytes, without the spec file; the beginning of the name is enough."""
    name = explained(capsys, "review.toml")
    assert re.fullmatch(r"review-[0-9a-f]{6}", name)
    written = Path("explanation.json").read_bytes()
    assert name.encode() not in written
    Path("review.toml").unlink()
    Path("explanation.json").unlink()
    offline()
    for called in (name, name[:-3], "rev", name.upper()):
        Path("again/explanation.json").unlink(missing_ok=True)
        assert replayed(called) == 0
        assert Path("again/explanation.json").read_bytes() == written


def test_the_same_spec_has_the_same_name_and_another_has_another(folder, chat_server, capsys):
    """Run again, from another folder, and with flags; what differs is another run."""
    name = explained(capsys, "review.toml")
    assert explained(capsys, "review.toml") == name
    assert explained(capsys, "review.toml", "--seed", "0") == name
    Path("else").mkdir()
    Path("else/review.toml").write_text("# A remark.\n" + SPEC)
    assert explained(capsys, "else/review.toml") == name
    assert explained(capsys, "review.toml", "--seed", "1") != name
    assert len(kept_runs()[0]) == 2
    names = {
        run_name(each, None)
        for each in (
            spec(),
            spec(model="openai:toy"),
            spec(seed=1),
            spec(score={"labels": ["a", "b"]}),
            spec(budget={"requests": 7}),
            check_spec({"prompt": {"template": "{text}", "text": "a c"}}, source="a test"),
        )
    }
    assert len(names) == 6
    assert run_name(spec(seed=0, budget={"requests": 1000}), None) == run_name(spec(), None)


def test_a_name_does_not_depend_on_the_machine():
    """It is pinned: whoever has the spec has the name."""
    assert run_name(spec(), Path("/else/review.toml")) == "review-688bac"


def test_json_has_the_name(folder, chat_server, capsys):
    """Beside what the contract names; the file has it not."""
    name = explained(capsys, "review.toml")
    assert run(["explain", "review.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == name
    assert "run" not in json.loads(Path("explanation.json").read_text())


def test_what_is_kept_is_its_owners_and_holds_no_key(folder, chat_server, capsys):
    """The spec, merged with the flags, in a file of 0600 in a folder of 0700."""
    explained(capsys, "review.toml", "--seed", "3")
    (path,) = runs_folder().iterdir()
    told = json.loads(path.read_text())
    assert told["spec"]["seed"] == 3
    assert told["spec"] == json.loads(Path("explanation.json").read_text())["spec"]
    assert "sk-secret" not in path.read_text()
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_prompt_that_is_not_to_be_stored_is_not(folder, chat_server, capsys, offline):
    """Neither prompt nor score; the name is listed, and a replay by it says what it needs."""
    Path("review.toml").write_text(SPEC + "[cache]\nstore_prompts = false\n")
    name = explained(capsys, "review.toml")
    (path,) = runs_folder().iterdir()
    assert not any(word in path.read_text() for word in ("acting", "Positive", "negative"))
    assert run(["cache", "ls"]) == 0
    assert f"{name}  toy  (by its file alone" in capsys.readouterr().out
    offline()
    assert replayed(name) == 2
    said = capsys.readouterr().err
    assert "store_prompts = false" in said
    assert "Its answers are on disk." in said
    assert replayed("review.toml") == 0


def test_a_name_that_is_no_runs_or_several_is_wrong_use(folder, capsys, answers):
    """Each in a sentence, with what to do."""
    assert replayed("review-000000") == 2
    assert "no file review-000000, and no run of that name" in capsys.readouterr().err
    for seed in range(2):
        keep_run(spec(seed=seed), source=Path("review.toml"), model="m")
    assert replayed("review") == 2
    said = capsys.readouterr().err
    assert "2 runs are called review…: " in said
    assert all(each.name in said for each in kept_runs()[0])
    for name in ("*", "[r]", "..", "review-?"):
        with pytest.raises(SpecError, match="no run of that name"):
            find_run(name)


def test_a_file_is_a_file_before_it_is_a_name(folder, chat_server, capsys):
    """What is there by that name is read, and a file that is missing is told as one."""
    name = explained(capsys, "review.toml")
    Path(name).write_text("model = 3\n")
    assert replayed(name) == 2
    assert "'model'" in capsys.readouterr().err
    assert replayed("nowhere.toml") == 2
    assert "nowhere.toml" in capsys.readouterr().err
    assert replayed(f"./else/{name}") == 2


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "[" * 100_000, '{"format": "spex-api run 2"}', '{"word": "../x"}'],
    ids=["empty", "torn", "list", "deep", "newer", "else"],
)
def test_a_file_that_is_not_what_was_written_is_refused(answers, content):
    """It is named by the list, replays nothing, and hides no other."""
    name = keep_run(spec(), source=None, model="m")
    (path,) = runs_folder().iterdir()
    keep_run(spec(), source=Path("other.toml"), model="m")
    path.write_text(content)
    with pytest.raises(SpecError, match="does not say what was written"):
        find_run(name)
    found, strange = kept_runs()
    assert ([each.word for each in found], strange) == (["other"], [path])


def test_a_file_under_anothers_name_is_refused(answers):
    """A name promises one spec."""
    keep_run(spec(), source=None, model="m")
    (path,) = runs_folder().iterdir()
    path.rename(path.with_name(f"review-{'0' * 32}.json"))
    with pytest.raises(SpecError, match="does not say what was written"):
        find_run("review")


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("Film Review (2).toml", "film-review-2"),
        ("résumé.toml", "resume"),
        ("影評.toml", "prompt"),
        ("--.toml", "prompt"),
        ("a" * 40 + ".toml", "a" * 24),
        (None, "prompt"),
    ],
)
def test_any_file_gives_a_plain_name(answers, source, word):
    """Letters, digits and dashes that every shell takes as they are."""
    name = keep_run(spec(), source=source and Path(source), model="m")
    assert name.rpartition("-")[0] == word
    assert find_run(name).word == word


def test_a_folder_that_cannot_be_written_costs_the_name_alone(
    folder, chat_server, capsys, monkeypatch, answers
):
    """The result is there, with status 0, and why it has no name is said."""
    answers.mkdir(mode=0o700)
    (answers / "runs").write_text("in the way")
    assert run(["explain", "review.toml", "--json"]) == 0
    printed = capsys.readouterr()
    assert "so it has no name" in " ".join(printed.err.split())
    assert json.loads(printed.out)["run"] is None
    assert Path("explanation.json").exists()


def test_a_spec_file_and_its_copy_in_a_run_are_the_same_spec(folder):
    """Whatever a file says comes back from the run's file as it was."""
    read = read_spec(Path("review.toml"))
    kept = find_run(keep_run(read, source=Path("review.toml"), model="toy"))
    assert kept.spec is not None
    assert check_spec(kept.spec, source="the run") == read
