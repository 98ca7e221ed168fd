"""Journals from outside: which batches are open, and which journals can go."""

from __future__ import annotations

import os

import pytest

from spex_api.errors import BatchError
from spex_api.querying.batches.journal import open_journal
from spex_api.querying.batches.journals import kept_journals, throw_away

A, B = "a" * 64, "b" * 64


def opened(folder, run):
    return open_journal(folder, run, endpoint="https://host/v1", model="m", provider="openai")


@pytest.fixture
def folder(tmp_path):
    """Two journals: one with a batch under way and one intended, and one that is over."""
    with opened(tmp_path, "run-1") as journal:
        journal.submitted(journal.intend([A, B], round_number=1), "batch_1")
        journal.intend([B], round_number=2)
    with opened(tmp_path, "run-2") as journal:
        journal.finish(journal.submitted(journal.intend([A], round_number=1), "batch_2"))
    for number, run in enumerate(("run-1", "run-2")):
        os.utime(tmp_path / f"{run}.json", (number, number))
    return tmp_path


def test_all_journals_are_listed_while_somebody_follows_one(folder):
    """The oldest first, with what is open, what is known, and by which adapter they were sent."""
    with opened(folder, "run-1"):
        (first, second), strange = kept_journals(folder)
    assert [(chunk.batch, chunk.keys) for chunk in first.chunks] == [
        ("batch_1", (A, B)),
        ("", (B,)),
    ]
    assert (first.run, first.provider, first.endpoint, first.model) == (
        "run-1",
        "openai",
        "https://host/v1",
        "m",
    )
    assert (second.run, second.chunks, second.known) == ("run-2", (), {"batch_2"})
    assert strange == []


def test_a_folder_without_journals_has_none(tmp_path):
    """Neither one that is empty nor one that is not there."""
    assert kept_journals(tmp_path) == ([], [])
    assert kept_journals(tmp_path / "nowhere") == ([], [])


def test_what_is_no_journal_is_named_and_hides_no_other(folder):
    """A torn file and a link beside two good ones."""
    (folder / "torn.json").write_text("{")
    (folder / "link.json").symlink_to(folder / "run-1.json")
    found, strange = kept_journals(folder)
    assert [journal.run for journal in found] == ["run-1", "run-2"]
    assert [path.name for path in strange] == ["link.json", "torn.json"]


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
def test_journals_that_others_may_write_are_not_trusted(folder):
    """Who may write a journal decides which batches are stopped."""
    folder.chmod(0o777)
    with pytest.raises(BatchError, match="Others may write"):
        kept_journals(folder)


def test_a_journal_is_thrown_away_with_its_lock_and_alone(folder):
    """The other stays, and the run may begin again."""
    (_, over), _ = kept_journals(folder)
    assert throw_away(over)
    assert sorted(path.name for path in folder.iterdir()) == ["run-1.json", "run-1.lock"]
    with opened(folder, "run-2") as journal:
        assert journal.known == frozenset()


def test_a_journal_that_is_followed_or_has_changed_stays(folder):
    """Whoever follows it is not disturbed, and what was written meanwhile is not lost."""
    (_, over), _ = kept_journals(folder)
    with opened(folder, "run-2") as journal:
        with pytest.raises(BatchError, match="Another process"):
            throw_away(over)
        journal.intend([B], round_number=1)
    assert not throw_away(over)
    assert len(kept_journals(folder)[0]) == 2
