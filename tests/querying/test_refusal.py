"""What the endpoint refused for good is on disk, and is refused again without a question sent."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_api import errors
from spex_api.completions import Completion, CompletionRequest, Fingerprint, Message, canonical_json
from spex_api.errors import (
    AuthenticationFailed,
    BadRequest,
    BundleRefused,
    CacheCorrupt,
    ContentFiltered,
    ContextTooLong,
    MalformedReply,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from spex_api.querying.answers.bundle import export_bundle, import_bundle
from spex_api.querying.answers.record import (
    Keyed,
    Selection,
    fault,
    faults,
    read_record,
    select,
    write_record,
    write_refusal,
)
from spex_api.querying.answers.refusal import Refused
from spex_api.querying.answers.store import DiskStore
from spex_api.querying.cache import Cached, Mode
from spex_api.querying.policy import Meter
from spex_api.testing import FunctionAdapter

ASKED = Keyed.of(Fingerprint("http://host/v1", "m", {"b": [1, "é"], "a": 0.5}, 2))
MOMENT = datetime(2026, 11, 25, 2, 3, 4, tzinfo=UTC)
REFUSED = ContentFiltered(
    "The endpoint refuses the prompt for what it says (400): “é”.", advice="Say it otherwise."
)
KINDS = [BadRequest, ContentFiltered, ContextTooLong]


def ask(text: str) -> CompletionRequest:
    return CompletionRequest((Message("user", text),))


def refusing(**refusals: Exception) -> FunctionAdapter:
    """A model that refuses some questions for good, and answers the others."""

    def answer(messages):
        refusal = refusals.get(messages[-1].content)
        if refusal is not None:
            raise refusal
        return {"yes": -0.1}

    return FunctionAdapter(answer)


def outcome(cached: Cached, text: str) -> str | Exception:
    """What comes of asking: a text, or the error."""
    try:
        return asyncio.run(cached.complete(ask(text))).text
    except errors.SpexError as error:
        return error


@pytest.fixture
def store(answers):
    opened = DiskStore(answers)
    yield opened
    opened.close()


def test_a_refusal_in_full():
    """A record of its own kind: the question, when, and the refusal; canonical JSON, no reply."""
    record = {
        "fingerprint": ASKED.fingerprint.ladder(),
        "raw": "",
        "at": "2026-11-25T02:03:04+00:00",
        "record": 3,
        "served": "",
        "refused": {
            "kind": "content_filtered",
            "cause": REFUSED.cause,
            "advice": "Say it otherwise.",
        },
    }
    written = write_refusal(ASKED, REFUSED, at=MOMENT)
    assert written == canonical_json(record).encode()
    read = read_record(written, key=ASKED.key)
    assert (read.key(), fault(ASKED.key, read)) == (ASKED.key, "")
    assert ASKED.is_answered_by(read, written)
    assert read.to_bytes() == written


def test_a_refusal_can_do_without_its_prompt():
    """The digest stands in the question's place, as in an answer's record."""
    sealed = write_refusal(ASKED, REFUSED, with_prompt=False, at=MOMENT)
    read = read_record(sealed, key=ASKED.key)
    assert read.key() is None
    assert ASKED.is_answered_by(read, sealed)
    assert read.to_bytes() == sealed


def test_each_class_of_refusals_has_a_kind_and_comes_back():
    """A new one is to be given a kind; one of another package comes back as ours above it."""
    ours = [
        kind
        for kind in map(errors.__dict__.get, errors.__all__)
        if isinstance(kind, type) and issubclass(kind, BadRequest)
    ]
    assert set(ours) == set(KINDS)
    assert len({Refused.of(kind("No.")).kind for kind in ours}) == len(ours)
    for kind in ours:
        back = Refused.of(kind("No.", cost="Billed.", retry_after=3.0)).error(MOMENT)
        assert type(back) is kind
        assert (back.cause, back.cost, back.unbilled, back.retry_after) == ("No.", "", True, None)

    class Theirs(ContextTooLong):
        """Another package's."""

    assert type(Refused.of(Theirs("No.")).error(MOMENT)) is ContextTooLong


@given(cause=st.text(max_size=30), advice=st.text(max_size=30), with_prompt=...)
def test_whatever_was_said_is_read_again(cause: str, advice: str, with_prompt: bool):
    """For any sentence: the record is read, and lays itself out as it was written."""
    written = write_refusal(ASKED, BadRequest(cause, advice=advice), with_prompt=with_prompt)
    read = read_record(written, key=ASKED.key)
    assert read.to_bytes() == written
    assert read.refused is not None
    assert (read.refused.cause, read.refused.advice) == (cause, advice)
    assert read.refused.error(read.when).cause.isprintable()


def test_half_a_character_and_a_flood_are_kept_within_bounds():
    """What no file can hold, and what nobody reads, is not what a record fails by."""
    read = read_record(write_refusal(ASKED, BadRequest("\ud800" + "x" * 9999)), key=ASKED.key)
    assert read.refused is not None
    assert len(read.refused.cause) == 4096
    assert read.refused.cause.startswith("?xx")


def _changed(**changes) -> str:
    return json.dumps({**json.loads(write_refusal(ASKED, REFUSED)), **changes})


@pytest.mark.parametrize(
    "text",
    [
        _changed(record=2),
        _changed(record=1),
        _changed(raw="{}"),
        _changed(served="m"),
        _changed(refused=None),
        _changed(refused="No."),
        _changed(refused={"kind": "authentication_failed", "cause": "No."}),
        _changed(refused={"kind": "bad_request"}),
        _changed(refused={"kind": "bad_request", "cause": 1}),
        _changed(refused={"kind": "bad_request", "cause": "No.", "headers": "sk-secret"}),
        _changed(refused={"kind": "bad_request", "cause": "x" * 4097}),
    ],
)
def test_what_is_neither_an_answer_nor_a_refusal_is_refused(text):
    """A record that says both, or neither, or a kind that there is not."""
    with pytest.raises(CacheCorrupt, match="not what was written") as told:
        read_record(text, key=ASKED.key)
    assert "sk-secret" not in str(told.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.REPLAY])
@pytest.mark.parametrize("with_prompt", [True, False])
def test_a_later_run_is_refused_alike_and_sends_nothing(store, kind, mode, with_prompt):
    """The same class and cause, no cost, and the word that it is from disk."""
    first = refusing(bad=kind("Refused: bad.", advice="Change it.", cost="Billed."))
    cached = Cached(first, store, Meter(), store_prompts=with_prompt)
    assert outcome(cached, "good") == "yes"
    assert outcome(cached, "bad").cause == "Refused: bad."

    later, meter = refusing(), Meter()
    again = outcome(Cached(later, store, meter, mode), "bad")
    assert type(again) is kind
    assert (again.cause, again.cost, again.unbilled) == ("Refused: bad.", "", True)
    assert again.advice.startswith("Change it. Refused on 20")
    assert again.advice.endswith("not sent again: a refresh asks anew.")
    assert later.requests == []
    assert (meter.sent, meter.cached) == (0, 0)


def test_a_run_asks_once_for_what_it_is_refused(store):
    """The second asking of the same run has the same error, and nothing is sent for it."""
    model = refusing(bad=BadRequest("No."))
    cached = Cached(model, store, Meter())
    for _ in range(2):
        assert outcome(cached, "bad").cause == "No."
    assert len(model.requests) == 1


def test_a_refresh_asks_a_refused_question_anew(store):
    """Whoever has other rights by now is answered, and the answer takes the refusal's place."""
    outcome(Cached(refusing(bad=ContentFiltered("No.")), store, Meter()), "bad")
    assert outcome(Cached(refusing(), store, Meter(), Mode.REFRESH), "bad") == "yes"
    assert outcome(Cached(refusing(), store, Meter(), Mode.REPLAY), "bad") == "yes"


def test_a_refresh_that_is_refused_is_replayed_as_refused(store):
    """What a refresh found out holds, whatever was there before."""
    assert outcome(Cached(refusing(), store, Meter()), "bad") == "yes"
    refresh = Cached(refusing(bad=ContentFiltered("No.")), store, Meter(), Mode.REFRESH)
    assert outcome(refresh, "bad").cause == "No."
    assert outcome(Cached(refusing(), store, Meter(), Mode.REPLAY), "bad").cause == "No."


@pytest.mark.parametrize(
    "kind", [AuthenticationFailed, QuotaExhausted, RateLimited, Unavailable, MalformedReply]
)
def test_what_says_nothing_of_the_question_is_not_kept(store, kind):
    """A key, an account, a pace and a failure are another matter tomorrow."""
    cached = Cached(refusing(bad=kind("No.")), store, Meter())
    assert outcome(cached, "good") == "yes"
    assert type(outcome(cached, "bad")) is kind
    assert len(store) == 1


def test_a_refusal_of_everything_is_not_kept(store):
    """A wrong address or an unknown model is mended, and then the same command must go on."""
    model = refusing(one=BadRequest("No such model."), two=BadRequest("No such model."))
    cached = Cached(model, store, Meter())
    for text in ("one", "two"):
        assert outcome(cached, text).cause == "No such model."
    assert len(store) == 0
    mended = Cached(refusing(), store, Meter())
    assert outcome(mended, "one") == "yes"


def test_an_answer_proves_earlier_refusals_too(store):
    """What came before the first answer of a run is kept with it; so is what follows a batch's."""
    model = refusing(one=BadRequest("No."), two=BadRequest("No."))
    cached = Cached(model, store, Meter())
    for text in ("one", "two", "good"):
        outcome(cached, text)
    assert len(store) == 3
    fresh = Cached(refusing(three=BadRequest("No.")), store, Meter())
    outcome(fresh, "three")
    assert len(store) == 3
    fresh.keep(ask("by batch"), Completion("yes", raw='{"yes": -0.1}'))
    assert len(store) == 5


def test_an_answer_of_meanwhile_is_not_lost_to_a_refusal(store):
    """What another process, or a batch, was answered after this run was refused stays on disk."""
    cached = Cached(refusing(one=BadRequest("No."), two=BadRequest("No.")), store, Meter())
    for text in ("one", "two"):
        outcome(cached, text)
    assert outcome(Cached(refusing(), store, Meter()), "one") == "yes"
    cached.keep(ask("two"), Completion("yes", raw='{"yes": -0.1}'))
    assert outcome(cached, "two") == "yes"
    for text in ("one", "two"):
        assert outcome(Cached(refusing(), store, Meter(), Mode.REPLAY), text) == "yes"


def test_an_answer_from_disk_proves_nothing(store):
    """It says what was at that address once, not what is there now."""
    outcome(Cached(refusing(), store, Meter()), "good")
    cached = Cached(refusing(bad=BadRequest("No such model.")), store, Meter())
    assert outcome(cached, "good") == "yes"
    assert outcome(cached, "bad").cause == "No such model."
    assert len(store) == 1


def test_all_who_ask_at_once_are_refused_by_one(store):
    """One question goes out, and the refusal is on disk once."""

    async def main():
        model = refusing(bad=ContextTooLong("Too long."))
        cached = Cached(model, store, Meter())
        tasks = [asyncio.create_task(cached.complete(ask("bad"))) for _ in range(5)]
        errors_of_all = await asyncio.gather(*tasks, return_exceptions=True)
        return len(model.requests), {type(error) for error in errors_of_all}

    assert asyncio.run(main()) == (1, {ContextTooLong})
    assert len(store) == 1


def test_a_refusal_under_another_key_refuses_nothing(store):
    """A record that was moved is corrupt, whatever it says."""
    cached = Cached(refusing(bad=ContentFiltered("No.")), store, Meter())
    outcome(cached, "bad")
    store.put(cached.key(ask("good")), store.get(cached.key(ask("bad"))))
    assert isinstance(outcome(cached, "good"), CacheCorrupt)
    assert [key for key, _ in faults(store)] == [cached.key(ask("good"))]


def test_what_acts_on_a_terminal_is_taken_out(store):
    """Foreign words may hold anything; what is raised is one printable line."""
    cached = Cached(refusing(), store, Meter())
    request = ask("bad")
    record = write_refusal(
        Keyed.of(cached.fingerprint(request)), BadRequest("No\x1b[2J\nway.", advice="Go\u202e.")
    )
    store.put(cached.key(request), record)
    assert str(outcome(cached, "bad")).isprintable()


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.zst"])
def test_a_bundle_carries_refusals(store, tmp_path, ending):
    """Exported, checked, imported, and refused there as here; a second import changes nothing."""
    cached = Cached(refusing(bad=ContentFiltered("No.")), store, Meter())
    outcome(cached, "good")
    outcome(cached, "bad")
    path = tmp_path / f"bundle{ending}"
    assert export_bundle(store, path).count == 2
    there = DiskStore(tmp_path / "there")
    done = import_bundle(there, path)
    assert (done.count, done.known, done.conflicts) == (2, 0, ())
    assert type(outcome(Cached(refusing(), there, Meter(), Mode.REPLAY), "bad")) is ContentFiltered
    assert there.get(cached.key(ask("bad"))) == store.get(cached.key(ask("bad")))
    done = import_bundle(there, path)
    assert (done.count, done.known, done.conflicts) == (0, 2, ())
    there.close()


def test_an_import_replaces_neither_by_the_other(store, tmp_path):
    """An answer here and a refusal there are in conflict, and what is here stays."""
    store.put(ASKED.key, write_refusal(ASKED, REFUSED, at=MOMENT))
    path = tmp_path / "bundle.jsonl"
    export_bundle(store, path)
    there = DiskStore(tmp_path / "there")
    answer = write_record(ASKED, Completion("", raw="{}"), at=MOMENT)
    there.put(ASKED.key, answer)
    assert import_bundle(there, path).conflicts == (ASKED.key,)
    assert there.get(ASKED.key) == answer
    there.close()


def test_a_touched_refusal_refuses_the_bundle(store, tmp_path):
    """One that says an answer as well is no record; nothing is taken in."""
    store.put(ASKED.key, write_refusal(ASKED, REFUSED, at=MOMENT))
    path = tmp_path / "bundle.jsonl"
    export_bundle(store, path)
    path.write_bytes(path.read_bytes().replace(b'"raw":""', b'"raw":"{}"'))
    there = DiskStore(tmp_path / "there")
    with pytest.raises(BundleRefused, match="line 2 is no record"):
        import_bundle(there, path)
    assert len(there) == 0
    there.close()


def test_refusals_are_verified_selected_and_purged_as_answers_are(store):
    """By model and by date; nothing is wrong with them."""
    store.put(ASKED.key, write_refusal(ASKED, REFUSED, at=MOMENT))
    assert list(faults(store)) == []
    assert [key for key, _ in select(store, Selection(model="m", since=MOMENT))] == [ASKED.key]
    assert list(select(store, Selection(before=MOMENT))) == []
    assert store.remove([ASKED.key]) == 1
    assert len(store) == 0
