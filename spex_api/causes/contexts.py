"""Where to look whether a rule of a few parts also holds when some of the others are missing.

A set of parts may flip the answer as claimed and yet be a piece of a larger rule: of five parts
that need each other, any four look like a cause of their own while the fifth is there. So all other
parts are dealt into groups, and each group is left out once, where the rule is nearest to turning.
A part that the rule lacks is in one of the groups, however they are dealt.

What this module does not know: who answers, and what follows where a rule is contradicted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spex_api.causes.known import lacking, most_removed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    Rule = Mapping[tuple[int, ...], bool]

__all__ = ["dealt", "turning_points"]

_GROUPS = 4


def turning_points(rule: Rule) -> list[tuple[int, ...]]:
    """Removals that do not flip, where a part that the rule lacks would make the difference.

    None, and the largest after which one more removal flips.

    Args:
        rule: whether the outcome holds, by what is removed; it holds for some and not for others.
    """
    flips = [set(removed) for removed in rule if rule[removed] != rule[()]]
    before = [
        removed
        for removed in rule
        if set(removed) not in flips and any(set(removed) < each for each in flips)
    ]
    return list(dict.fromkeys([(), max(before, key=len)]))


def dealt(
    removals: Sequence[tuple[int, ...]],
    features: Sequence[int],
    num_features: int,
    rng: Generator,
) -> Iterator[tuple[tuple[int, ...], NDArray[np.uint8]]]:
    """Masks that lack a removal and one group of the other features, for each removal and group.

    Args:
        removals: of the set.
        features: the set; what is not in it is dealt into groups, anew for each removal: four, or
            as many as it takes to stay near the full prompt.
        num_features: of how many.
        rng: deals.

    Yields:
        A removal, and a mask of shape (num_features,), 1 = kept.
    """
    others = np.setdiff1d(np.arange(num_features), features)
    for removed in removals:
        most = max(1, most_removed(num_features) - len(removed))
        num_groups = max(_GROUPS, -(-len(others) // most))
        for group in np.array_split(rng.permutation(others), num_groups):
            if len(group):
                yield removed, lacking([(*removed, *group.tolist())], num_features)[0]
