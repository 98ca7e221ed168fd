"""How an audit stands on disk: `audit.json`, and beside it a folder with each explanation.

Neither depends on the clock, nor on what was cached: a replay writes the same bytes. `audit.json`
has the digest of every explanation, so that one that was changed is found. Read and checked by
pydantic, also where another wrote it. What this module does not know: pages, and what an audit is
for.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spex_api.audited import Audit, Audited, Finding, Standing, folder_of
from spex_api.completions import JsonObject  # noqa: TC001 - pydantic reads it
from spex_api.errors import SpecError, UsageError
from spex_api.explanation import Explanation
from spex_api.indices import Interval
from spex_api.provenance import Cost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["AUDIT", "EXPLANATION", "StoredAudit", "case_folder", "read_audit", "write_audit"]

AUDIT: Final = "audit.json"
EXPLANATION: Final = "explanation.json"
_CASES: Final = "cases"
_LONGEST_FILE: Final = 256 * 2**20
"""Bytes: neither an audit nor an explanation is that long."""
_Name = Literal["REACHED", "ENOUGH", "ENDED", "WHOLE", "HOPELESS", "FAILED"]


_NAMES: Final[dict[Standing, _Name]] = {
    Standing.REACHED: "REACHED",
    Standing.ENOUGH: "ENOUGH",
    Standing.ENDED: "ENDED",
    Standing.WHOLE: "WHOLE",
    Standing.HOPELESS: "HOPELESS",
    Standing.FAILED: "FAILED",
}
"""In a file: the sentences may become better ones."""


class _Border(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Case(_Border):
    id: str
    columns: dict[str, str]
    standing: _Name
    error: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None
    """Of the explanation's file; null where there is none."""


class _Interval(_Border):
    low: float
    high: float

    @classmethod
    def of(cls, interval: Interval | None) -> _Interval | None:
        return None if interval is None else cls(low=interval.low, high=interval.high)


class _Finding(_Border):
    kind: str
    parts: list[str]
    among: dict[str, str]
    num_cases: int
    num_strong: int
    value: float
    interval: _Interval | None
    rest: float | None
    strongest: list[str]
    apart: _Interval | None
    looked_at: int

    @classmethod
    def of(cls, finding: Finding) -> _Finding:
        return cls(
            kind=finding.kind,
            parts=list(finding.parts),
            among=dict(finding.among),
            num_cases=finding.num_cases,
            num_strong=finding.num_strong,
            value=finding.value,
            interval=_Interval.of(finding.interval),
            rest=finding.rest,
            strongest=list(finding.strongest),
            apart=_Interval.of(finding.apart),
            looked_at=finding.looked_at,
        )

    def finding(self) -> Finding:
        return Finding(
            kind=self.kind,
            parts=tuple(self.parts),
            among=self.among,
            num_cases=self.num_cases,
            num_strong=self.num_strong,
            value=self.value,
            interval=_interval(self.interval),
            rest=self.rest,
            strongest=tuple(self.strongest),
            apart=_interval(self.apart),
            looked_at=self.looked_at,
        )


class _Usage(_Border):
    requests: int
    input_tokens: int
    output_tokens: int
    usd: float | None


class StoredAudit(_Border):
    """What stands in `audit.json`."""

    format: Literal["spex-api audit 1"] = "spex-api audit 1"
    version: str
    ending: str
    complete: bool
    usage: _Usage
    findings: list[_Finding]
    cases: list[_Case]
    spec: JsonObject | None = None
    """Without the rows, which are the cases."""

    @classmethod
    def of(cls, audit: Audit) -> StoredAudit:
        """The audit as it is written."""
        usage = audit.usage
        spec = None if audit.spec is None else dict(audit.spec)
        if spec is not None:
            spec.pop("cases", None)
        return cls(
            version=audit.version,
            ending=audit.ending,
            complete=audit.complete,
            usage=_Usage(
                requests=usage.requests,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                usd=usage.usd,
            ),
            findings=[_Finding.of(finding) for finding in audit.findings],
            cases=[_stored(case) for case in audit.cases],
            spec=spec,
        )

    def text(self) -> str:
        """As it is written."""
        told = self.model_dump(mode="json")
        return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def audit(self, cases: tuple[Audited, ...]) -> Audit:
        """The audit that this is of.

        Args:
            cases: with their explanations.
        """
        spec = self.spec
        if spec is not None:
            spec = {**spec, "cases": [{"id": case.id, **case.columns} for case in self.cases]}
        return Audit(
            cases=cases,
            findings=tuple(finding.finding() for finding in self.findings),
            usage=Cost(cached=self.usage.requests, **self.usage.model_dump()),
            complete=self.complete,
            ending=self.ending,
            spec=spec,
            version=self.version,
        )


def case_folder(out: Path, case_id: str) -> Path:
    """Where a case's explanation lies, below the folder of its audit."""
    return out / _CASES / folder_of(case_id)


def write_audit(audit: Audit, out: Path) -> None:
    """Writes every explanation, and then `audit.json`.

    Args:
        audit: it.
        out: a folder.

    Raises:
        OSError: it cannot be written.
    """
    for case in audit.cases:
        if case.explanation is not None:
            folder = case_folder(out, case.case_id)
            folder.mkdir(parents=True, exist_ok=True)
            _replace(folder / EXPLANATION, case.explanation.to_json())
    _replace(out / AUDIT, StoredAudit.of(audit).text())


def read_audit(given: Path) -> Audit:
    """The audit in a folder, or the one whose `audit.json` is given.

    Args:
        given: either.

    Raises:
        SpecError: a file cannot be read, or an explanation is not the one that was written.
        UsageError: a file is none of this version.
    """
    path = given / AUDIT if given.is_dir() else given
    try:
        stored = StoredAudit.model_validate_json(_read(path))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the whole"
        raise UsageError(
            f"{path} is no audit of this version: {where}: {fault['msg']}.",
            advice="Give the folder that spex audit wrote.",
        ) from None
    return stored.audit(tuple(_audited(stored, path.parent)))


def _audited(stored: StoredAudit, folder: Path) -> Iterator[Audited]:
    """The cases with their explanations, from the files beside."""
    if len({case.id for case in stored.cases}) < len(stored.cases):
        raise UsageError(f"{folder / AUDIT} has two cases of one name.")
    for case in stored.cases:
        explanation = None
        if case.sha256 is not None:
            path = case_folder(folder, case.id) / EXPLANATION
            data = _read(path)
            if hashlib.sha256(data).hexdigest() != case.sha256:
                raise SpecError(
                    f"{path} is not the explanation that the audit wrote: its digest is another.",
                    advice="Audit again: what was answered is on disk, and costs nothing.",
                )
            explanation = Explanation.from_json(data.decode())
        yield Audited(case.id, case.columns, Standing[case.standing], explanation, case.error)


def _stored(case: Audited) -> _Case:
    digest = None
    if case.explanation is not None:
        digest = hashlib.sha256(case.explanation.to_json().encode()).hexdigest()
    return _Case(
        id=case.case_id,
        columns=dict(case.columns),
        standing=_NAMES[case.standing],
        error=case.error,
        sha256=digest,
    )


def _interval(stored: _Interval | None) -> Interval | None:
    return None if stored is None else Interval(stored.low, stored.high)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LONGEST_FILE:
            raise SpecError(f"{path} is far longer than any audit.")
        return path.read_bytes()
    except OSError as error:
        raise SpecError(
            f"{path} cannot be read: {error.strerror}.",
            advice="Give the folder that spex audit wrote.",
        ) from None


def _replace(path: Path, text: str) -> None:
    """Writes a file as a whole: broken off, the old one stays."""
    passing = path.with_name(f".{path.name}.{os.getpid()}")
    passing.write_text(text, encoding="utf-8")
    passing.replace(path)
