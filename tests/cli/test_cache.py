"""`spex cache` as a user runs it."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import typer

from spex_api.cli.cache import cache_app
from spex_api.cli.runs import keep_run, kept_runs
from spex_api.completions import Completion, Fingerprint
from spex_api.errors import BatchError, BundleRefused, UsageError
from spex_api.querying.answers.record import Keyed, write_record
from spex_api.querying.answers.store import DiskStore
from spex_api.querying.batches.journal import open_journal
from spex_api.spec import check_spec

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "m\x1b[31m\u202e"


def keep(folder: Path, text: str = "Good?", *, model: str = "m", day: int = 25, **how) -> str:
    """Puts an answer on disk, and returns its key."""
    body = {"messages": [{"role": "user", "content": text}]}
    asked = Keyed.of(Fingerprint("http://host/v1", model, body))
    at = datetime(2026, 11, day, tzinfo=UTC)
    with closing(DiskStore(folder)) as store:
        store.put(asked.key, write_record(asked, Completion("yes", raw="{}"), at=at, **how))
    return asked.key


def run(*arguments: object) -> int:
    """Runs one command, and returns its exit status."""
    command = typer.main.get_command(cache_app)
    try:
        done = command(args=[str(each) for each in arguments], standalone_mode=False)
    except typer.Exit as end:
        return end.exit_code
    return done or 0


def keys_in(folder: Path) -> set[str]:
    with closing(DiskStore(folder)) as store:
        return set(store)


def test_ls_says_how_much_of_what(answers, capsys):
    """Count, size, models and dates; no text of a prompt."""
    keep(answers, "A secret.", day=20)
    keep(answers, "Another.", model="other")
    assert run("ls") == 0
    told = capsys.readouterr().out
    assert f"{answers}: 2 answers, 0." in told
    assert "From 2026-11-20 to 2026-11-25." in told
    assert "1  m  (http://host/v1)" in told
    assert "1  other  (http://host/v1)" in told
    assert "secret" not in told


def test_ls_of_nothing(answers, capsys):
    """A folder without an answer is told, and has no dates."""
    assert run("ls") == 0
    assert "0 answers" in capsys.readouterr().out


def test_ls_shows_texts_where_it_is_asked(answers, capsys):
    """A line each; what the record does not hold is said to be missing."""
    key = keep(answers, "A secret.\nIn two lines.")
    keep(answers, "Sealed.", with_prompt=False)
    assert run("ls", "--texts") == 0
    told = capsys.readouterr().out
    assert f"{key[:12]}  2026-11-25  A secret. In two lines." in told
    assert "1 of them are kept without their prompts." in told
    assert "(kept without its prompt)" in told
    assert "Sealed" not in told


def test_nothing_that_is_shown_acts_on_a_terminal(answers, capsys):
    """Control and direction characters of a model's name or a prompt are replaced."""
    keep(answers, HOSTILE, model=HOSTILE)
    run("ls", "--texts")
    run("ls", "--texts", "--json")
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\u202e" not in told


def test_ls_as_json(answers, capsys):
    """The same, for machines; chosen by model and day."""
    keep(answers, day=20)
    key = keep(answers, "Bad?", model="other", day=24)
    assert run("ls", "--json", "--texts", "--model", "other", "--since", "2026-11-24") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["count"] == 1
    assert told["models"] == [{"model": "other", "endpoint": "http://host/v1", "count": 1}]
    assert told["first"] == told["last"] == "2026-11-24T00:00:00+00:00"
    assert told["answers"] == [{"key": key, "at": "2026-11-24T00:00:00+00:00", "text": "Bad?"}]
    assert told["bytes"] > 0


def test_verify_finds_nothing_wrong_in_what_we_wrote(answers, capsys):
    """With and without prompts."""
    keep(answers)
    keep(answers, "Sealed.", with_prompt=False)
    assert run("verify") == 0
    assert "2 answers looked at, 0 with a fault." in capsys.readouterr().out


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return os.abort, ()


def test_verify_names_each_fault_and_deletes_nothing(answers, capsys, tmp_path):
    """A moved record, a changed one, no record at all, a pickle, and a row that names a file."""
    good, changed = keep(answers), keep(answers, "Bad?")
    moved, no_record, pickled, filed = (digit * 64 for digit in "abcd")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    with closing(DiskStore(answers)) as store:
        store.put(moved, store.get(good))
        store.put(no_record, b'{"raw": "no more"}')
    with closing(sqlite3.connect(answers / "cache.db")) as database, database:
        database.execute("UPDATE Cache SET value = X'00' WHERE key = ?", (changed,))
        database.execute(
            "INSERT INTO Cache(key, raw, mode, value) VALUES (?, 1, 4, ?)",
            (pickled, pickle.dumps(Bomb())),
        )
        database.execute(
            "INSERT INTO Cache(key, raw, mode, filename) VALUES (?, 1, 3, ?)", (filed, str(victim))
        )
    before = keys_in(answers)
    assert run("verify", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    faults = {each["key"]: each["fault"] for each in told["faults"]}
    assert set(faults) == {moved, changed, no_record, pickled, filed}
    assert faults[moved] == "it answers another question"
    assert "not what was written" in faults[changed]
    assert "fingerprint" in faults[no_record]
    assert faults[pickled] == faults[filed] == "no record of ours: it was not read"
    assert run("verify") == 1
    assert "5 with a fault" in capsys.readouterr().out
    assert keys_in(answers) == before
    assert victim.read_text() == "mine"


def test_what_is_faulty_hides_nothing_else_and_can_be_deleted(answers, capsys):
    """It is counted by ls, passed over by purge, and deleted by purge --faulty alone."""
    good, moved = keep(answers), "a" * 64
    with closing(DiskStore(answers)) as store:
        store.put(moved, store.get(good)[:-9])
    assert run("ls") == 0
    told = capsys.readouterr().out
    assert "1 answer," in told
    assert "1 record cannot be read" in told
    assert run("purge", "--before", "2026-11-24", "--yes") == 0
    assert keys_in(answers) == {good, moved}
    assert run("purge", "--faulty", "--yes") == 0
    assert keys_in(answers) == {good}


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.zst"])
def test_a_bundle_goes_from_folder_to_folder(answers, tmp_path, monkeypatch, capsys, suffix):
    """Out of one and into another, which then holds the same."""
    keep(answers)
    keep(answers, "Sealed.", with_prompt=False)
    bundle = tmp_path / f"answers.{suffix}"
    assert run("export", bundle) == 0
    assert "1 answer left out" in capsys.readouterr().out
    monkeypatch.setenv("SPEX_CACHE_DIR", str(tmp_path / "other"))
    assert run("import", bundle) == 0
    assert "1 answer taken in, 0 here already." in capsys.readouterr().out
    assert run("import", bundle, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"count": 0, "known": 1, "conflicts": []}
    assert keys_in(tmp_path / "other") < keys_in(answers)


def test_the_answers_of_one_run_are_exported_by_their_keys(answers, tmp_path, capsys):
    """A file of keys, one a line."""
    keys = [keep(answers, f"{number}?") for number in range(4)]
    (tmp_path / "keys").write_text("\n".join(keys[:2]))
    assert run("export", tmp_path / "run.jsonl", "--keys", tmp_path / "keys", "--json") == 0
    assert json.loads(capsys.readouterr().out)["count"] == 2
    with pytest.raises(UsageError, match="list of keys"):
        run("export", tmp_path / "run.jsonl", "--keys", tmp_path / "none")


def test_a_bad_bundle_is_refused(answers, tmp_path):
    """The error gets through to where exit statuses are made."""
    (tmp_path / "bad.jsonl").write_text("{}\n")
    with pytest.raises(BundleRefused):
        run("import", tmp_path / "bad.jsonl")


def test_purge_says_what_it_would_delete_and_does_not(answers, capsys):
    """Without --yes, nothing is deleted."""
    keep(answers)
    assert run("purge", "--all") == 0
    told = capsys.readouterr().out
    assert "1 answer of 1 to delete." in told
    assert "add --yes" in told
    assert len(keys_in(answers)) == 1


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        (["--model", "m"], ["other"]),
        (["--before", "2026-11-24"], ["new", "other"]),
        (["--model", "other", "--before", "2026-11-24"], ["old", "new", "other"]),
        (["--all"], []),
    ],
    ids=" ".join,
)
def test_purge_deletes_what_is_meant(answers, capsys, chosen, left):
    """By model, by date, by both, or all; it is said before it is done."""
    keys = {
        "old": keep(answers, day=20),
        "new": keep(answers, "New?"),
        "other": keep(answers, model="other"),
    }
    assert run("purge", *chosen, "--yes") == 0
    told = capsys.readouterr().out
    assert told.index("to delete.") < told.index("deleted.")
    assert keys_in(answers) == {keys[name] for name in left}
    assert run("purge", *chosen, "--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out)["removed"] == 0


def test_purge_deletes_by_key(answers, tmp_path):
    """The keys of one run, in a file."""
    keys = [keep(answers, f"{number}?") for number in range(3)]
    (tmp_path / "keys").write_text(keys[0])
    assert run("purge", "--keys", tmp_path / "keys", "--yes") == 0
    assert keys_in(answers) == set(keys[1:])


@pytest.mark.parametrize(
    "chosen", [[], ["--all", "--model", "m"], ["--yes"], ["--all", "--faulty"]], ids=" ".join
)
def test_purge_wants_to_be_told_what(answers, chosen):
    """Neither nothing nor two things."""
    with pytest.raises(UsageError, match="not said, or said twice"):
        run("purge", *chosen)


def test_a_day_is_a_date(answers):
    """Anything else is wrong use."""
    with pytest.raises(UsageError, match="'soon' is no date"):
        run("purge", "--before", "soon")


@pytest.fixture
def beside(answers):
    """A run and a journal of `m`, and a run and a journal with an open batch of `other`."""
    keep(answers)
    keep(answers, model="other")
    prompt = {"template": "{text}", "text": "A secret."}
    for number, model in enumerate(("m", "other")):
        spec = check_spec({"seed": number, "prompt": prompt}, source="a test")
        keep_run(spec, source=None, model=model)
        folder = answers / "batches"
        with open_journal(folder, f"run-{model}", endpoint="e", model=model) as journal:
            chunk = journal.submitted(journal.intend(["a" * 64], round_number=1), f"batch_{model}")
            if model == "m":
                journal.finish(chunk)


def standing(folder: Path) -> tuple[list[str], list[str]]:
    """The models of the runs, and the names of the journals."""
    journals = sorted(path.stem for path in (folder / "batches").glob("*.json"))
    return sorted(each.model for each in kept_runs()[0]), journals


def test_ls_lists_runs_and_journals(answers, beside, capsys):
    """By name and model, and no word of a prompt; of one model where it is asked for."""
    assert run("ls") == 0
    told = capsys.readouterr().out
    names = [each.name for each in kept_runs()[0]]
    assert all(f"  {name}  " in told for name in names)
    assert "2 journals of batches, with 1 open; see: spex batch ls" in told
    assert "secret" not in told
    assert run("ls", "--model", "m", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    (one,) = told["runs"]
    assert (one["name"], one["model"], one["replayable"]) == (names[0], "m", True)
    (one,) = told["journals"]
    assert (one["run"], one["open"]) == ("run-m", 0)


def test_ls_names_what_is_not_ours(answers, beside, capsys):
    """A file beside the answers that we did not write."""
    (answers / "runs" / "strange.json").write_text("{")
    assert run("ls") == 0
    assert "strange.json is not what was written there." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        (["--model", "m"], (["other"], ["run-other"])),
        (["--model", "other"], (["m"], ["run-m", "run-other"])),
        (["--all"], ([], ["run-other"])),
        (["--all", "--open-batches"], ([], [])),
        (["--before", "2026-01-01"], (["m", "other"], ["run-m", "run-other"])),
        (["--before", "2999-01-01", "--open-batches"], ([], [])),
        (["--faulty"], (["m", "other"], ["run-m", "run-other"])),
    ],
)
def test_purge_takes_what_stands_beside_and_leaves_what_is_open(
    answers, beside, capsys, chosen, left
):
    """A prompt that is to go goes everywhere; an open batch stays unless it is asked for."""
    before = standing(answers)
    assert run("purge", *chosen) == 0
    assert standing(answers) == before
    assert run("purge", *chosen, "--yes") == 0
    assert standing(answers) == left
    told = capsys.readouterr().out
    stays = "run-other" in left[1] and chosen[0] in {"--all", "--model"} and chosen[-1] != "m"
    assert ("The journal of the run run-other stays" in told) is stays


def test_purge_by_keys_leaves_what_stands_beside(answers, beside, tmp_path):
    """Keys are of answers."""
    (tmp_path / "keys").write_text("")
    before = standing(answers)
    assert run("purge", "--keys", tmp_path / "keys", "--yes") == 0
    assert standing(answers) == before


def test_purge_stops_before_a_batch_that_is_followed(answers, beside):
    """Another process reads it just now: nothing at all is deleted."""
    with (
        open_journal(answers / "batches", "run-other", endpoint="e", model="other"),
        pytest.raises(BatchError, match="Another process"),
    ):
        run("purge", "--model", "other", "--open-batches", "--yes")
    assert len(keys_in(answers)) == 2
    assert standing(answers) == (["m", "other"], ["run-m", "run-other"])
