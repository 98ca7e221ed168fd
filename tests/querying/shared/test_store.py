"""Answers in a real PostgreSQL: kept as on disk, claimed by one, and there after a kill -9."""

from __future__ import annotations

import asyncio
import pickle
import threading
from contextlib import closing

import psycopg
import pytest

from spex_api.completions import CompletionRequest, Message
from spex_api.errors import CacheCorrupt, CacheError, UsageError
from spex_api.querying.answers.bundle import export_bundle, import_bundle
from spex_api.querying.answers.store import DiskStore
from spex_api.querying.cache import Cached
from spex_api.querying.policy import Meter
from spex_api.querying.shared.store import PostgresStore
from spex_api.testing import FunctionAdapter
from tests.postgres import PASSWORD

KEY = "ab" * 32
OTHER = "cd" * 32


@pytest.fixture
def store(store_url):
    """An empty store."""
    with closing(PostgresStore(store_url, patience=30)) as opened:
        yield opened


def asked(text="question"):
    return CompletionRequest((Message("user", text),))


def test_a_record_is_kept_and_found_and_removed(store):
    """As in every store: by key, over another one, and sorted."""
    assert (store.get(KEY), KEY in store, len(store)) == (None, False, 0)
    store.put(OTHER, b"other")
    store.put(KEY, b"first")
    store.put(KEY, b"second")
    assert (store.get(KEY), list(store), len(store)) == (b"second", [KEY, OTHER], 2)
    assert store.size > 0
    assert (store.remove([KEY, "ef" * 32]), list(store)) == (1, [OTHER])


def test_what_is_put_together_is_kept_together(store):
    """It is seen inside at once; where something is raised, none of it is kept."""
    seen = []

    def broken_off():
        with store.together():
            store.put(KEY, b"lost")
            seen.append(store.get(KEY))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_off()
    assert (seen, store.get(KEY)) == ([b"lost"], None)
    with store.together(), store.together():
        store.put(KEY, b"kept")
    assert store.get(KEY) == b"kept"


def test_a_record_that_was_changed_is_refused(store, store_url):
    """Nothing in the database is trusted, and nothing of it is unpickled."""
    store.put(KEY, b"record")
    with psycopg.connect(store_url) as other:
        other.execute("UPDATE spex.records SET record = %s", (pickle.dumps("record"),))
    with pytest.raises(CacheCorrupt, match="not what was written"):
        store.get(KEY)


def test_a_claim_is_one_sessions_and_ends_with_it(store, store_url):
    """Another process may claim once the first has released, or is gone."""
    with closing(PostgresStore(store_url)) as other:
        assert (store.claim(KEY), other.claim(KEY), other.claim(OTHER)) == (True, False, True)
        store.release(KEY)
        assert store.get(KEY) is None  # what was asked before is done by now
        assert other.claim(KEY)
    assert store.claim(KEY)


def test_answers_and_claims_are_there_after_a_kill(store, store_url, postgres):
    """The server is killed by -9 and started again; who held a claim holds it again."""
    store.put(KEY, b"record")
    assert store.claim(OTHER)
    postgres.kill()
    starting = threading.Timer(0.3, postgres.start)
    starting.start()
    try:
        assert store.get(KEY) == b"record"
    finally:
        starting.join()
    with closing(PostgresStore(store_url)) as other:
        assert not other.claim(OTHER)


def test_an_event_loop_goes_on_while_the_store_is_gone(store, postgres):
    """An answer that is paid waits for the server, and only that: then it is kept."""
    model, meter = FunctionAdapter(lambda messages: {"yes": 0.0}), Meter()
    cached = Cached(model, store, meter)

    async def main():
        store.get(KEY)
        postgres.kill()
        asking = asyncio.create_task(cached.complete(asked()))
        ticks = 0
        for _ in range(10):
            await asyncio.sleep(0.01)
            ticks += 1
        assert not asking.done()
        await asyncio.to_thread(postgres.start)
        return ticks, (await asking).text

    assert asyncio.run(main()) == (10, "yes")
    assert asyncio.run(cached.complete(asked())).text == "yes"
    assert (len(model.requests), meter.cached, len(store)) == (1, 1, 1)


def test_a_server_that_stays_away_is_told_in_a_sentence(store_url, postgres):
    """What is safe and what to do; the password is not said, and the next to ask waits no more."""
    with closing(PostgresStore(store_url, patience=0.2)) as store:
        postgres.kill()
        try:
            with pytest.raises(CacheError) as told:
                store.get(KEY)
            with pytest.raises(CacheError):
                store.put(KEY, b"record")
        finally:
            postgres.start()
        assert "cannot be reached" in str(told.value)
        assert "is in it" in told.value.safe
        assert PASSWORD not in str(told.value) + repr(told.value) + repr(store) + store.url
        store.put(KEY, b"record")
        assert store.get(KEY) == b"record"


def test_a_wrong_password_is_refused_at_once_and_not_repeated(store_url):
    """It is in no part of the error."""
    wrong = store_url.replace(PASSWORD, "wr0ng-and-secret")
    with pytest.raises(CacheError, match="password authentication failed") as told:
        PostgresStore(wrong)
    assert "wr0ng" not in f"{told.value} {told.value!r} {told.value.__cause__}"


def test_the_same_question_at_once_from_two_stores_is_sent_once(store_url):
    """As two machines do; the second finds what the first was answered."""

    class Slow(FunctionAdapter):
        async def complete(self, request):
            await asyncio.sleep(0.2)
            return await super().complete(request)

    async def main():
        with (
            closing(PostgresStore(store_url)) as one,
            closing(PostgresStore(store_url)) as two,
        ):
            models = [Slow(lambda messages: {"yes": 0.0}) for _ in range(2)]
            caches = [
                Cached(model, store, Meter())
                for model, store in zip(models, (one, two), strict=True)
            ]
            texts = await asyncio.gather(
                *(cached.complete(asked()) for cached in caches for _ in range(3))
            )
            return {each.text for each in texts}, sum(len(model.requests) for model in models)

    assert asyncio.run(main()) == ({"yes"}, 1)


def test_a_bundle_goes_from_disk_into_the_store_and_back(store, answers, tmp_path):
    """The records are the same bytes."""
    with closing(DiskStore(answers)) as disk:
        cached = Cached(FunctionAdapter(lambda messages: {"yes": 0.0}), disk, Meter())
        asyncio.run(cached.complete(asked()))
        export_bundle(disk, tmp_path / "one.jsonl", dated_now=False)
        assert import_bundle(store, tmp_path / "one.jsonl").count == 1
        export_bundle(store, tmp_path / "two.jsonl", dated_now=False)
        assert {key: store.get(key) for key in store} == {key: disk.get(key) for key in disk}
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["CREATE SCHEMA spex"], "somebody else has a schema"),
        (
            [
                "CREATE SCHEMA spex",
                "CREATE TABLE spex.about (format text, version integer)",
                "INSERT INTO spex.about VALUES ('spex-api store', 99)",
            ],
            "of version 99",
        ),
    ],
)
def test_a_schema_that_is_not_ours_is_refused(store_url, statements, said):
    """Another's, and a newer one; nothing in it is touched."""
    with psycopg.connect(store_url) as other:
        for statement in statements:
            other.execute(statement)
    with pytest.raises(CacheCorrupt, match=said):
        PostgresStore(store_url)


def test_a_store_is_not_pickled(store):
    """Each process opens its own."""
    with pytest.raises(UsageError, match="another process"):
        pickle.dumps(store)
