"""What an audit returns: every case with what it reached, and what the cases have in common.

What this module does not know: how cases are read, asked and allotted, and how a finding is found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from spex_api.provenance import Cost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spex_api.completions import JsonObject
    from spex_api.explanation import Explanation
    from spex_api.indices import Interval

__all__ = ["Audit", "Audited", "Finding", "Standing"]


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
    usage: Cost = Cost()
    complete: bool = True
    ending: str = ""
    spec: JsonObject | None = None
    version: str = ""
