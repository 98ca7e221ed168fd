"""A bundle → the audit again, from its answers alone, held against what it says came out.

Nothing in a bundle is believed that can be worked out: the checksums are, the key of every answer
is, and everything that was computed is computed again. What is left to believe is that the endpoint
gave these answers, and that what is told as failed did fail. What this module does not know: how a
bundle is unpacked, and how a result is told to people.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from spex_api.audit_file import read_audit
from spex_api.audit_spec import check_audit_spec
from spex_api.audits.job import audit_job_of, audited
from spex_api.bundles.evidence import endpoints_of, models_of, texts, told_by
from spex_api.bundles.likeness import Difference, differences, largest
from spex_api.bundles.members import (
    ANSWERS,
    AUDIT,
    INDEX,
    PLANS,
    SPEC,
    Versions,
    explanation_of,
    page_of,
    refused,
)
from spex_api.bundles.noting import Noting
from spex_api.bundles.recorded import is_bundle, recorded_audit
from spex_api.bundles.unpacking import Bundle, Caps, opened_bundle
from spex_api.errors import BundleRefused, CacheMiss, SpexError, UsageError
from spex_api.events import EventHandler, ignore
from spex_api.querying.adapter import as_recorded
from spex_api.querying.answers.bundle import import_bundle
from spex_api.querying.cache import DiskStore
from spex_api.spec import CacheTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.audited import Audit

__all__ = ["Replayed", "replay", "replay_bundle", "replay_folder"]

_OF_A_VERSION: Final = ("version", "sha256")
"""Keys whose values differ wherever another version computes: of the package, and of a file."""
_COMPUTED: Final = (AUDIT, PLANS)


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """An audit that was rebuilt, and how like the recorded one it is.

    Attributes:
        audit: as it was computed now.
        num_answers: how many answers it was rebuilt from.
        same_bytes: whether every file came out as it was recorded; otherwise all numbers are the
            same to rounding.
        furthest: where the two are furthest apart, or None.
        made_by: the versions that computed the recorded one; None where nobody wrote them down.
        digest: of the bundle; "" where there is none.
        same_pages: whether the pages came out as recorded; None where there are none to compare, or
            they were not compared.
    """

    audit: Audit
    num_answers: int
    same_bytes: bool
    furthest: Difference | None = None
    made_by: Versions | None = None
    digest: str = ""
    same_pages: bool | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was found out, in sentences."""
        said = [f"Rebuilt from {self.num_answers:,} answers, none of them asked now."]
        if self.same_bytes:
            said.append("Every value, interval and finding is identical to the byte.")
        else:
            furthest = self.furthest
            where = f" ({furthest.where}: {furthest.before}, {furthest.after})" if furthest else ""
            said.append(
                f"The same findings, and all numbers the same to rounding{where}; not to the byte."
            )
            if self.made_by is not None:
                said.append(f"It was made by {self.made_by}; this is {Versions.here()}.")
        if self.same_pages:
            said.append("The pages in it are those that are drawn here.")
        elif self.digest and self.same_pages is None:
            said.append("No page in it was compared: pages are drawn anew from the numbers.")
        if self.digest:
            said.append(f"The digest of the bundle is {self.digest}.")
        return tuple(said)


def replay(path: str | Path, *, processes: int = 0, on_event: EventHandler = ignore) -> Replayed:
    """An audit again: from a bundle alone, or from its folder and the answers on this disk.

    Opens no connection, needs no key, and takes nothing from a bundle into the user's own answers.

    Args:
        path: a bundle (.zip), the folder of an audit, or its audit.json.
        processes: how many decode; 0 decodes in threads.
        on_event: is told what happens.

    Raises:
        BundleRefused: a bundle is not what its manifest says, or says what does not follow from its
            answers; or the files of a folder do not follow from the answers on disk.
        CacheMiss: an answer is missing.
        SpecError: a file cannot be read.
    """
    given = Path(path)
    again = replay_bundle if is_bundle(given) else replay_folder
    return again(given, processes=processes, on_event=on_event)


def replay_bundle(
    path: Path,
    *,
    processes: int = 0,
    caps: Caps | None = None,
    on_event: EventHandler = ignore,
) -> Replayed:
    """The audit of a bundle again, as `replay` does it.

    Args:
        path: the bundle.
        processes: how many decode; 0 decodes in threads.
        caps: what the bundle may be at the most.
        on_event: is told what happens.

    Raises:
        BundleRefused: as `replay` does.
        CacheMiss: an answer that the audit needs is not in it.
        SpecError: the file cannot be read.
    """
    with (
        opened_bundle(path, caps=caps) as bundle,
        tempfile.TemporaryDirectory(prefix="spex-replay-") as passing,
    ):
        folder = Path(passing)
        recorded = recorded_audit(bundle, folder)
        with closing(DiskStore(folder / "answers")) as store:
            num_answers = _take_in(bundle, folder, store)
            noting = Noting(store)
            again = _again(bundle, recorded, noting, processes=processes, on_event=on_event)
        found = list(_compared(bundle, again))
        furthest = largest(found)
        if furthest is not None and not furthest.is_rounding:
            raise _another(bundle, furthest)
        if len(noting.keys) < num_answers:
            raise refused(
                path,
                f"holds {num_answers - len(noting.keys):,} answers that the audit did not ask for",
                member=ANSWERS,
            )
        same_bytes = all(bundle.read(name) == data for name, data in texts(again))
        return Replayed(
            audit=again,
            num_answers=num_answers,
            same_bytes=same_bytes,
            furthest=furthest,
            made_by=bundle.manifest.versions,
            digest=bundle.digest,
            same_pages=_same_pages(bundle, again) if same_bytes else None,
        )


def replay_folder(path: Path, *, processes: int = 0, on_event: EventHandler = ignore) -> Replayed:
    """The audit of a folder again, from the answers on this disk.

    Args:
        path: the folder, or its audit.json.
        processes: how many decode; 0 decodes in threads.
        on_event: is told what happens.

    Raises:
        BundleRefused: its files do not follow from the answers.
        CacheMiss: an answer is not on disk.
        SpecError: a file cannot be read, or does not say how the audit was made.
    """
    recorded = read_audit(path)
    if recorded.spec is None:
        raise UsageError(
            f"{path} does not carry the spec of its audit, so it cannot be rebuilt from it alone.",
            advice="Audit from a spec: spex audit SPEC.toml. What is on disk costs nothing.",
        )
    spec = check_audit_spec(recorded.spec, source=str(path))
    with as_recorded(told_by(recorded, spec)):
        again = audited(
            audit_job_of(spec),
            mode="replay",
            recorded=recorded,
            processes=processes,
            on_event=on_event,
        )
    again = replace(again, spec=recorded.spec)
    before, after = dict(texts(recorded)), dict(texts(again))
    found = [
        each for name in before for each in _differences(name, before[name], after.get(name, b""))
    ]
    furthest = largest(found)
    if furthest is not None and not furthest.is_rounding:
        raise BundleRefused(
            f"{path} does not follow from the answers on disk: {furthest.where} is "
            f"{furthest.before} there, and {furthest.after} from the answers.",
            safe="Nothing was written.",
            advice="The answers were asked anew, another version made it, or somebody changed it. "
            "To have it by this version, audit again.",
        )
    return Replayed(again, again.usage.requests, before == after, furthest)


def _take_in(bundle: Bundle, folder: Path, store: DiskStore) -> int:
    """Reads the answers into a passing store; gives how many there are.

    Raises:
        BundleRefused: one is not what it must be.
    """
    bundle.unpack(ANSWERS, folder)
    try:
        return import_bundle(store, folder / ANSWERS).count
    except BundleRefused as error:
        why = error.cause.partition(" is refused: ")[2].rstrip(".")
        raise refused(bundle.path, f"cannot be used: {why}", member=ANSWERS) from None


def _again(
    bundle: Bundle,
    recorded: Audit,
    store: Noting,
    *,
    processes: int,
    on_event: EventHandler,
) -> Audit:
    """The audit, computed from the answers.

    Raises:
        BundleRefused: the spec is none, or its models are not those of the manifest.
        CacheMiss: an answer is missing.
    """
    path, endpoints = bundle.path, bundle.manifest.endpoints
    try:
        spec = check_audit_spec(recorded.spec or {}, source=SPEC)
    except SpexError as error:
        raise refused(path, f"cannot be used: {error.cause.rstrip('.')}", member=SPEC) from None
    if set(endpoints) != set(models_of(spec)):
        raise refused(path, "names other models in the manifest", member=SPEC)
    # Where somebody else keeps answers is none of our business, and may be a trap.
    spec = spec.model_copy(update={"cache": CacheTable()})
    try:
        with as_recorded(endpoints):
            if endpoints_of(spec, {}) != endpoints:
                raise refused(path, "names models that answered elsewhere", member=SPEC)
            again = audited(
                audit_job_of(spec),
                mode="replay",
                store=store,
                recorded=recorded,
                processes=processes,
                on_event=on_event,
            )
            # A later version may tell more in a spec than the one that wrote this.
            return replace(again, spec=recorded.spec)
    except CacheMiss as error:
        raise CacheMiss(
            f"{path.name} lacks an answer that its audit needs. {error.cause}",
            safe="Nothing of it was used.",
            advice="Ask whoever made it for a whole one.",
        ) from None


def _compared(bundle: Bundle, again: Audit) -> Iterator[Difference]:
    """In what the files of a bundle differ from what was computed."""
    computed = dict(texts(again))
    for name in bundle.manifest.members:
        if name in _COMPUTED or name.endswith("explanation.json"):
            yield from _differences(name, bundle.read(name), computed.get(name, b""))
    for case in again.cases:
        name = explanation_of(case.folder)
        if case.explanation is not None and name not in bundle.manifest.members:
            yield from _differences(name, b"", computed[name])


def _differences(name: str, before: bytes, after: bytes) -> Iterator[Difference]:
    """In what two files of one name differ; JSON, or a line of JSON each."""
    if before == after:
        return
    old, new = (
        json.loads(data or b"null")
        if name.endswith(".json")
        else [json.loads(line) for line in data.splitlines()]
        for data in (before, after)
    )
    for each in differences(old, new, ignored=_OF_A_VERSION):
        yield Difference(f"{name}: {each.where}", each.before, each.after, each.size)


def _another(bundle: Bundle, furthest: Difference) -> BundleRefused:
    """The error of a bundle whose result does not follow from its answers."""
    name, _, where = furthest.where.partition(": ")
    made = bundle.manifest.versions
    why = "" if made == Versions.here() else f" It was made by {made}; this is {Versions.here()}."
    return BundleRefused(
        f"{bundle.path.name} is refused: {name!r} in it does not follow from the answers in it: "
        f"{where or 'the whole'} is {furthest.before}, and {furthest.after} by the answers.{why}",
        safe="Nothing was written.",
        advice="Ask whoever made it how it came about."
        if not why
        else "By the versions that made it, it can be told whether it was changed.",
    )


def _same_pages(bundle: Bundle, again: Audit) -> bool | None:
    """Whether the pages in a bundle are those that are drawn here; None where it has none.

    Raises:
        BundleRefused: the same version draws another page.
    """
    from spex_api.report.index_page import render  # noqa: PLC0415 - only who has pages pays

    if INDEX not in bundle.manifest.members:
        return None
    drawn = {
        page_of(case.folder): case.explanation
        for case in again.cases
        if case.explanation is not None
    }
    for name in bundle.manifest.members:
        if name == INDEX:
            page = render(again)
        elif name in drawn:
            page = drawn[name].to_html()
        elif name.endswith(".html"):
            raise refused(bundle.path, "is the page of no case", member=name)
        else:
            continue
        if bundle.read(name) != page.encode():
            raise refused(bundle.path, "is not the page of this audit", member=name)
    return True
