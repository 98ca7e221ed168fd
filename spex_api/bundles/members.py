"""What a bundle of evidence is made of: which files, and the manifest that names each.

Every name that a bundle may hold is one of a few forms, so that none leads out of a folder. What
this module does not know: how they are packed, and what stands in them.
"""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from spex_api.completions import canonical_json
from spex_api.errors import BundleRefused

if TYPE_CHECKING:
    from pathlib import Path

    from spex_api.completions import JsonObject

__all__ = [
    "ANSWERS",
    "AUDIT",
    "CASES",
    "ENDING",
    "INDEX",
    "MANIFEST",
    "NEEDED",
    "PLANS",
    "SPEC",
    "Manifest",
    "Member",
    "Versions",
    "digest_of_spec",
    "explanation_of",
    "is_member",
    "page_of",
    "refused",
]

ENDING: Final = ".zip"
MANIFEST: Final = "manifest.json"
SPEC: Final = "spec.json"
CASES: Final = "cases.jsonl"
PLANS: Final = "plans.jsonl"
ANSWERS: Final = "answers.jsonl"
AUDIT: Final = "audit.json"
INDEX: Final = "index.html"
NEEDED: Final = (ANSWERS, AUDIT, CASES, PLANS, SPEC)
"""What every bundle has; beside these the explanations, and pages where they were not left out."""
_OF_A_CASE: Final = re.compile(r"cases/[a-z0-9][a-z0-9_-]{0,64}/(explanation\.json|report\.html)")
_SHOWN: Final = 80

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Border(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Member(_Border):
    """One file of a bundle."""

    sha256: _Sha256
    size: NonNegativeInt
    """Bytes."""

    @classmethod
    def of(cls, data: bytes) -> Member:
        """The member with these bytes."""
        return cls(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


class Versions(_Border):
    """By what an audit was computed: with the same ones it is the same to the byte."""

    spex: str
    python: str
    numpy: str
    scipy: str
    machine: str

    @classmethod
    def here(cls) -> Versions:
        """Those of this process."""
        return cls(
            spex=_installed("spex-api"),
            python=".".join(map(str, sys.version_info[:3])),
            numpy=_installed("numpy"),
            scipy=_installed("scipy"),
            machine=platform.machine(),
        )

    def __str__(self) -> str:
        return (
            f"spex-api {self.spex}, Python {self.python}, NumPy {self.numpy}, SciPy {self.scipy}, "
            f"{self.machine}"
        )


class Manifest(_Border):
    """What a bundle says of itself.

    Attributes:
        format: always the same words; the number is the format's.
        versions: by what the audit was computed.
        spec_sha256: over the spec with its rows, as canonical JSON.
        endpoints: who answered, by the name of each model that the spec names.
        members: every other file in the bundle.
    """

    format: Literal["spex-api audit bundle 1"] = "spex-api audit bundle 1"
    versions: Versions
    spec_sha256: _Sha256
    endpoints: dict[str, str]
    members: dict[str, Member]

    def text(self) -> bytes:
        """As it is written: the digest of these bytes is the bundle's."""
        return (canonical_json(self.model_dump(mode="json")) + "\n").encode()


def digest_of_spec(spec: JsonObject) -> str:
    """The digest of a spec with its rows."""
    return hashlib.sha256(canonical_json(spec).encode()).hexdigest()


def explanation_of(folder: str) -> str:
    """The name of a case's explanation in a bundle."""
    return f"cases/{folder}/explanation.json"


def page_of(folder: str) -> str:
    """The name of a case's page in a bundle."""
    return f"cases/{folder}/report.html"


def is_member(name: str) -> bool:
    """Whether a bundle may hold a file of this name."""
    return name in (*NEEDED, INDEX) or _OF_A_CASE.fullmatch(name) is not None


def refused(path: Path, why: str, *, member: str = "") -> BundleRefused:
    """The error of a bundle that is not what it must be.

    Args:
        path: the bundle.
        why: the end of a sentence about the bundle, or of one about the member.
        member: the file in it that is not what it must be.
    """
    shown = member if len(member) <= _SHOWN else member[:_SHOWN] + "…"
    about = f"{shown!r} in it " if member else ""
    return BundleRefused(
        f"{path.name} is refused: {about}{why}.",
        safe="Nothing of it was used.",
        advice="Ask whoever made it for a whole one.",
    )


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
