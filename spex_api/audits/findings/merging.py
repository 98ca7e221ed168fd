"""What named parts of an explanation do, alone and two together.

Parts of one name are kept and masked as one. The surrogate says exactly what then happens: with the
same sign for all parts of a name, `Π_{i∈S} (−1)^{m_i}` depends only on the names that stand in S an
odd number of times. How sure that is, it does not say; the deviations of the sets behind a name are
added, which holds however they depend on each other.

What this module does not know: why parts go by one name.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from spex_api.indices import interactions
from spex_api.transforms import FourierTransform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spex_api.explanation import Explanation
    from spex_api.indices import Interactions

__all__ = ["REACH", "Named", "Parts", "by_name"]

Parts = tuple[str, ...]
"""One name, or two in the order of the alphabet."""

REACH: Final = 1.6448536269514722
"""Half of a 90 % interval, in standard deviations of a normal distribution."""

_ROUNDING: Final = 1e-6
"""Of the largest value: what a solver leaves of 0. Over many cases it would look like an effect."""


@dataclass(frozen=True, slots=True)
class Named:
    """What the parts of one case do, by their names.

    Attributes:
        names: all of them.
        values: of each name and each two that the explanation lists; of any other it is 0.
        deviations: the standard deviation of each value; empty where the decoder cannot tell.
        usual: that of the middle listed one, by how many names it has: how well a value of 0 is
            known that is not listed; NaN where the decoder cannot tell.
    """

    names: frozenset[str]
    values: Mapping[Parts, float]
    deviations: Mapping[Parts, float]
    usual: Mapping[int, float]


def by_name(explanation: Explanation, names: Sequence[str]) -> Named:
    """What the parts do under these names.

    Args:
        explanation: whose parts they are.
        names: one a feature; "" for a part that is not asked about.
    """
    listed = explanation.interactions
    groups, group_of = _groups(names)
    found = listed if len(groups) == len(names) else _merged(explanation, group_of, len(groups))
    called = {
        support: tuple(sorted(groups[each] for each in support))
        for support in found
        if len(support) <= 2 and all(groups[each] for each in support)
    }
    deviations = _deviations(listed, group_of, groups)
    sizes: dict[int, list[float]] = defaultdict(list)
    for support, parts in called.items():
        if parts in deviations:
            sizes[len(support)].append(deviations[parts])
    least = _ROUNDING * max(map(abs, found.values()), default=0.0)
    return Named(
        frozenset(filter(None, groups)),
        {
            parts: found[support] if abs(found[support]) > least else 0.0
            for support, parts in called.items()
        },
        deviations,
        {size: float(np.median(sizes[size])) if sizes[size] else math.nan for size in (1, 2)},
    )


def _groups(names: Sequence[str]) -> tuple[list[str], list[int]]:
    """The names, each once but for "", and the number of each feature's among them."""
    groups: list[str] = []
    numbers: dict[str, int] = {}
    group_of = []
    for name in names:
        if not name or name not in numbers:
            numbers[name] = len(groups)
            groups.append(name)
        group_of.append(numbers[name])
    return groups, group_of


def _merged(explanation: Explanation, group_of: Sequence[int], number: int) -> Interactions:
    """The interactions of the names."""
    terms: dict[tuple[int, ...], float] = defaultdict(float)
    for support, coefficient in explanation.transform.items():
        odd: set[int] = set()
        for feature in support:
            odd ^= {group_of[feature]}
        terms[tuple(sorted(odd))] += coefficient
    listed = explanation.interactions
    return interactions(FourierTransform(terms, number), listed.index, listed.order)


def _deviations(
    listed: Interactions, group_of: Sequence[int], groups: Sequence[str]
) -> dict[Parts, float]:
    """The standard deviation of each name and each two, added over the sets behind it."""
    added: dict[Parts, float] = defaultdict(float)
    for support, interval in listed.intervals.items():
        behind = {group_of[feature] for feature in support}
        if len(behind) <= 2 and all(groups[each] for each in behind):
            parts = tuple(sorted(groups[each] for each in behind))
            added[parts] += (interval.high - interval.low) / (2 * REACH)
    return dict(added)
