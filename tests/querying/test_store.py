"""The folder of answers: nothing is lost, nothing foreign is run, read or deleted."""

from __future__ import annotations

import logging
import os
import pickle
import sqlite3
import stat
import zlib
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING

import diskcache
import pytest

from spex_api.errors import CacheCorrupt, CacheError
from spex_api.querying.answers import folder as guarding
from spex_api.querying.answers import packing
from spex_api.querying.answers import store as storing
from spex_api.querying.answers.store import DiskStore, answers_folder

if TYPE_CHECKING:
    from pathlib import Path

KEY = "0" * 64
OTHER = "1" * 64


@pytest.fixture
def store(answers):
    opened = DiskStore(answers)
    yield opened
    opened.close()


def rows(folder: Path, statement: str, *values: object) -> None:
    """Does to the database what somebody with a hostile hand would."""
    with closing(sqlite3.connect(folder / "cache.db")) as database, database:
        database.execute(statement, values)


def plant(folder: Path, *, key: object = KEY, raw: int = 1, mode: int = 1, **columns) -> None:
    """Puts a row into the database that diskcache would obey."""
    names = ["key", "raw", "store_time", "access_time", "mode", *columns]
    rows(
        folder,
        f"INSERT INTO Cache({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",  # noqa: S608
        *(key, raw, 0, 0, mode, *columns.values()),
    )


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return os.abort, ()


def test_a_record_comes_back(store, answers):
    """What was put is got, also by who opens the folder later."""
    store.put(KEY, b"answer")
    assert store.get(KEY) == b"answer"
    assert store.get("1" * 64) is None
    assert len(store) == 1
    store.close()
    again = DiskStore(answers)
    assert again.get(KEY) == b"answer"
    again.close()


def test_nothing_is_evicted(store):
    """No limit is set at all, where diskcache would drop answers beyond a gigabyte."""
    settings = store._cache
    assert settings.eviction_policy == "none"
    assert settings.cull_limit == 0
    assert settings.size_limit >= 2**60


def test_only_the_owner_may_look(store, answers):
    """The folder is 0700 and its files 0600."""
    store.put(KEY, b"answer")
    assert stat.S_IMODE(answers.stat().st_mode) == 0o700
    files = list(answers.iterdir())
    assert files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_folder_that_others_may_write_is_refused(tmp_path):
    """Its answers cannot be trusted."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(CacheCorrupt, match="Others may write"):
        DiskStore(folder)


def test_a_folder_that_anybody_may_replace_is_refused(tmp_path):
    """Who may write to the folder above can put another in its place."""
    above = tmp_path / "above"
    above.mkdir()
    above.chmod(0o777)
    with pytest.raises(CacheCorrupt, match="Anybody may write"):
        DiskStore(above / "answers")
    above.chmod(0o1777)
    DiskStore(above / "answers").close()


def test_files_that_others_may_read_are_closed_to_them(store, answers):
    """Rights that somebody gave in the meantime are taken away again at the next opening."""
    (answers / "cache.db").chmod(0o644)
    DiskStore(answers).close()
    assert stat.S_IMODE((answers / "cache.db").stat().st_mode) == 0o600


def test_a_linked_database_is_refused(tmp_path, answers):
    """A link in place of the database may lead to anybody's; what it leads to stays as it is."""
    elsewhere = tmp_path / "elsewhere.db"
    elsewhere.write_bytes(b"mine")
    answers.mkdir(mode=0o700)
    (answers / "cache.db").symlink_to(elsewhere)
    with pytest.raises(CacheCorrupt, match="no plain file"):
        DiskStore(answers)
    assert elsewhere.read_bytes() == b"mine"


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path):
    """A file where the folder should be is told in a sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="cannot be used"):
        DiskStore(tmp_path / "file" / "answers")


def test_what_is_no_database_is_refused(answers):
    """Bytes that are no SQLite database stay as they are."""
    answers.mkdir(mode=0o700)
    (answers / "cache.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(CacheCorrupt):
        DiskStore(answers)
    assert (answers / "cache.db").read_bytes() == b"no database at all" * 100


def test_a_network_file_system_is_warned_of(answers, monkeypatch, caplog):
    """Whose device is mounted from another machine is told so, and goes on."""
    monkeypatch.setattr(guarding, "_REMOTE", _every_file_system())
    with caplog.at_level(logging.WARNING):
        DiskStore(answers).close()
    assert "network file system" in caplog.text


def _every_file_system():
    class Every:
        def __contains__(self, name):
            return True

    return Every()


def test_a_pickled_row_is_refused_and_not_run(store, answers):
    """A row that says it is a pickle raises; unpickling it would end this process."""
    plant(answers, mode=4, value=pickle.dumps(Bomb()))
    with pytest.raises(CacheCorrupt):
        store.get(KEY)
    assert store.strange_rows() == [KEY]


def test_a_pickled_key_is_never_unpickled(store, answers):
    """A key that says it is a pickle is passed over, and named as strange."""
    store.put(OTHER, b"answer")
    plant(answers, key=pickle.dumps(Bomb()), raw=0, value=b"")
    assert list(store) == [OTHER]
    assert [row[:2] for row in store.strange_rows()] == ["X'"]
    assert store.remove(list(store)) == 1
    assert store.strange_rows()


@pytest.mark.parametrize("mode", [1, 2, 3, 4])
def test_a_row_that_names_a_file_neither_reads_nor_deletes_it(store, answers, tmp_path, mode):
    """A file that a row points to stays unread and stays, whatever is done to the row."""
    secret = tmp_path / "secret"
    secret.write_text("mine")
    plant(answers, mode=mode, filename=str(secret))
    with pytest.raises(CacheCorrupt):
        store.get(KEY)
    with pytest.raises(CacheCorrupt):
        store.put(KEY, b"new")
    assert store.remove([KEY]) == 1
    assert secret.read_text() == "mine"


def test_a_row_that_expires_is_named(store, answers):
    """We write none; it would be asked, and paid, again."""
    store.put(KEY, b"answer")
    rows(answers, "UPDATE Cache SET expire_time = 1 WHERE key = ?", KEY)
    assert store.strange_rows() == [KEY]


def test_a_bomb_is_refused(store, answers, monkeypatch):
    """A record that unpacks to more than any reply is not unpacked."""
    monkeypatch.setattr(packing, "_MAX_RECORD", 2**16)
    bomb = bytes(2**20)
    plant(answers, value=sha256(bomb).digest()[:8] + zlib.compress(bomb))
    with pytest.raises(CacheCorrupt, match="not what was written"):
        store.get(KEY)


@pytest.mark.parametrize("left", [0, 5, 9, 20])
def test_a_truncated_record_is_noticed(store, answers, left):
    """A record whose end is gone raises instead of answering."""
    store.put(KEY, b"answer" * 99)
    rows(answers, "UPDATE Cache SET value = substr(value, 1, ?) WHERE key = ?", left, KEY)
    with pytest.raises(CacheCorrupt, match="not what was written"):
        store.get(KEY)


def test_a_changed_record_is_noticed(store, answers):
    """A record whose bytes were changed on disk raises instead of answering."""
    store.put(KEY, b"answer")
    rows(answers, "UPDATE Cache SET value = ? WHERE key = ?", b"12345678rubbish", KEY)
    with pytest.raises(CacheCorrupt, match="not what was written"):
        store.get(KEY)


def test_a_folder_of_another_program_is_refused(answers):
    """A folder of plain diskcache may hold pickles; it is not opened as ours."""
    answers.mkdir(mode=0o700)
    other = diskcache.Cache(str(answers))
    other["theirs"] = "value"
    other.close()
    with pytest.raises(CacheCorrupt, match="another format"):
        DiskStore(answers)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER theirs AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END",
        "CREATE VIEW theirs AS SELECT * FROM Cache",
        "CREATE TABLE theirs (a)",
        "INSERT INTO Settings VALUES ('_directory', '/elsewhere')",
        "INSERT INTO Settings VALUES ('sqlite_writable_schema', 1)",
        "UPDATE Settings SET value = 'OFF' WHERE key = 'sqlite_journal_mode'",
        "UPDATE Settings SET value = 1000 WHERE key = 'size_limit'",
        "UPDATE Settings SET value = 'one' WHERE key = 'count'",
        "UPDATE Cache SET value = X'00' WHERE key = 'format'",
        "UPDATE Cache SET mode = 4 WHERE key = 'format'",
        "DELETE FROM Cache WHERE key = 'format'",
    ],
)
def test_a_database_with_a_foreign_hand_in_it_is_not_opened(answers, statement):
    """Triggers, views, settings that diskcache would obey, another mark: all stays as it is."""
    store = DiskStore(answers)
    store.put(KEY, b"answer")
    store.close()
    rows(answers, statement)
    before = (answers / "cache.db").read_bytes()
    with pytest.raises(CacheCorrupt, match="another format"):
        DiskStore(answers)
    assert (answers / "cache.db").read_bytes() == before


def test_the_schema_is_that_of_diskcache(answers):
    """What we let pass is what the installed diskcache makes; a new one shows here."""
    DiskStore(answers).close()
    with closing(sqlite3.connect(answers / "cache.db")) as database:
        made = database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        assert {name: " ".join(sql.split()) for name, sql in made} == guarding._SCHEMA


def test_a_folder_in_the_making_passes(answers):
    """Another process may have made a part of it by now; while there is no row, it is ours."""
    answers.mkdir(mode=0o700)
    rows(answers, guarding._SCHEMA["Settings"])
    rows(answers, "INSERT INTO Settings VALUES ('cull_limit', 0)")
    DiskStore(answers).close()


def test_all_of_what_is_put_together_is_kept_or_none(store):
    """An error inside leaves nothing behind."""

    def fail():
        with store.together():
            store.put(KEY, b"answer")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert KEY not in store
    with store.together():
        store.put(KEY, b"answer")
        store.put(OTHER, b"answer")
    assert list(store) == [KEY, OTHER]


def test_what_is_removed_leaves_no_trace(store, answers):
    """The count falls, and the bytes are gone from every file."""
    text = os.urandom(40).hex().encode()
    store.put(KEY, text)
    store.put(OTHER, b"other")
    packed = store._cache.get(KEY)
    assert store.remove([KEY, "2" * 64, "format"]) == 1
    assert (len(store), list(store)) == (1, [OTHER])
    assert not any(packed in file.read_bytes() for file in answers.iterdir())
    DiskStore(answers).close()


def test_a_lock_that_lasts_is_an_error_of_ours(store, answers, monkeypatch):
    """Who cannot write within the time says so, and does not pretend to have written."""
    monkeypatch.setattr(storing, "PATIENCE", 0.05)
    impatient = DiskStore(answers)
    with closing(sqlite3.connect(answers / "cache.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CacheError, match="locked"):
            impatient.put(KEY, b"answer")
        other.execute("ROLLBACK")
    impatient.put(KEY, b"answer")
    impatient.close()


def test_many_keys_come_sorted(store, monkeypatch):
    """However many are fetched at once."""
    monkeypatch.setattr(storing, "_AT_ONCE", 3)
    keys = [f"{number:064x}" for number in range(10)]
    with store.together():
        for key in reversed(keys):
            store.put(key, b"answer")
    assert list(store) == keys
    assert store.size > 0


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    """`SPEX_CACHE_DIR` names it; else it is in the user's cache folder."""
    monkeypatch.setenv("SPEX_CACHE_DIR", str(tmp_path / "here"))
    assert answers_folder() == tmp_path / "here"
    monkeypatch.delenv("SPEX_CACHE_DIR")
    assert answers_folder().parts[-2:] == ("spex-api", "answers")
