"""One small audit of a toy model and its bundle, made once; nothing else may connect afterwards."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from spex_api.audit_spec import check_audit_spec
from spex_api.audits.job import audit_job_of, audited
from spex_api.bundles.members import MANIFEST, Manifest, Member
from spex_api.bundles.writing import Bundled, write_bundle
from tests.conftest import ChatServer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spex_api.audited import Audit

SECRET = "sk-secret-of-the-test"  # noqa: S105 - a key that opens nothing
CASES = [
    {"id": "case 0", "text": "good and never bad", "group": "a"},
    {"id": "<b>\u202e../..", "text": "the plot never good", "group": "b"},
    {"id": "alone", "text": "good", "group": "a"},
]
TABLES = {
    "model": "openai:toy",
    "prompt": {"template": "Positive or negative? {text}"},
    "score": {"labels": ["positive", "negative"]},
    "budget": {"requests": 60},
    "decode": {"decoder": "lasso"},
    "audit": {"groups": ["group"], "most": 20},
    "cases": CASES,
}


@dataclass(frozen=True, slots=True)
class Made:
    """An audit that was paid for, and its bundle.

    Attributes:
        audit: what came out.
        bundled: the bundle.
        answers: the folder with the answers that it was made of.
        server: who answered.
    """

    audit: Audit
    bundled: Bundled
    answers: Path
    server: ChatServer

    @property
    def path(self) -> Path:
        """The bundle's file."""
        return self.bundled.path

    def files(self) -> dict[str, bytes]:
        """What is in the bundle."""
        with zipfile.ZipFile(self.path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def copy(self, to: Path) -> Path:
        """Another file with the same bytes."""
        return shutil.copy(self.path, to / "run.spex.zip")


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Iterator[Made]:
    """The one of all tests of bundles."""
    folder = tmp_path_factory.mktemp("bundle")
    answers = folder / "answers"
    with serving() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEX_CACHE_DIR", str(answers))
        patch.setenv("OPENAI_BASE_URL", server.url)
        patch.setenv("OPENAI_API_KEY", SECRET)
        audit = audited(audit_job_of(check_audit_spec(TABLES, source="the test")))
        bundled = write_bundle(audit, folder / "run.spex.zip")
        yield Made(audit, bundled, answers, server)


def packed(path: Path, files: dict[str, bytes], *, sealed: bool = False) -> Path:
    """A zip with these files; where it is sealed, the manifest says what they are."""
    if sealed:
        manifest = Manifest.model_validate_json(files[MANIFEST])
        members = {name: Member.of(data) for name, data in files.items() if name != MANIFEST}
        files = {**files, MANIFEST: manifest.model_copy(update={"members": members}).text()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def resealed_answers(lines: list[bytes]) -> bytes:
    """Answers with the inner manifest made to fit them, in order of their keys."""
    first, *records = lines
    records = sorted(records)
    told = json.loads(first)
    body = b"".join(records)
    told |= {
        "count": len(records),
        "length": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return json.dumps(told).encode() + b"\n" + body
