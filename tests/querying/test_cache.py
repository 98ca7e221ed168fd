"""The folder of answers: nothing is lost, nothing foreign is run, read or deleted."""

from __future__ import annotations

import asyncio
import os
import pickle
import sqlite3
import stat
from typing import TYPE_CHECKING

import diskcache
import pytest

from spex_api.completions import CompletionRequest, Fingerprint, Message
from spex_api.errors import CacheCorrupt, CacheMiss
from spex_api.querying.cache import Cached, DiskStore, Offline, answers_folder
from spex_api.querying.policy import Meter
from spex_api.testing import FunctionAdapter

if TYPE_CHECKING:
    from pathlib import Path

KEY = "0" * 64


def ask(text: str = "Good?", **settings) -> CompletionRequest:
    return CompletionRequest((Message("user", text),), **settings)


@pytest.fixture
def store(answers):
    opened = DiskStore(answers)
    yield opened
    opened.close()


def rows(folder: Path, statement: str, *values: object) -> None:
    """Does to the database what somebody with a hostile hand would."""
    with sqlite3.connect(folder / "cache.db") as database:
        database.execute(statement, values)
    database.close()


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


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return os.abort, ()


def test_a_pickled_row_is_refused_and_not_run(store, answers):
    """A row that says it is a pickle raises; unpickling it would end this process."""
    rows(
        answers,
        "INSERT INTO Cache(key, raw, store_time, access_time, mode, value) "
        "VALUES (?, 1, 0, 0, 4, ?)",
        KEY,
        pickle.dumps(Bomb()),
    )
    with pytest.raises(CacheCorrupt):
        store.get(KEY)


def test_a_row_that_names_a_file_neither_reads_nor_deletes_it(store, answers, tmp_path):
    """A file that a row points to stays unread and stays."""
    secret = tmp_path / "secret"
    secret.write_text("mine")
    rows(
        answers,
        "INSERT INTO Cache(key, raw, store_time, access_time, mode, filename) "
        "VALUES (?, 1, 0, 0, 2, ?)",
        KEY,
        str(secret),
    )
    with pytest.raises(CacheCorrupt):
        store.get(KEY)
    with pytest.raises(CacheCorrupt):
        store.put(KEY, b"new")
    assert secret.read_text() == "mine"


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


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    """`SPEX_CACHE_DIR` names it; else it is in the user's cache folder."""
    monkeypatch.setenv("SPEX_CACHE_DIR", str(tmp_path / "here"))
    assert answers_folder() == tmp_path / "here"
    monkeypatch.delenv("SPEX_CACHE_DIR")
    assert answers_folder().parts[-2:] == ("spex-api", "answers")


def test_a_second_asking_is_free(store):
    """The model is asked once; the second answer is the first, read again from disk."""
    model = FunctionAdapter(lambda messages: {"yes": -0.1, "no": -2.0})
    meter = Meter()
    cached = Cached(model, store, meter)
    first = asyncio.run(cached.complete(ask()))
    assert asyncio.run(cached.complete(ask())) == first
    assert len(model.requests) == 1
    assert meter.cached == 1


def test_an_answer_is_on_disk_before_it_is_used(answers):
    """When `complete` returns, another process already finds the answer."""
    store = DiskStore(answers)
    cached = Cached(FunctionAdapter(lambda messages: {"yes": -0.1}), store, Meter())
    asyncio.run(cached.complete(ask()))
    other = DiskStore(answers)
    assert other.get(cached.fingerprint(ask()).digest())
    other.close()
    store.close()


def test_a_failure_is_not_an_answer(store):
    """Nothing is kept of a request that raised, so it is asked again."""

    def fail(messages):
        raise RuntimeError("broken")

    model = FunctionAdapter(fail)
    cached = Cached(model, store, Meter())
    for _ in range(2):
        with pytest.raises(RuntimeError):
            asyncio.run(cached.complete(ask()))
    assert len(model.requests) == 2
    assert len(store) == 0


def test_offline_names_the_missing_answer(store):
    """Without a connection a hit answers, and a miss says which question it was."""
    model = FunctionAdapter(lambda messages: {"yes": -0.1})
    asyncio.run(Cached(model, store, Meter()).complete(ask()))
    offline = Cached(Offline(model), store, Meter())
    assert asyncio.run(offline.complete(ask())).text == "yes"
    with pytest.raises(CacheMiss, match="'Bad\\?'"):
        asyncio.run(offline.complete(ask("Bad?")))
    assert len(model.requests) == 1


def test_a_record_under_the_wrong_key_is_refused(store):
    """A record moved under another question's key does not answer it."""
    model = FunctionAdapter(lambda messages: {"yes": -0.1})
    cached = Cached(model, store, Meter())
    asyncio.run(cached.complete(ask()))
    moved = store.get(cached.fingerprint(ask()).digest())
    store.put(cached.fingerprint(ask("Bad?")).digest(), moved)
    with pytest.raises(CacheCorrupt, match="another question"):
        asyncio.run(cached.complete(ask("Bad?")))


def test_the_key_ladder():
    """Each rung follows from the one above; this key is on users' disks and must not change."""
    fingerprint = Fingerprint("http://host/v1", "m", {"b": [1, "é"], "a": 0.5}, 2)
    assert fingerprint.canonical() == (
        '{"body":{"a":0.5,"b":[1,"é"]},"endpoint":"http://host/v1","key_schema":1,"model":"m",'
        '"sample_index":2}'
    )
    assert fingerprint.digest() == (
        "47ae01073cab2275cf3e391487cb6a580cf56109006520b0697bbf24648bedd8"
    )


@pytest.mark.parametrize(
    "other",
    [
        Fingerprint("http://host/v2", "m", {"a": 1}),
        Fingerprint("http://host/v1", "n", {"a": 1}),
        Fingerprint("http://host/v1", "m", {"a": 2}),
        Fingerprint("http://host/v1", "m", {"a": 1}, 1),
    ],
)
def test_every_rung_counts(other):
    """Another endpoint, model, body or sample is another question."""
    assert Fingerprint("http://host/v1", "m", {"a": 1}).digest() != other.digest()
