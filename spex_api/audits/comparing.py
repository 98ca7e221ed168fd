"""Two audits of the same cases: two models, two prompts, two months; what became of each finding.

Cases are matched by their names, and the interactions of each as `spex_api.comparing` has it. Of
many interactions some look changed by chance alone; how many, follows from their intervals. Two
estimates with normal errors σ₁ and σ₂ and intervals of ±z σ (z = 1.645 at 90 %) have no value in
common, though nothing changed, with the probability 2 Φ(−z (σ₁ + σ₂) / √(σ₁² + σ₂²)): 2 % where
both are as sure, 10 % where one is exact. What this module does not know: why something changed.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

from spex_api.comparing import Comparison, compare
from spex_api.errors import UsageError
from spex_api.interaction_changes import Fate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spex_api.audited import Audit, Audited, Finding
    from spex_api.indices import Interval
    from spex_api.interaction_changes import Change

__all__ = ["AuditComparison", "CaseChange", "FindingChange", "compare_audits"]

_REACH: Final = NormalDist().inv_cdf(0.95)
_REAL: Final = (Fate.APPEARED, Fate.VANISHED, Fate.CHANGED)


@dataclass(frozen=True, slots=True, eq=False)
class CaseChange:
    """A case that both audits have.

    Attributes:
        case_id: its name.
        comparison: of its two explanations; None where they cannot be compared.
        why_not: in a sentence; "" where they were compared.
    """

    case_id: str
    comparison: Comparison | None
    why_not: str = ""

    @property
    def changes(self) -> tuple[Change, ...]:
        """The interactions that appeared, vanished or changed beyond their intervals."""
        if self.comparison is None:
            return ()
        return tuple(each for each in self.comparison.changes if each.fate in _REAL)


@dataclass(frozen=True, slots=True)
class FindingChange:
    """A finding before and now.

    Attributes:
        fate: what became of it. One that only one audit tells may be there in the other as well,
            too weak to be told apart from chance.
        before: as it was told; None where it was not.
        after: as it is told.
    """

    fate: Fate
    before: Finding | None
    after: Finding | None

    @property
    def told(self) -> Finding:
        """The finding as it is told last."""
        finding = self.after or self.before
        if finding is None:
            raise UsageError("A finding is told in one of two audits at least.")
        return finding


@dataclass(frozen=True, slots=True, eq=False)
class AuditComparison:
    """Two audits side by side.

    Attributes:
        cases: those that both have, those with most changes first.
        only_before: names of cases that only the first has.
        only_after: of those that only the second has.
        findings: what became of each, changed ones first.
        counts: how many interactions of all cases became what.
        by_chance: how many of them would appear, vanish or change though nothing did.
        warnings: what forbids to lean on it, a sentence each.
    """

    cases: tuple[CaseChange, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    findings: tuple[FindingChange, ...]
    counts: dict[Fate, int]
    by_chance: float
    warnings: tuple[str, ...]

    @property
    def num_changes(self) -> int:
        """How many interactions appeared, vanished or changed beyond their intervals."""
        return sum(self.counts.get(fate, 0) for fate in _REAL)

    @property
    def summary(self) -> str:
        """The whole in two sentences."""
        told = sum(self.counts.values()) - self.counts.get(Fate.UNTOLD, 0)
        if not told:
            said = (
                "No interaction has intervals on both sides, so none can be told to have changed."
            )
        else:
            more = "more than" if self.num_changes > 2 * self.by_chance else "not clearly more than"
            said = (
                f"Of {told:,} interactions in {len(self.cases):,} prompts {self.num_changes:,} "
                f"appeared, vanished or changed beyond their intervals: {more} chance alone, which "
                f"would show about {self.by_chance:.1f}."
            )
        moved = sum(each.fate in _REAL for each in self.findings)
        return f"{said} Of {len(self.findings):,} findings {moved:,} are not what they were."


def compare_audits(before: Audit, after: Audit) -> AuditComparison:
    """Compares two audits case by case, and by what they found over all cases.

    Args:
        before: the first.
        after: the second.

    Raises:
        UsageError: they have no case in common.
    """
    old, new = ({case.case_id: case for case in audit.cases} for audit in (before, after))
    both = [name for name in old if name in new]
    if not both:
        raise UsageError(
            "The two audits have no case in common: cases are matched by their names.",
            advice="Give each case the same id in both, and audit again: that costs nothing.",
        )
    cases = [_case(old[name], new[name]) for name in both]
    every = list(chain.from_iterable(x.comparison.changes for x in cases if x.comparison))
    return AuditComparison(
        cases=tuple(sorted(cases, key=lambda case: -len(case.changes))),
        only_before=tuple(name for name in old if name not in new),
        only_after=tuple(name for name in new if name not in old),
        findings=tuple(_findings(before.findings, after.findings)),
        counts=dict(Counter(change.fate for change in every)),
        by_chance=math.fsum(map(_chance, every)),
        warnings=tuple(_warnings(before, after, cases)),
    )


def _case(before: Audited, after: Audited) -> CaseChange:
    """The comparison of a case, or why there is none."""
    for which, case in (("first", before), ("second", after)):
        if case.explanation is None:
            why = f"The {which} audit has no explanation of it: {case.error or case.standing}"
            return CaseChange(before.case_id, None, why)
    if before.explanation is None or after.explanation is None:
        return CaseChange(before.case_id, None)
    try:
        return CaseChange(before.case_id, compare(before.explanation, after.explanation))
    except UsageError as error:
        return CaseChange(before.case_id, None, error.cause)


def _chance(change: Change) -> float:
    """How likely this one would look changed if it were not; 0 where that cannot be told."""
    first, second = change.intervals
    if first is None and second is None:
        return 0.0
    if first is None or second is None:  # its parts are not there: it is held against nothing
        return 0.0 if change.fate is Fate.UNTOLD else 2 * NormalDist().cdf(-_REACH)
    widths = [max(interval.high - interval.low, 0.0) for interval in (first, second)]
    whole = math.hypot(*widths)
    return 2 * NormalDist().cdf(-_REACH * sum(widths) / whole) if whole else 0.0


def _findings(before: Iterable[Finding], after: Iterable[Finding]) -> Iterator[FindingChange]:
    """What became of each finding that either audit tells, what is another first."""
    old, new = ({_what(each): each for each in findings} for findings in (before, after))
    every = [
        FindingChange(_fate(old.get(what), new.get(what)), old.get(what), new.get(what))
        for what in dict.fromkeys((*old, *new))
    ]
    yield from sorted(every, key=lambda each: (each.fate not in _REAL, -abs(each.told.value)))


def _what(finding: Finding) -> tuple[object, ...]:
    return finding.kind, finding.parts, tuple(sorted(finding.among.items()))


def _fate(before: Finding | None, after: Finding | None) -> Fate:
    if before is None or after is None:
        return Fate.VANISHED if after is None else Fate.APPEARED
    first, second = before.interval, after.interval
    if first is None or second is None:
        return Fate.UNTOLD
    if first.low <= second.high and second.low <= first.high:
        return Fate.WITHIN
    if _holds_nothing(first):
        return Fate.APPEARED
    return Fate.VANISHED if _holds_nothing(second) else Fate.CHANGED


def _holds_nothing(interval: Interval) -> bool:
    return interval.low <= 0.0 <= interval.high


def _warnings(before: Audit, after: Audit, cases: list[CaseChange]) -> Iterator[str]:
    failed = sum(case.comparison is None for case in cases)
    if failed:
        yield f"{failed:,} of {len(cases):,} prompts that both have cannot be compared."
    for which, audit in (("first", before), ("second", after)):
        doubtful = sum(case.is_doubtful for case in audit.cases)
        if doubtful:
            yield (
                f"Of {doubtful:,} of {len(audit.cases):,} prompts the {which} audit accounts for "
                "less than half of the answer's variation."
            )
    for name, told in (
        ("models", [_models(audit) for audit in (before, after)]),
        ("versions of spex-api", [audit.version for audit in (before, after)]),
    ):
        if told[0] != told[1]:
            yield f"The {name} differ: {told[0] or 'none'} before, {told[1] or 'none'} now."


def _models(audit: Audit) -> str:
    known = (case.explanation for case in audit.cases)
    return ", ".join(sorted({each.provenance.model for each in known if each is not None}))
