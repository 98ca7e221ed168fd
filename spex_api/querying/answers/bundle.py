"""A bundle carries answers from one folder to another, as text that can be proved and read.

It is JSONL, or JSONL.zst: first a manifest (format, version, how many records, the sha256 over
their lines, and what they are in all), then one record a line, sorted by key. A bundle is foreign
data: it is read as text within caps, every key is worked out again from its question, and nothing
is taken in before the whole has been checked. No answer that is here already is ever replaced. A
refusal for good travels as an answer does, and is counted as one.
What this module does not know: what an answer means.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from spex_api.completions import canonical_json
from spex_api.errors import CacheCorrupt, UsageError
from spex_api.querying.answers.bundle_file import (
    Caps,
    is_packed,
    packing,
    refused,
    replaced,
    unpacking,
)
from spex_api.querying.answers.record import Record, Selection, fault, read_record, select

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spex_api.querying.answers.store import AnswerStore

__all__ = ["Caps", "Exported", "Imported", "Manifest", "export_bundle", "import_bundle"]

_AT_ONCE: Final = 256
"""Records in one transaction: another process that writes waits no longer than these take."""


class Manifest(BaseModel):
    """The first line of a bundle.

    Attributes:
        format: always the same words.
        version: of the format.
        count: how many records follow.
        sha256: over the lines that follow, line ends included.
        length: of these lines together, in bytes.
        created: when it was written.
        spex: the version of spex-api that wrote it.
        models: how many records each model has.
        left_out: how many records were meant, but do not hold their prompts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["spex-api bundle"] = "spex-api bundle"
    version: Literal[1] = 1
    count: NonNegativeInt
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    length: NonNegativeInt
    created: str
    spex: str
    models: dict[str, NonNegativeInt] = Field(default_factory=dict)
    left_out: NonNegativeInt = 0


class _Line(BaseModel):
    """A line after the first."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    key: str
    record: Record


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        path: the bundle.
        count: how many records are in it.
        left_out: how many were meant, but cannot be proved without their prompts.
    """

    path: Path
    count: int
    left_out: int

    def __str__(self) -> str:
        said = f"{_answers(self.count)} written to {self.path}."
        if self.left_out:
            said += (
                f" {_answers(self.left_out)} left out: they were kept without their prompts, so "
                "nobody elsewhere could prove what they answer. They replay here."
            )
        return said


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import took in.

    Attributes:
        count: how many records are new here.
        known: how many were here already, with the same answer.
        conflicts: the keys of those that are here with another answer, which stays.
    """

    count: int
    known: int
    conflicts: tuple[str, ...]

    def __str__(self) -> str:
        said = f"{_answers(self.count)} taken in, {self.known} here already."
        if self.conflicts:
            shown = ", ".join(key[:12] for key in self.conflicts[:5])
            more = ", …" if len(self.conflicts) > 5 else ""
            said += (
                f" In conflict with what is here, which stays: {_answers(len(self.conflicts))} "
                f"({shown}{more})."
            )
        return said


def _answers(count: int) -> str:
    return f"{count} answer{'' if count == 1 else 's'}"


@dataclass(slots=True)
class _Sum:
    """What lines add up to."""

    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    count: int = 0
    length: int = 0
    newest: datetime | None = None
    models: Counter[str] = field(default_factory=Counter)

    def add(self, line: bytes, record: Record) -> None:
        self.digest.update(line)
        self.count += 1
        self.length += len(line)
        self.models[record.fingerprint.model] += 1
        self.newest = max(self.newest or record.when, record.when)


def export_bundle(
    store: AnswerStore,
    path: Path,
    *,
    selection: Selection | None = None,
    dated_now: bool = True,
) -> Exported:
    """Writes the answers that are meant, as a file that only its owner may read.

    Args:
        store: where they are.
        path: the bundle, ending in .jsonl or .jsonl.zst; it is replaced whole, or not at all.
        selection: which are meant; all, where nothing is said.
        dated_now: whether it is said when the bundle was made; otherwise it is as old as the newest
            answer in it, so that the same answers make the same bytes.

    Raises:
        UsageError: the path ends otherwise, or cannot be written.
        MissingExtra: it ends in .zst, and the package for that is not installed.
        CacheCorrupt: a record is not what was written; the bundle is not.
    """
    packed = is_packed(path)
    left_out = 0
    total = _Sum()
    try:
        with (
            tempfile.TemporaryFile(dir=path.absolute().parent) as lines,
            replaced(path) as file,
        ):
            for key, record in select(store, selection or Selection()):
                if record.fingerprint.body is None:
                    left_out += 1
                    continue
                flaw = fault(key, record)
                if flaw:
                    raise CacheCorrupt(f"The record {key[:12]} is not exported: {flaw}.")
                line = b'{"key":"%s","record":%s}\n' % (key.encode(), record.to_bytes())
                lines.write(line)
                total.add(line, record)
            lines.seek(0)
            with packing(file, packed=packed) as out:
                created = None if dated_now else total.newest
                manifest = _manifest(total, left_out, created=created).model_dump()
                out.write(canonical_json(manifest).encode() + b"\n")
                shutil.copyfileobj(lines, out)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
    return Exported(path, total.count, left_out)


def _manifest(total: _Sum, left_out: int, *, created: datetime | None) -> Manifest:
    try:
        ours = version("spex-api")
    except PackageNotFoundError:
        ours = "unknown"
    return Manifest(
        count=total.count,
        sha256=total.digest.hexdigest(),
        length=total.length,
        created=(created or datetime.now(UTC)).isoformat(timespec="seconds"),
        spex=ours,
        models=dict(sorted(total.models.items())),
        left_out=left_out,
    )


def import_bundle(store: AnswerStore, path: Path, *, caps: Caps | None = None) -> Imported:
    """Takes in the answers of a bundle, once all of it has been checked.

    Raises:
        BundleRefused: it is not what its manifest says, or beyond a cap. Nothing was taken in.
        UsageError: the file cannot be read.
        MissingExtra: it ends in .zst, and the package for that is not installed.
        CacheCorrupt: a record that is here under the same key is not what was written.
    """
    packed = is_packed(path)
    limits = caps or Caps()
    if not path.is_file():
        raise UsageError(f"{path} is no file.")
    try:
        with path.open("rb") as file:
            for _ in _checked(file, path, limits, packed=packed):
                pass
            file.seek(0)
            return _taken_in(store, _checked(file, path, limits, packed=packed))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None


def _taken_in(store: AnswerStore, lines: Iterator[_Line]) -> Imported:
    count = known = 0
    conflicts: list[str] = []
    while some := list(islice(lines, _AT_ONCE)):
        with store.together():
            for line in some:
                here = store.get(line.key)
                if here is None:
                    store.put(line.key, line.record.to_bytes())
                    count += 1
                elif read_record(here, key=line.key).said == line.record.said:
                    known += 1
                else:
                    conflicts.append(line.key)
    return Imported(count, known, tuple(conflicts))


def _checked(file: BinaryIO, path: Path, caps: Caps, *, packed: bool) -> Iterator[_Line]:
    """The lines after the manifest, each proved; at their end, what they are in all is compared.

    Raises:
        BundleRefused: something is not what it must be.
    """
    total = _Sum()
    last = ""
    with unpacking(file, path, caps, packed=packed) as source:
        manifest = _first_line(source, path, caps)
        while text := _next_line(source, path, caps, total.count + 2):
            line = _proved(text, path, total.count + 2)
            if line.key <= last:
                raise refused(path, f"line {total.count + 2} is out of order, or there twice")
            last = line.key
            total.add(text, line.record)
            yield line
    counted = (total.count, total.length, total.digest.hexdigest())
    if counted != (manifest.count, manifest.length, manifest.sha256):
        raise refused(
            path,
            f"it holds {total.count} records of {manifest.count}, and their checksum is not the "
            "manifest's",
        )


def _first_line(source: BinaryIO, path: Path, caps: Caps) -> Manifest:
    try:
        return Manifest.model_validate_json(_next_line(source, path, caps, 1))
    except ValidationError:
        raise refused(path, "its first line is no manifest that is known here") from None


def _next_line(source: BinaryIO, path: Path, caps: Caps, number: int) -> bytes:
    text = source.readline(caps.line + 1)
    if len(text) > caps.line:
        raise refused(path, f"line {number} is longer than {caps.line} bytes")
    if text and not text.endswith(b"\n"):
        raise refused(path, f"it breaks off in line {number}")
    return text


def _proved(text: bytes, path: Path, number: int) -> _Line:
    """The line, if its key follows from its question."""
    try:
        line = _Line.model_validate_json(text)
    except ValidationError:
        raise refused(path, f"line {number} is no record") from None
    if line.record.is_newer:
        raise refused(path, f"line {number} was written by a later version of spex-api")
    if line.record.fingerprint.body is None:
        raise refused(path, f"line {number} does not hold its question, so it proves nothing")
    flaw = fault(line.key, line.record)
    if flaw:
        raise refused(path, f"line {number} is not what its key says: {flaw}")
    return line
