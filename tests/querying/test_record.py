"""What stands on disk for an answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_api.completions import Completion, Fingerprint, canonical_json
from spex_api.errors import CacheCorrupt
from spex_api.querying.answers.record import (
    Keyed,
    Selection,
    fault,
    read_record,
    select,
    write_record,
)
from spex_api.querying.answers.store import DiskStore

FINGERPRINT = Fingerprint("http://host/v1", "m", {"b": [1, "é"], "a": 0.5}, 2)
ASKED = Keyed.of(FINGERPRINT)
ANSWER = Completion("yes", model="m-2026", fingerprint="fp", raw='{"a": "é\\n"}')
MOMENT = datetime(2026, 11, 25, 2, 3, 4, tzinfo=UTC)


def write(**changes) -> bytes:
    return write_record(ASKED, ANSWER, at=MOMENT, **changes)


def test_the_question_is_keyed_as_its_fingerprint_says():
    """Working it out once gives what the ladder gives."""
    assert ASKED.canonical == FINGERPRINT.canonical()
    assert ASKED.key == FINGERPRINT.digest()


def test_a_record_in_full():
    """The question, the reply byte for byte, when it came, and who served it; canonical JSON."""
    record = {
        "fingerprint": FINGERPRINT.ladder(),
        "raw": ANSWER.raw,
        "at": "2026-11-25T02:03:04+00:00",
        "record": 2,
        "served": "m-2026 fp",
    }
    assert write() == canonical_json(record).encode()
    read = read_record(write(), key=ASKED.key)
    assert (read.raw, read.when, read.served) == (ANSWER.raw, MOMENT, "m-2026 fp")
    assert read.key() == ASKED.key
    assert ASKED.is_answered_by(read, write())
    assert read.to_bytes() == write()


def test_a_record_of_the_first_format_is_read_for_ever():
    """What users have on disk had neither a version nor the served model."""
    old = canonical_json(
        {"fingerprint": FINGERPRINT.ladder(), "raw": "{}", "at": "2026-11-24T10:00:00+00:00"}
    ).encode()
    read = read_record(old, key=ASKED.key)
    assert (read.record, read.served, read.raw) == (1, "", "{}")
    assert ASKED.is_answered_by(read, old)
    assert fault(ASKED.key, read) == ""


def test_a_record_in_another_order_answers_too():
    """How its JSON is laid out is of no account."""
    spread = json.dumps(dict(reversed(json.loads(write()).items())), indent=1).encode()
    assert ASKED.is_answered_by(read_record(spread, key=ASKED.key), spread)


def test_a_record_can_do_without_its_prompt():
    """The digest stands in the body's place: it proves nothing, and answers who asks again."""
    sealed = write(with_prompt=False)
    assert b"body_sha256" in sealed
    assert "é".encode() not in sealed.replace(b'"raw":"{\\"a\\": \\"\xc3\xa9', b"")
    read = read_record(sealed, key=ASKED.key)
    assert read.key() is None
    assert fault(ASKED.key, read) == ""
    assert ASKED.is_answered_by(read, sealed)
    other = Keyed.of(Fingerprint("http://host/v1", "m", {"b": [1, "e"], "a": 0.5}, 2))
    assert not other.is_answered_by(read, sealed)
    assert read.to_bytes() == sealed


def test_another_question_is_not_answered():
    """A record under the wrong key is told from the right one, by asking and by proof."""
    other = Keyed.of(Fingerprint("http://host/v1", "m", {"a": 0.5}))
    read = read_record(write(), key=other.key)
    assert not other.is_answered_by(read, write())
    assert fault(other.key, read) == "it answers another question"


@pytest.mark.parametrize(
    "change",
    [
        {"raw": None},
        {"raw": 1},
        {"at": "yesterday"},
        {"at": "2026-11-24T10:00:00"},
        {"header": "authorization"},
        {"record": "2"},
        {"fingerprint": {}},
        {"fingerprint": {**FINGERPRINT.ladder(), "body_sha256": "0" * 64}},
        {"fingerprint": {**FINGERPRINT.ladder(), "sample_index": "2"}},
        {"fingerprint": {**FINGERPRINT.ladder(), "key": "sk-secret"}},
    ],
    ids=str,
)
def test_what_is_no_record_is_refused(change):
    """A wrong or missing field, or one too many, says which, without what it holds."""
    text = json.dumps({**json.loads(write()), **change})
    with pytest.raises(CacheCorrupt, match="not what was written") as refused:
        read_record(text, key=ASKED.key)
    assert "sk-secret" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 10_000, '{"raw": "\\ud800"}', "\x00"])
def test_hostile_json_is_refused(text):
    """Neither depth nor half a character gets further."""
    with pytest.raises(CacheCorrupt):
        read_record(text, key=ASKED.key)


def test_a_number_that_json_does_not_have_is_a_fault():
    """An infinite number in the question is told; nothing else breaks."""
    text = write().replace(b'"a":0.5', b'"a":1e999')
    assert fault(ASKED.key, read_record(text, key=ASKED.key)) == "its question is no JSON"


def test_a_later_version_asks_for_a_newer_package():
    """It is not half understood."""
    with pytest.raises(CacheCorrupt, match="Install the newest"):
        read_record(write().replace(b'"record":2', b'"record":4'), key=ASKED.key)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
_TEXT = st.text(max_size=20)


@given(body=st.dictionaries(_TEXT, _JSON, max_size=3), raw=_TEXT, model=_TEXT, with_prompt=...)
def test_whatever_is_written_is_read_and_proves_its_key(
    body: dict, raw: str, model: str, with_prompt: bool
):
    """For any body and any reply: the record comes back whole, answers its question alone."""
    asked = Keyed.of(Fingerprint("e", model, body))
    stored = write_record(asked, Completion("", model=model, raw=raw), with_prompt=with_prompt)
    record = read_record(stored, key=asked.key)
    assert record.raw == raw
    assert record.key() == (asked.key if with_prompt else None)
    assert asked.is_answered_by(record, stored)
    assert not Keyed.of(Fingerprint("f", model, body)).is_answered_by(record, stored)
    assert record.to_bytes() == stored


def test_a_selection_takes_what_meets_all_of_it(answers):
    """By model, by date and by key."""
    store = DiskStore(answers)
    keys = []
    for day, model in ((1, "a"), (2, "b"), (3, "a")):
        asked = Keyed.of(Fingerprint("e", model, {"day": day}))
        keys.append(asked.key)
        at = datetime(2026, 11, day, tzinfo=UTC)
        store.put(asked.key, write_record(asked, Completion("", raw="{}"), at=at))

    def taken(**settings) -> list[str]:
        return sorted(key for key, _ in select(store, Selection(**settings)))

    second = datetime(2026, 11, 2, tzinfo=UTC)
    assert taken() == sorted(keys)
    assert taken(model="a") == sorted([keys[0], keys[2]])
    assert taken(since=second) == sorted(keys[1:])
    assert taken(before=second) == [keys[0]]
    assert taken(model="a", since=second) == [keys[2]]
    assert taken(keys=frozenset(keys[1:2])) == [keys[1]]
    store.close()
