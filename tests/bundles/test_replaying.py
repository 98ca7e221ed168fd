"""A bundle is rebuilt by whoever has nothing else, and what was changed in it is found."""

from __future__ import annotations

import hashlib
import json
import socket

import pytest

from spex_api.audit_file import StoredAudit, write_audit
from spex_api.bundles.members import MANIFEST, Manifest, Versions, digest_of_spec
from spex_api.bundles.replaying import replay
from spex_api.errors import BundleRefused, CacheMiss, UsageError
from spex_api.querying.answers.record import Record
from tests.bundles.conftest import packed, resealed_answers


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No key, no address, and whoever connects fails."""
    monkeypatch.setenv("SPEX_OFFLINE", "1")

    def refuse(*_):
        raise AssertionError("A replay opened a connection.")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)


def texts(audit):
    """Everything that an audit says, as it is written."""
    return [
        StoredAudit.of(audit).text(),
        *(case.explanation.to_json() for case in audit.cases if case.explanation),
    ]


def test_it_gives_the_identical_audit(made, answers):
    """To the byte, pages and all; the reviewer's own answers are not touched."""
    found = replay(made.path)
    assert texts(found.audit) == texts(made.audit)
    assert (found.same_bytes, found.same_pages, found.furthest) == (True, True, None)
    assert found.num_answers == made.bundled.num_answers
    assert found.digest == made.bundled.digest
    assert found.audit.usage.sent == 0
    assert "identical to the byte" in " ".join(found.sentences)
    assert not answers.exists()


def test_a_folder_is_replayed_from_the_answers_on_disk(made, tmp_path, monkeypatch):
    """Whatever the environment says now of who answers; what was changed in it is found."""
    monkeypatch.setenv("SPEX_CACHE_DIR", str(made.answers))
    write_audit(made.audit, tmp_path)
    found = replay(tmp_path)
    assert (found.same_bytes, found.digest, found.same_pages) == (True, "", None)
    told = json.loads((tmp_path / "audit.json").read_text())
    told["usage"]["input_tokens"] += 30
    (tmp_path / "audit.json").write_text(json.dumps(told))
    with pytest.raises(BundleRefused, match=r"usage\.input_tokens is \d+ there, and \d+ from"):
        replay(tmp_path / "audit.json")
    told["spec"] = None
    (tmp_path / "audit.json").write_text(json.dumps(told))
    with pytest.raises(UsageError, match="does not carry the spec"):
        replay(tmp_path)


def changed(files, name, change):
    """The files with one of them changed."""
    data = change(files[name])
    assert data != files[name]
    return {**files, name: data}


def another_answer(data):
    """The answers, of which one says something else, with its own manifest made to fit."""
    first, *lines = data.splitlines(keepends=True)
    at = next(at for at, line in enumerate(lines) if b'\\"logprob\\": -0.31' in line)
    lines[at] = lines[at].replace(b'\\"logprob\\": -0.31', b'\\"logprob\\": -0.21')
    return resealed_answers([first, *lines])


def one_answer_less(data):
    """The answers without one of them."""
    return resealed_answers(data.splitlines(keepends=True)[:-1])


def one_answer_twice(data):
    """The answers, of which one is there under another question."""
    lines = data.splitlines(keepends=True)
    told = json.loads(lines[-1])
    told["record"]["fingerprint"]["body"]["messages"][-1]["content"] += " zebra"
    return resealed_answers([*lines, json.dumps(told).encode() + b"\n"])


def one_answer_more(data):
    """The answers, and one to a question that nobody asked."""
    lines = data.splitlines(keepends=True)
    told = json.loads(lines[-1])["record"]
    told["fingerprint"]["body"]["messages"][-1]["content"] += " zebra"
    record = Record.model_validate_json(json.dumps(told))
    line = b'{"key":"%s","record":%s}\n' % (record.key().encode(), record.to_bytes())
    return resealed_answers([*lines, line])


def put(old, new):
    """A change of a text."""
    return lambda data: data.replace(old, new, 1)


EXPLANATION = "cases/case-0-2a22aabc0395ff46/explanation.json"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("answers.jsonl", another_answer),
        ("answers.jsonl", one_answer_less),
        ("audit.json", put(b'"complete": false', b'"complete": true')),
        ("spec.json", put(b'"seed": 0', b'"seed": 1')),
        ("cases.jsonl", put(b"never bad", b"never mad")),
        ("plans.jsonl", put(b'"masks": 16', b'"masks": 15')),
        (EXPLANATION, put(b'"value": 0.', b'"value": 1.')),
        ("index.html", put(b"</h1>", b" and well</h1>")),
    ],
)
def test_whatever_is_changed_is_named(made, tmp_path, name, change):
    """Before anything is unpacked."""
    path = packed(tmp_path / "run.zip", changed(made.files(), name, change))
    with pytest.raises(BundleRefused, match="another size|was changed") as refusal:
        replay(path)
    assert repr(name) in str(refusal.value)
    assert "Nothing of it was used." in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (
            "answers.jsonl",
            put(b'"count":', b'"count":1'),
            "answers.jsonl' in it cannot be used.*of",
        ),
        ("answers.jsonl", put(b'logprob\\": -0.31', b'logprob\\": -0.21'), "their checksum"),
        ("answers.jsonl", one_answer_twice, "answers another question"),
        ("answers.jsonl", one_answer_more, "1 answers that the audit did not ask for"),
        ("answers.jsonl", another_answer, "does not follow from the answers"),
        ("spec.json", put(b'"seed": 0', b'"seed": 1'), "spec.json' in it is not as audit.json"),
        ("cases.jsonl", put(b"never bad", b"never mad"), "cases.jsonl' in it is not as audit.json"),
        ("plans.jsonl", put(b'"masks": 16', b'"masks": 15'), "plans.jsonl' in it is not as audit"),
        (
            "audit.json",
            put(b'"complete": false', b'"complete": true'),
            "complete is True, and False",
        ),
        ("audit.json", put(b'"id": "alone"', b'"id": "case 0"'), "two cases of one name"),
        ("audit.json", put(b'"seed": 0', b'"seed": 1'), "another spec than the manifest says"),
        ("audit.json", put(b"{", b"[{"), "'audit.json' in it cannot be used"),
        (EXPLANATION, put(b'"value": 0.', b'"value": 1.'), "its digest is another"),
        (EXPLANATION, put(b"{", b"{{"), "'audit.json' in it cannot be used.*digest"),
        ("index.html", put(b"</h1>", b" and well</h1>"), "'index.html' in it is not the page"),
    ],
)
def test_so_it_is_where_the_manifest_was_made_to_fit(made, tmp_path, name, change, words):
    """Each file has to fit the others, and what was computed the answers."""
    path = packed(tmp_path / "run.zip", changed(made.files(), name, change), sealed=True)
    with pytest.raises(BundleRefused, match=words):
        replay(path)


def test_an_answer_that_is_left_out_is_missed(made, tmp_path):
    """Where all manifests were made to fit: the audit asks for it."""
    files = changed(made.files(), "answers.jsonl", one_answer_less)
    with pytest.raises(CacheMiss, match="lacks an answer that its audit needs"):
        replay(packed(tmp_path / "run.zip", files, sealed=True))


def test_a_result_that_was_forged_throughout_is_not_that_of_the_answers(made, tmp_path):
    """Explanation, audit and manifest say the same, and the answers something else."""
    files = made.files()
    before = files[EXPLANATION]
    after = before.replace(b'"value": 0.', b'"value": 1.', 1)
    old, new = (hashlib.sha256(x).hexdigest().encode() for x in (before, after))
    files |= {EXPLANATION: after, "audit.json": files["audit.json"].replace(old, new)}
    with pytest.raises(BundleRefused, match="does not follow from the answers in it: ") as refusal:
        replay(packed(tmp_path / "run.zip", files, sealed=True))
    assert repr(EXPLANATION) in str(refusal.value)


def test_a_page_or_an_explanation_of_nobody_is_refused(made, tmp_path):
    """Also where the manifest names it."""
    for name, words in (
        ("cases/other/report.html", "the page of no case"),
        ("cases/other/explanation.json", "of no case"),
    ):
        files = {**made.files(), name: b"{}"}
        with pytest.raises(BundleRefused, match=words):
            replay(packed(tmp_path / "run.zip", files, sealed=True))


def test_who_answered_may_not_be_somebody_else(made, tmp_path):
    """The manifest names each model of the spec, and where it answered."""
    files = made.files()
    manifest = Manifest.model_validate_json(files[MANIFEST])
    for endpoints, words in (
        ({}, "names other models"),
        ({"openai:toy": "https://host/v1", "local": "x"}, "names other models"),
        ({"openai:toy": "HTTPS://HOST/v1/"}, "answered elsewhere"),
    ):
        forged = manifest.model_copy(update={"endpoints": endpoints}).text()
        with pytest.raises(BundleRefused, match=words):
            replay(packed(tmp_path / "run.zip", {**files, MANIFEST: forged}))


def test_a_spec_of_a_hostile_bundle_reads_no_file(made, tmp_path):
    """A model in a file of the reviewer's is not opened, whatever the bundle says of it."""
    files = made.files()
    manifest = Manifest.model_validate_json(files[MANIFEST])
    told = json.loads(files["audit.json"])
    told["spec"]["model"] = "local:/dev/zero"
    spec = {**told["spec"], "cases": [{"id": x["id"], **x["columns"]} for x in told["cases"]]}
    forged = manifest.model_copy(
        update={"endpoints": {"local:/dev/zero": "x"}, "spec_sha256": digest_of_spec(spec)}
    )
    files |= {
        "audit.json": json.dumps(told, indent=1, ensure_ascii=False).encode() + b"\n",
        "spec.json": files["spec.json"].replace(b"openai:toy", b"local:/dev/zero"),
        MANIFEST: forged.text(),
    }
    with pytest.raises(CacheMiss, match="lacks an answer"):
        replay(packed(tmp_path / "run.zip", files, sealed=True))


def test_other_versions_are_told_apart_from_forgery(made, tmp_path):
    """What differs in its last digits is the same to rounding, and the versions are said."""
    files = made.files()
    manifest = Manifest.model_validate_json(files[MANIFEST])
    older = manifest.model_copy(
        update={"versions": Versions.here().model_copy(update={"numpy": "2.0.0"})}
    )
    explanation = json.loads(files[EXPLANATION])
    explanation["baseline"] += 1e-12
    text = json.dumps(explanation, indent=1, ensure_ascii=False).encode() + b"\n"
    old, new = (hashlib.sha256(x).hexdigest().encode() for x in (files[EXPLANATION], text))
    files |= {
        EXPLANATION: text,
        "audit.json": files["audit.json"].replace(old, new),
        MANIFEST: older.text(),
    }
    found = replay(packed(tmp_path / "run.zip", files, sealed=True))
    assert not found.same_bytes
    assert found.same_pages is None
    said = " ".join(found.sentences)
    assert "the same to rounding" in said
    assert "baseline" in said
    assert "NumPy 2.0.0" in said


def test_a_spec_that_tells_more_today_is_the_same_spec(made, tmp_path):
    """A bundle of a version that knew fewer keys, whose usual values are those of today."""
    files = made.files()
    manifest = Manifest.model_validate_json(files[MANIFEST])
    told = json.loads(files["audit.json"])
    del told["spec"]["masks"], told["spec"]["cache"]
    spec = {**told["spec"], "cases": [{"id": x["id"], **x["columns"]} for x in told["cases"]]}
    text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    files |= {
        "audit.json": text.encode(),
        "spec.json": (json.dumps(told["spec"], indent=1, ensure_ascii=False) + "\n").encode(),
        MANIFEST: manifest.model_copy(update={"spec_sha256": digest_of_spec(spec)}).text(),
    }
    assert replay(packed(tmp_path / "run.zip", files, sealed=True)).same_bytes
