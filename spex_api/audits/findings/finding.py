"""Many explanations → what they have in common: what matters again and again, and where otherwise.

A finding's value is the mean of the cases' own values, each counted by how far its explanation
accounts for its answer; what an explanation does not list is 0 in it. One question is asked of each
part and each two: is the mean over all such cases 0? A second one of each slice: is it the mean of
the rest? All of these together are corrected as `pooling` has it. What was asked about by name, a
column, is told whatever came of it.

What this module does not know: how the cases were chosen. What is said of further cases is said of
those that would be drawn like them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from spex_api.audited import Finding
from spex_api.audits.findings.gathering import FEWEST, gathered
from spex_api.audits.findings.merging import REACH
from spex_api.audits.findings.namesakes import KEY
from spex_api.audits.findings.pooling import difference, mean_over_cases, share_of_chance
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from spex_api.audited import Audited
    from spex_api.audits.findings.gathering import Observed
    from spex_api.audits.findings.pooling import Mean

__all__ = ["find_findings"]

_NAMED: Final = 3
"""So many of the cases in which it is strongest are named."""

_MOST_LEVELS: Final = 50
"""A column with more entries that are frequent enough groups nothing."""


def find_findings(
    cases: Sequence[Audited], *, key: str | None = None, groups: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Which parts and which two of them matter again and again, and where otherwise than elsewhere.

    Parts are one part over the cases by what they say, by who says them where several do, and by
    their place among documents or in prompts of one shape. What moves fewer than five cases is not
    looked at. Cases that failed, or whose explanation accounts for nothing, have no part in it.

    Args:
        cases: all of them.
        key: a column whose entries are a part of their own, wherever a prompt has it spelled out,
            and whose levels are slices. It is told whatever came of it.
        groups: columns by whose entries the cases are sliced.

    Returns:
        The strongest first, those of all cases before those of slices.

    Raises:
        UsageError: no case has such a column, or the explanations are by several indices.
    """
    _check(cases, (*groups, *([] if key is None else [key])))
    known = np.array([case.known for case in cases])
    counted = [case if case.known else _left_out(case) for case in cases]
    slices = list(_slices(cases, dict.fromkeys((*([] if key is None else [key]), *groups)), known))
    looks = [
        look
        for observed in gathered(counted, key=key)
        for look in _looks(observed, slices, known=known, key=key)
    ]
    chances = [chance for look in looks for chance in look.chances]
    share = share_of_chance(np.array(chances))
    told = [look.finding(cases, share, len(chances), key) for look in looks if look.is_told(share)]
    return tuple(sorted(told, key=_rank))


def _check(cases: Sequence[Audited], columns: Sequence[str]) -> None:
    """Lets pass cases that can be compared, and columns that they have.

    Raises:
        UsageError: they are not that.
    """
    for column in columns:
        if cases and not any(column in case.columns for case in cases):
            there = sorted({name for case in cases for name in case.columns})
            raise UsageError(
                f"No case has a column {column!r}.",
                advice=f"Name one of: {', '.join(map(repr, there))}." if there else "",
            )
    indices = {
        (case.explanation.interactions.index, case.explanation.interactions.order)
        for case in cases
        if case.explanation is not None
    }
    if len(indices) > 1:
        said = " and ".join(f"{index} of order {order}" for index, order in sorted(indices))
        raise UsageError(
            f"The explanations are by {said}: a mean over them means nothing.",
            advice="Explain all of them by one index and one order.",
        )


def _left_out(case: Audited) -> Audited:
    return type(case)(case.case_id, case.columns, case.standing, None, case.error)


@dataclass(frozen=True, slots=True)
class _Slice:
    """Some of the cases.

    Attributes:
        column: by which they were chosen.
        level: what it says there.
        members: shape (num_cases,), which they are.
        halves: whether the rest is a slice of its own.
    """

    column: str
    level: str
    members: NDArray[np.bool_]
    halves: bool = False


def _slices(
    cases: Sequence[Audited], columns: Mapping[str, None], known: NDArray[np.float64]
) -> Iterator[_Slice]:
    """The levels of each column that enough cases have."""
    for column in columns:
        entries = [
            case.columns.get(column, "") if share else ""
            for case, share in zip(cases, known, strict=True)
        ]
        counts = Counter(entries)
        levels = sorted(level for level in counts if level and counts[level] >= FEWEST)
        if len(levels) > _MOST_LEVELS:
            continue
        halves = len(levels) == 2 and counts[levels[0]] + counts[levels[1]] == np.sum(known > 0)
        for level in levels:
            yield _Slice(column, level, np.array([each == level for each in entries]), halves)


@dataclass(frozen=True, slots=True)
class _Look:
    """What was looked at once: a part or two, in all cases or in a slice.

    Attributes:
        observed: what they do in each case.
        mean: over these cases; None where they are too few.
        slice: where it is one.
        rest: the mean over the other cases; None where they are too few.
        apart: the mean less the rest's, where both are there.
        is_asked: whether it is told whatever came of it.
    """

    observed: Observed
    mean: Mean | None
    slice: _Slice | None = None
    rest: Mean | None = None
    apart: Mean | None = None
    is_asked: bool = False

    @property
    def chances(self) -> list[float]:
        """The p-values of what was asked here."""
        asked = [self.mean if self.slice is None or self.is_asked else None, self.apart]
        return [each.chance for each in asked if each is not None]

    def is_told(self, share: float) -> bool:
        """Whether it is a finding."""
        return self.is_asked or any(chance <= share for chance in self.chances)

    def finding(
        self, cases: Sequence[Audited], share: float, looked_at: int, key: str | None
    ) -> Finding:
        """The finding in the words of an audit."""
        seen, apart = self.observed, self.apart
        reach = REACH * seen.deviations
        strongest = np.argsort(-np.abs(seen.values), kind="stable")[:_NAMED]
        return Finding(
            kind=(key or "") if seen.kind == KEY else seen.kind,
            parts=seen.parts,
            among={} if self.slice is None else {self.slice.column: self.slice.level},
            num_cases=len(seen.cases),
            num_strong=int(np.sum(np.abs(seen.values) > reach)),
            value=float(seen.values.mean()) if self.mean is None else self.mean.value,
            interval=None if self.mean is None else self.mean.interval(share),
            rest=None if self.rest is None else self.rest.value,
            strongest=tuple(cases[seen.cases[row]].case_id for row in strongest),
            apart=None if apart is None else apart.interval(share),
            looked_at=looked_at,
        )


def _looks(
    observed: Observed, slices: Sequence[_Slice], *, known: NDArray[np.float64], key: str | None
) -> Iterator[_Look]:
    """All that is looked at of a part or two."""
    is_asked = observed.kind == KEY and len(observed.parts) == 1
    yield _Look(observed, _mean(observed, known), is_asked=is_asked)
    seen: set[str] = set()
    for each in slices:
        inside, outside = observed.within(each.members), observed.within(~each.members)
        asked = is_asked and each.column == key and len(inside.cases) > 0
        mean, rest = _mean(inside, known), _mean(outside, known)
        apart = None
        if mean is not None and rest is not None:
            apart = difference(mean, rest, values=inside.values, others=outside.values)
            # Of two slices that are each other's rest, the one where it does more speaks for both.
            repeats = each.column in seen or abs(mean.value) < abs(rest.value)
            if not asked and each.halves and repeats:
                continue
            seen.add(each.column)
        if asked or apart is not None:
            yield _Look(inside, mean, each, rest, apart, is_asked=asked)


def _mean(observed: Observed, known: NDArray[np.float64]) -> Mean | None:
    if len(observed.cases) < FEWEST:
        return None
    return mean_over_cases(observed.values, observed.deviations, known[observed.cases])


def _rank(finding: Finding) -> tuple[object, ...]:
    return (
        bool(finding.among),
        -abs(finding.value),
        finding.kind,
        finding.parts,
        sorted(finding.among.items()),
    )
