"""A truth table → the kind of cause it is, and the claims that make it one.

The table says for each subset of some features whether the outcome holds where exactly they are
removed and all else is kept. The claims are its edges: wherever one more removal makes the
difference, the outcome is likelier on the one side than on the other; and of two parts, where the
answer flips without both, that it does.

What this module does not know: where the table comes from, and whether it is true.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from spex_api.claims import Arrangement, Cause, Claim, Kind
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Table = Mapping[tuple[int, ...], bool]

__all__ = ["cause_of", "relevant", "subsets"]


def subsets(features: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All subsets, smaller ones first; the empty one is the first of all."""
    for size in range(len(features) + 1):
        yield from combinations(features, size)


def relevant(features: Sequence[int], table: Table) -> tuple[int, ...]:
    """The features that make a difference somewhere in the table.

    Raises:
        UsageError: the table lacks a subset.
    """
    _check(features, table)
    return tuple(
        feature
        for feature in features
        if any(table[rest] != table[_with(rest, feature)] for rest in _without(features, feature))
    )


def cause_of(features: Sequence[int], table: Table) -> Cause:
    """The cause that a truth table makes, its claims not yet tested.

    Args:
        features: ascending.
        table: for each subset of them, ascending, whether the outcome holds where it is removed.

    Raises:
        UsageError: there is no feature, one makes no difference, or the table lacks a subset.
    """
    idle = sorted(set(features) - set(relevant(features, table)))
    if idle or not features:
        raise UsageError(
            f"Features {idle} make no difference in the table, so they are no part of a cause."
            if features
            else "A cause has one feature at least.",
            advice="Take the features that `relevant` names.",
        )
    kind, suppressors = _kind(features, table)
    return Cause(kind, tuple(features), tuple(_claims(features, table)), suppressors)


def _kind(features: Sequence[int], table: Table) -> tuple[Kind, tuple[int, ...]]:
    flips = [removed for removed in subsets(features) if table[removed] != table[()]]
    if len(features) == 1:
        return Kind.ALONE, ()
    if len(flips) == 2 ** len(features) - 1:
        return Kind.TOGETHER, ()
    if flips == [tuple(features)]:
        return Kind.REDUNDANT, ()
    if _is_held_back(flips):
        return Kind.SUPPRESSOR, flips[0]
    return Kind.MIXED, ()


def _is_held_back(flips: list[tuple[int, ...]]) -> bool:
    """Whether one smallest removal flips, and removing more can only undo it."""
    suppressors = set(flips[0])
    others = [set(removed) - suppressors for removed in flips if suppressors <= set(removed)]
    return len(others) == len(flips) and all(
        rest - {feature} in others for rest in others for feature in rest
    )


def _claims(features: Sequence[int], table: Table) -> Iterator[Claim]:
    edges = [
        (rest, _with(rest, feature))
        for rest in subsets(features)
        for feature in features
        if feature not in rest and table[rest] != table[_with(rest, feature)]
    ]
    if len(features) == 2 and table[()] != table[tuple(features)]:
        edges.append(((), tuple(features)))
    for one, other in edges:
        more, less = (one, other) if table[one] else (other, one)
        yield Claim(Arrangement(more), Arrangement(less))


def _with(removed: tuple[int, ...], feature: int) -> tuple[int, ...]:
    return tuple(sorted({*removed, feature}))


def _without(features: Sequence[int], feature: int) -> Iterator[tuple[int, ...]]:
    return subsets([each for each in features if each != feature])


def _check(features: Sequence[int], table: Table) -> None:
    if list(features) != sorted(set(features)):
        raise UsageError(f"The features of a cause are told once, ascending, not {features}.")
    missing = [removed for removed in subsets(features) if removed not in table]
    if missing:
        raise UsageError(
            f"The table of {tuple(features)} does not say what comes of removing {missing[0]}.",
            advice="Give a truth value for each subset, the empty one included.",
        )
