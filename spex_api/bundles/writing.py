"""An audit → a bundle: everything that a reviewer needs who has no key and no network.

The audit is rebuilt from the answers before it is written, as the reviewer will rebuild it: that
tells which answers it stands on, and that they suffice. Deterministic: the same audit and answers
make the same bytes. What this module does not know: how a bundle is read.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from spex_api.audit_file import StoredAudit
from spex_api.audit_spec import check_audit_spec
from spex_api.audits.job import audit_job_of, audited
from spex_api.bundles.evidence import endpoints_of, texts, told_by
from spex_api.bundles.members import (
    ANSWERS,
    ENDING,
    INDEX,
    MANIFEST,
    Manifest,
    Member,
    Versions,
    digest_of_spec,
    page_of,
)
from spex_api.bundles.noting import Noting
from spex_api.errors import CacheError, CacheMiss, UsageError
from spex_api.events import EventHandler, ignore
from spex_api.querying.adapter import as_recorded
from spex_api.querying.answers.bundle import export_bundle
from spex_api.querying.answers.bundle_file import replaced
from spex_api.querying.answers.record import Selection
from spex_api.querying.cache import DiskStore, answers_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.audit_spec import AuditSpec
    from spex_api.audited import Audit
    from spex_api.querying.cache import AnswerStore

__all__ = ["Bundled", "check_bundled", "write_bundle"]

_CHUNK: Final = 2**20
_DAY: Final = (1980, 1, 1, 0, 0, 0)
"""The first one that a zip file can tell: the same bytes whenever they are written."""
_PLAIN_FILE: Final = 0o100644 << 16
_UNIX: Final = 3


@dataclass(frozen=True, slots=True)
class Bundled:
    """What was written.

    Attributes:
        path: the bundle.
        digest: of its manifest, and so of all that is in it: whoever has it from you can tell
            whether the bundle is yours.
        num_answers: how many answers are in it.
    """

    path: Path
    digest: str
    num_answers: int

    def __str__(self) -> str:
        return f"{self.num_answers:,} answers and all else in {self.path}, digest {self.digest}."


def write_bundle(
    audit: Audit,
    path: str | Path,
    *,
    pages: bool = True,
    store: AnswerStore | None = None,
    processes: int = 0,
    on_event: EventHandler = ignore,
) -> Bundled:
    """Writes the evidence of an audit into one file, that `replay` rebuilds the audit from.

    It holds what was asked and answered, word for word, and whatever an endpoint repeats in its
    replies; it never holds a key. It costs the decoding once more, and no request.

    Args:
        audit: what `audit` returned.
        path: the file; it is replaced whole, or not at all.
        pages: whether the index and the reports are in it. They are drawn again in any case.
        store: where the answers are, in place of the folder on disk.
        processes: how many decode; 0 decodes in threads.
        on_event: is told what happens.

    Raises:
        UsageError: the audit cannot be rebuilt elsewhere, as one by a function of the program's.
        CacheError: an answer is not on disk any more, or gives another result; nothing is written.
        OSError: the file cannot be written.
    """
    target = Path(path)
    spec = _spec(audit, target)
    with ExitStack() as opened:
        kept = (
            store
            if store is not None
            else opened.enter_context(closing(DiskStore(answers_folder())))
        )
        endpoints = endpoints_of(spec, told_by(audit, spec))
        keys = _proved(audit, spec, endpoints, kept, processes=processes, on_event=on_event)
        folder = opened.enter_context(
            tempfile.TemporaryDirectory(prefix=".spex-", dir=target.absolute().parent)
        )
        answers = Path(folder) / ANSWERS
        exported = export_bundle(
            kept, answers, selection=Selection(keys=frozenset(keys)), dated_now=False
        )
        if exported.left_out:
            raise UsageError(
                f"{exported.left_out:,} answers were kept without what was asked, so nobody "
                "elsewhere could prove what they answer.",
                safe="The audit itself is not touched by that.",
                advice="Ask these anew with store_prompts = true: spex audit --refresh.",
            )
        with replaced(target) as file:
            digest = _packed(audit, file, answers, endpoints, pages=pages)
    return Bundled(target, digest, exported.count)


def _spec(audit: Audit, path: Path) -> AuditSpec:
    """The spec that the audit carries.

    Raises:
        UsageError: it carries none, or cannot be bundled.
    """
    if audit.spec is None:
        raise UsageError(
            "This audit cannot be rebuilt elsewhere: it was made by something that no file can "
            "hold, as a template or a score that is a function of yours, or a model that is an "
            "object.",
            safe="The audit itself is not touched by that.",
            advice="Give texts and names in their place, or write a spec: spex audit SPEC.toml.",
        )
    spec = check_audit_spec(audit.spec, source="the audit")
    check_bundled(spec, path)
    return spec


def check_bundled(spec: AuditSpec, path: Path) -> None:
    """Lets pass what can be bundled, before anything is spent on it.

    Args:
        spec: of the audit.
        path: the file that is to hold the evidence.

    Raises:
        UsageError: the file is called otherwise, or the spec wants no prompts stored.
    """
    if path.suffix != ENDING:
        raise UsageError(f"A bundle's name ends in {ENDING}, unlike {path.name!r}.")
    if not spec.cache.store_prompts:
        raise UsageError(
            "The spec wants no prompts stored ([cache] store_prompts = false), and a bundle holds "
            "every one of them.",
            safe="The audit itself is not touched by that.",
            advice="Replay it here from its folder: spex replay audit.json.",
        )


def _proved(
    audit: Audit,
    spec: AuditSpec,
    endpoints: dict[str, str],
    store: AnswerStore,
    *,
    processes: int,
    on_event: EventHandler,
) -> set[str]:
    """The keys of the answers that the audit follows from.

    Raises:
        CacheMiss: one is not there.
        CacheError: what follows from them is another audit.
    """
    noting = Noting(store)
    try:
        with as_recorded(endpoints):
            again = audited(
                audit_job_of(spec),
                mode="replay",
                store=noting,
                recorded=audit,
                processes=processes,
                on_event=on_event,
            )
    except CacheMiss as error:
        error.advice = "Audit again with the same settings, and then write the bundle."
        raise
    again = replace(again, spec=audit.spec)
    if StoredAudit.of(again).text() != StoredAudit.of(audit).text():
        raise CacheError(
            "The answers on disk give another audit than this one: they were asked anew since, or "
            "another version made it. A bundle of both would prove nothing.",
            safe="The audit itself is not touched by that.",
            advice="Audit again: what is on disk costs nothing.",
        )
    return noting.keys


def _packed(
    audit: Audit, file: BinaryIO, answers: Path, endpoints: dict[str, str], *, pages: bool
) -> str:
    """Writes all members and the manifest; gives the manifest's digest."""
    members: dict[str, Member] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        members[ANSWERS] = _copied(archive, answers)
        for name, data in (*texts(audit), *(_pages(audit) if pages else ())):
            members[name] = _written(archive, name, data)
        manifest = Manifest(
            versions=Versions.here(),
            spec_sha256=digest_of_spec(audit.spec or {}),
            endpoints=endpoints,
            members=dict(sorted(members.items())),
        ).text()
        _written(archive, MANIFEST, manifest)
    return hashlib.sha256(manifest).hexdigest()


def _pages(audit: Audit) -> Iterator[tuple[str, bytes]]:
    """The index and the report of each case, by their names in a bundle."""
    from spex_api.report.index_page import render  # noqa: PLC0415 - only who wants pages pays

    yield INDEX, render(audit).encode()
    for case in audit.cases:
        if case.explanation is not None:
            yield page_of(case.folder), case.explanation.to_html().encode()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DAY)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system, entry.external_attr = _UNIX, _PLAIN_FILE
    return entry


def _written(archive: zipfile.ZipFile, name: str, data: bytes) -> Member:
    archive.writestr(_entry(name), data, compresslevel=9)
    return Member.of(data)


def _copied(archive: zipfile.ZipFile, answers: Path) -> Member:
    """The member with all answers, which may be longer than memory."""
    digest, size = hashlib.sha256(), answers.stat().st_size
    entry = _entry(ANSWERS)
    entry.file_size = size
    with answers.open("rb") as source, archive.open(entry, "w") as target:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            target.write(chunk)
    return Member(sha256=digest.hexdigest(), size=size)
