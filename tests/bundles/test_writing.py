"""A bundle holds what a reviewer needs, and nothing that is nobody's business."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from spex_api.audit_spec import check_audit_spec
from spex_api.audited import Audit
from spex_api.bundles.members import MANIFEST, Manifest
from spex_api.bundles.writing import check_bundled, write_bundle
from spex_api.errors import CacheError, CacheMiss, UsageError
from spex_api.querying.answers.store import DiskStore
from tests.bundles.conftest import CASES, SECRET, TABLES


def test_what_is_in_it(made):
    """Spec, rows, plans, answers, audit, explanations and pages, with a checksum each."""
    files = made.files()
    folders = [case.folder for case in made.audit.cases[:2]]
    assert set(files) == {
        "manifest.json",
        "spec.json",
        "cases.jsonl",
        "plans.jsonl",
        "answers.jsonl",
        "audit.json",
        "index.html",
        *(f"cases/{folder}/explanation.json" for folder in folders),
        *(f"cases/{folder}/report.html" for folder in folders),
    }
    manifest = Manifest.model_validate_json(files[MANIFEST])
    assert set(manifest.members) == set(files) - {MANIFEST}
    assert manifest.endpoints == {"openai:toy": made.server.url}
    assert [json.loads(line) for line in files["cases.jsonl"].splitlines()] == CASES
    plans = [json.loads(line) for line in files["plans.jsonl"].splitlines()]
    assert [plan["masks"] for plan in plans] == [16, 16, 0]


def test_only_answers_that_the_audit_stands_on(made):
    """What else is in the same folder is somebody else's question."""
    answers = made.files()["answers.jsonl"].splitlines()[1:]
    assert len(answers) == made.bundled.num_answers == len(made.server.bodies)


def test_no_key_is_in_it(made):
    """Neither in a file of it, nor in the bytes of the zip; nor where the user's folders are."""
    for data in (made.path.read_bytes(), *made.files().values()):
        assert SECRET.encode() not in data
        assert b"secret" not in data
        assert str(made.answers).encode() not in data
        assert os.environ.get("HOME", "/nobody").encode() + b"/" not in data


def test_the_same_audit_makes_the_same_bytes(made, tmp_path):
    """Whenever it is written, and wherever; no page makes a smaller one."""
    again = tmp_path / "again.zip"
    with_store = DiskStore(made.answers)
    assert write_bundle(made.audit, again, store=with_store).digest == made.bundled.digest
    assert again.read_bytes() == made.path.read_bytes()
    assert write_bundle(made.audit, again, store=with_store, pages=False).num_answers > 0
    assert again.stat().st_size < made.path.stat().st_size / 2
    with_store.close()


def test_what_does_not_follow_from_the_answers_is_not_bundled(made, tmp_path):
    """Neither another result, nor one whose answers are gone; no file is left behind."""
    other = replace(made.audit, ending="It went well.")
    store = DiskStore(made.answers)
    with pytest.raises(CacheError, match="give another audit than this one"):
        write_bundle(other, tmp_path / "run.zip", store=store)
    store.close()
    with pytest.raises(CacheMiss, match="Audit again with the same settings"):
        write_bundle(made.audit, tmp_path / "run.zip")
    assert not list(tmp_path.glob("*.zip")) + list(tmp_path.glob(".*"))


def test_what_no_file_can_hold_is_told(tmp_path):
    """An audit by a function, a spec that wants no prompts stored, a file of another name."""
    with pytest.raises(UsageError, match="a function of yours"):
        write_bundle(Audit(()), tmp_path / "run.zip")
    spec = check_audit_spec({**TABLES, "cache": {"store_prompts": False}}, source="the test")
    with pytest.raises(UsageError, match="wants no prompts stored"):
        check_bundled(spec, tmp_path / "run.zip")
    with pytest.raises(UsageError, match=r"ends in \.zip"):
        check_bundled(spec, tmp_path / "run.tar")
