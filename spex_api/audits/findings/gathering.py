"""What is looked at over many cases: every part and every two that stand in enough of them.

What this module does not know: what of it is no chance.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from spex_api.audits.findings.merging import by_name
from spex_api.audits.findings.namesakes import KEY, POSITION, TEXT, called

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from spex_api.audited import Audited
    from spex_api.audits.findings.merging import Named, Parts
    from spex_api.audits.findings.namesakes import Called

__all__ = ["FEWEST", "Observed", "gathered"]

FEWEST: Final = 5
"""A mean over fewer cases has no interval, and nothing that moves fewer of them is looked at."""

_FORM: Final = 0.5
"""Places are compared where at least this share of the cases has the same shape: else a place is
no more than a number."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A part or two, with what they do in each case in which they stand.

    Attributes:
        kind: as in `namesakes`.
        parts: their names.
        cases: shape (num_cases,), the numbers of the cases, ascending.
        values: shape (num_cases,).
        deviations: shape (num_cases,), of each value; NaN where it is not known.
    """

    kind: str
    parts: Parts
    cases: NDArray[np.intp]
    values: NDArray[np.float64]
    deviations: NDArray[np.float64]

    def within(self, members: NDArray[np.bool_]) -> Observed:
        """The same in some of the cases alone.

        Args:
            members: shape (num_all_cases,), which.
        """
        rows = members[self.cases]
        return Observed(
            self.kind, self.parts, self.cases[rows], self.values[rows], self.deviations[rows]
        )


_Sort = tuple[str, tuple[object, ...]]
"""A kind, and the shape within which its names mean the same."""


def gathered(cases: Sequence[Audited], *, key: str | None = None) -> list[Observed]:
    """Everything that is looked at, in an order that depends on the cases alone.

    Those with the name of a column are looked at however few cases they move.

    Args:
        cases: all of them.
        key: a column whose entries are a part of their own.
    """
    every: dict[_Sort, dict[int, Called]] = defaultdict(dict)
    for number, case in enumerate(cases):
        for each in called(case, key=key):
            every[each.kind, each.shape][number] = each
    found: list[Observed] = []
    for (kind, _), of_cases in every.items():
        if kind == POSITION and len(of_cases) < max(FEWEST, _FORM * len(cases)):
            continue
        told = of_cases if kind in (TEXT, KEY) else _not_yet_told(of_cases, every)
        found += _observed(cases, kind, told)
    return found


def _not_yet_told(
    of_cases: Mapping[int, Called], every: Mapping[_Sort, Mapping[int, Called]]
) -> dict[int, Called]:
    """Without the names of what says the same in every case, or is the column's entry in each."""
    texts, fields = every[TEXT, ()], every.get((KEY, ()), {})
    said: dict[str, set[str]] = defaultdict(set)
    for number, each in of_cases.items():
        entry = fields[number].own_features() if number in fields else ()
        for name, features in each.features.items():
            text = "\n".join(texts[number].names[feature] for feature in features)
            said[name].add("" if features == entry else text)
    told = frozenset(name for name, different in said.items() if len(different) > 1)
    return {number: replace(each, own=each.own & told) for number, each in of_cases.items()}


def _observed(
    cases: Sequence[Audited], kind: str, of_cases: Mapping[int, Called]
) -> Iterable[Observed]:
    """The parts of one kind, and every two of them."""
    named: dict[int, Named] = {}
    stands: dict[str, set[int]] = defaultdict(set)
    moved: Counter[Parts] = Counter()
    for number, each in of_cases.items():
        explanation = cases[number].explanation
        if explanation is None:
            continue
        named[number] = by_name(explanation, each.names)
        for name in named[number].names:
            stands[name].add(number)
        moved.update(
            parts
            for parts, value in named[number].values.items()
            if value and _is_looked_at(kind, parts, each.own)
        )
    fewest = 1 if kind == KEY else FEWEST
    for parts in sorted(moved):
        if moved[parts] >= (fewest if len(parts) == 1 else FEWEST):
            numbers = sorted(set.intersection(*(stands[name] for name in parts)))
            yield _row(kind, parts, [(number, named[number]) for number in numbers])


def _is_looked_at(kind: str, parts: Parts, own: frozenset[str]) -> bool:
    """Whether all parts are of the kind; beside a column's stands any other."""
    return bool(own.intersection(parts)) if kind == KEY else own.issuperset(parts)


def _row(kind: str, parts: Parts, of_cases: Sequence[tuple[int, Named]]) -> Observed:
    def deviation(named: Named) -> float:
        return named.deviations.get(parts, named.usual.get(len(parts), math.nan))

    return Observed(
        kind,
        parts,
        np.array([number for number, _ in of_cases], dtype=np.intp),
        np.array([named.values.get(parts, 0.0) for _, named in of_cases]),
        np.array([deviation(named) for _, named in of_cases]),
    )
