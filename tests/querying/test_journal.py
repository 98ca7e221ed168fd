"""The journal of batches: on disk before anything is sent, and no one else's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spex_api.errors import BatchError, UsageError
from spex_api.querying.batches import journal_file
from spex_api.querying.batches.journal import open_journal

A, B, C = "a" * 64, "b" * 64, "c" * 64


def opened(folder, run="run-1", endpoint="https://host/v1", model="m"):
    return open_journal(folder, run, endpoint=endpoint, model=model)


def test_every_change_is_found_by_the_next_process(tmp_path):
    """Intents, ids, refusals and what is unread come back as they were written."""
    with opened(tmp_path) as journal:
        first = journal.intend([A, B], round_number=1)
        second = journal.intend([C], round_number=2)
        first = journal.submitted(first, "batch_1")
    with opened(tmp_path) as journal:
        assert journal.chunks == (first, second)
        assert journal.known == {"batch_1"}
        journal.finish(first, refused=[B], unread=[A])
        journal.withdraw(second)
    with opened(tmp_path) as journal:
        (rest,) = journal.chunks
        assert (rest.keys, rest.batch, rest.round) == ((A,), "batch_1", 1)
        assert journal.refused == {B}
        journal.finish(rest)
    with opened(tmp_path) as journal:
        assert journal.chunks == ()
        assert journal.known == {"batch_1"}


def test_a_disowned_batch_is_known_and_its_chunk_only_intended(tmp_path):
    """What was another's is not taken for this chunk's a second time."""
    with opened(tmp_path) as journal:
        chunk = journal.submitted(journal.intend([A], round_number=1), "batch_9")
        assert journal.disown(chunk).batch == ""
    with opened(tmp_path) as journal:
        assert journal.chunks[0].batch == ""
        assert journal.known == {"batch_9"}


def test_it_is_on_the_disk_before_it_returns(tmp_path, monkeypatch):
    """The content is synced before it takes the name, and the folder after."""
    done = []
    fsync, rename = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append("sync"), fsync(handle)))
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (done.append("replace"), rename(self, to))
    )
    with opened(tmp_path) as journal:
        journal.intend([A], round_number=1)
    assert done == ["sync", "replace", "sync"]


def test_a_write_that_breaks_off_leaves_the_journal_that_was(tmp_path, monkeypatch):
    """A full disk is told, the old file stays whole, and no scrap is left beside it."""
    with opened(tmp_path) as journal:
        journal.intend([A], round_number=1)
        before = journal.path.read_bytes()

        def full(handle):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(BatchError, match="No space left"):
            journal.intend([B], round_number=1)
    assert journal.path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["run-1.json", "run-1.lock"]


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
def test_it_is_for_its_owner_alone(tmp_path):
    """The folder is 0700 and the files are 0600; a folder that others may write to is refused."""
    folder = tmp_path / "batches"
    with opened(folder) as journal:
        journal.intend([A], round_number=1)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    folder.chmod(0o777)
    with pytest.raises(BatchError, match="Others may write"), opened(folder):
        pass


GOOD = {"token": "0" * 32, "keys": [A], "at": "2026-11-25T02:00:00Z", "round": 1, "batch": None}


@pytest.mark.parametrize(
    "change",
    [
        {"format": "spex-api batches 2"},
        {"more": 1},
        {"chunks": [{**GOOD, "keys": []}]},
        {"chunks": [{**GOOD, "keys": ["../../etc"]}]},
        {"chunks": [{**GOOD, "batch": "../files/x"}]},
        {"chunks": [{**GOOD, "at": "2026-11-25T02:00:00"}]},
        {"chunks": [{**GOOD, "token": A}]},
        {"refused": ["x"]},
        {"finished": ["a b"]},
    ],
)
def test_foreign_content_is_refused_and_not_touched(tmp_path, change):
    """Whatever we would not write is not read, and stays as it is."""
    path = tmp_path / "run-1.json"
    good = {"format": "spex-api batches 1", "run": "run-1", "endpoint": "https://host/v1"}
    good |= {"model": "m", "chunks": [GOOD]}
    path.write_text(json.dumps(good))
    with opened(tmp_path) as journal:
        assert len(journal.chunks) == 1
    written = json.dumps({**good, **change})
    path.write_text(written)
    with pytest.raises(BatchError, match="not a journal as it was written"), opened(tmp_path):
        pass
    assert path.read_text() == written


@pytest.mark.parametrize("content", [b"", b"{", b"\x80\x04.", b"[]"])
def test_what_is_no_json_object_is_refused(tmp_path, content):
    """A torn or foreign file ends the run before anything is sent."""
    (tmp_path / "run-1.json").write_bytes(content)
    with pytest.raises(BatchError, match="not a journal"), opened(tmp_path):
        pass


def test_a_link_and_a_giant_are_refused(tmp_path, monkeypatch):
    """A file elsewhere is not followed, and one beyond all measure is not read to its end."""
    elsewhere = tmp_path / "elsewhere"
    with opened(elsewhere) as journal:
        journal.intend([A], round_number=1)
    (tmp_path / "run-1.json").symlink_to(elsewhere / "run-1.json")
    with pytest.raises(BatchError, match="not a journal"), opened(tmp_path):
        pass
    monkeypatch.setattr(journal_file, "_MAX_BYTES", 10)
    with pytest.raises(BatchError, match="not a journal"), opened(elsewhere):
        pass


def test_the_journal_of_another_endpoint_is_refused(tmp_path):
    """A run's name is one endpoint's and one model's."""
    with opened(tmp_path) as journal:
        journal.intend([A], round_number=1)
    for other in ({"endpoint": "https://other/v1"}, {"model": "n"}):
        with pytest.raises(BatchError, match="another name"), opened(tmp_path, **other):
            pass


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b", "x" * 129, "a\n"])
def test_a_run_is_called_what_a_file_can_be(tmp_path, name):
    """A name that leads elsewhere, or nowhere, is wrong use."""
    with pytest.raises(UsageError, match="cannot be called"), opened(tmp_path, run=name):
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    """A file in its place, or a link in the lock's, is our error and not the system's."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BatchError, match="cannot be used"), opened(tmp_path / "file" / "batches"):
        pass
    (tmp_path / "run-1.lock").symlink_to(tmp_path / "file")
    with pytest.raises(BatchError, match="cannot be used"), opened(tmp_path):
        pass


def test_a_lock_whose_file_is_thrown_away_meanwhile_bars_nobody_and_so_holds_nothing(
    tmp_path, monkeypatch
):
    """Between its opening and its locking the file went: whoever comes next would lock another."""
    lock = journal_file._lock

    def late(handle):
        (tmp_path / "run-1.lock").unlink()
        lock(handle)

    monkeypatch.setattr(journal_file, "_lock", late)
    with pytest.raises(BatchError, match="Another process"), opened(tmp_path):
        pass


def test_one_process_follows_a_run_until_it_dies(tmp_path):
    """A second process is turned away; the lock of a killed one is free at once."""
    code = (
        "import sys, pathlib; from spex_api.querying.batches.journal import open_journal\n"
        "with open_journal(pathlib.Path(sys.argv[1]), 'run-1', endpoint='https://host/v1', "
        "model='m'):\n print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BatchError, match="Another process"), opened(tmp_path):
            pass
        other.kill()
        other.wait()
        with opened(tmp_path) as journal:
            assert journal.run == "run-1"
