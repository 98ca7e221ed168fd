"""What an audit returns: every case with what it reached, and what the cases have in common.

What this module does not know: how cases are read, asked and allotted, and how a finding is found.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from spex_api.provenance import Cost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spex_api.completions import JsonObject
    from spex_api.explanation import Explanation
    from spex_api.indices import Interval

__all__ = ["DOUBTFUL", "Audit", "Audited", "Finding", "Standing", "folder_of"]

DOUBTFUL: Final = 0.5
"""A case whose explanation accounts for a smaller share of the answer's variation is called so."""

_FOLDER: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_MARKED: Final = re.compile(r".*-[0-9a-f]{16}|con|prn|aux|nul|com\d|lpt\d")
"""What looks as if a digest had been added, and what is a device to Windows."""
_READABLE: Final = 32


class Standing(StrEnum):
    """How the asking of a case ended; the value is what a person reads."""

    REACHED = "reached the target"
    ENOUGH = "further answers were worth more elsewhere"
    ENDED = "the budget ended"
    WHOLE = "asked all that it may be"
    HOPELESS = "more answers did not help"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, eq=False)
class Audited:
    """One case of an audit.

    Attributes:
        case_id: names it among the others.
        columns: its row: what fills the template, and by what it is grouped.
        standing: how its asking ended.
        explanation: what was found; None where it failed before anything was.
        error: what went wrong, in a sentence; "" where nothing did.
    """

    case_id: str
    columns: Mapping[str, str]
    standing: Standing
    explanation: Explanation | None
    error: str = ""

    @property
    def folder(self) -> str:
        """The name of the folder with its explanation; see `folder_of`."""
        return folder_of(self.case_id)

    @property
    def is_doubtful(self) -> bool:
        """Whether less than half of its answer's variation is accounted for."""
        return self.known < DOUBTFUL

    @property
    def known(self) -> float:
        """The share of the answer's variation that is accounted for, 0 to 1: what it counts by.

        R² on masks that the fit has not seen, of what few draws allow; 0 where it is worse than
        the mean, or there is none. An answer that no mask moves is known whole.
        """
        if self.explanation is None:
            return 0.0
        faith = self.explanation.faithfulness
        if not math.isfinite(faith.value):
            return float(not self.explanation.transform.energy)
        return min(1.0, max(0.0, faith.value / (faith.ceiling or 1.0)))


@dataclass(frozen=True, slots=True)
class Finding:
    """What matters again and again over the cases: a part, or two together.

    Attributes:
        kind: what the cases share: "text", "role", "document", "position", or a column's name.
        parts: what it is, one or two, as people read it.
        among: the slice of the cases that it is said of, as {"gender": "female"}; {} is all.
        num_cases: in how many cases of the slice it stands.
        num_strong: in how many of them its interval leaves 0 out.
        value: its mean over these cases, in the score's unit.
        interval: of that mean over further cases, corrected for how many findings were looked at;
            None where it stands in too few.
        rest: the mean over the cases outside the slice, where it is one; else None.
        strongest: ids of cases in which it is strongest.
        apart: the interval of the mean less the rest's, corrected likewise; None where there is no
            rest, or too little of it.
        looked_at: for how many findings the intervals are corrected.
    """

    kind: str
    parts: tuple[str, ...]
    among: Mapping[str, str] = field(default_factory=dict)
    num_cases: int = 0
    num_strong: int = 0
    value: float = 0.0
    interval: Interval | None = None
    rest: float | None = None
    strongest: tuple[str, ...] = ()
    apart: Interval | None = None
    looked_at: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """An audit of many prompts.

    Attributes:
        cases: all of them, in their order.
        findings: what they have in common, the strongest first.
        usage: what all of them took.
        complete: whether every case ended otherwise than by the budget or a failure.
        ending: how it ended, in a sentence.
        spec: the spec file and flags, and the cases: what a replay rebuilds it from.
        version: of this package.
    """

    cases: tuple[Audited, ...]
    findings: tuple[Finding, ...] = ()
    usage: Cost = field(default_factory=Cost)
    complete: bool = True
    ending: str = ""
    spec: JsonObject | None = None
    version: str = ""


def folder_of(case_id: str) -> str:
    """The name of a case's folder: safe on every system, readable, and no other case's.

    A plain id is its own name. Any other one is told apart by a digest of it, since ids that differ
    only in what is left out, or in upper and lower case, are one folder to some systems.

    Args:
        case_id: any text.
    """
    if _FOLDER.fullmatch(case_id) and not _MARKED.fullmatch(case_id):
        return case_id
    digest = hashlib.sha256(case_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    readable = re.sub("[^a-z0-9_]+", "-", case_id.lower())[:_READABLE].strip("-_")
    return f"{readable or 'case'}-{digest}"
