"""The few parts that decide: which suffice, which turn the answer, which move it most.

All of it is said of the surrogate. What this module does not know: whether the model agrees; causes
that were put to the test say that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.feature_sets import FeatureSet, FeatureSetStatus, flip_set, sufficient_set
from spex_api.report.page.stepwise import steps

if TYPE_CHECKING:
    from spex_api.explanation import Explanation
    from spex_api.transforms import FourierTransform, Support

__all__ = ["SHARE", "Few", "threshold_of"]

SHARE: Final = 0.9
"""Of the distance from everything masked to the whole prompt: what sufficient parts keep where no
threshold parts one answer from another."""

_SECONDS: Final = 1.0
_MARGIN: Final = 1e-9
_MOST_TERMS: Final = 400
"""Of more no search proves anything within a second."""
_SIZES: Final = 6


@dataclass(frozen=True, slots=True)
class Few:
    """The sets of a surrogate.

    Attributes:
        threshold: where the answer turns; None where nothing says so.
        sufficient: the fewest parts that keep the answer, or most of the value, alone.
        flip: the fewest whose removal turns the answer; None without a threshold.
        removals: for 1, 2, … parts the set whose removal moves the value most, as far as a search
            step by step finds it, and the value then.
    """

    threshold: float | None
    sufficient: FeatureSet
    flip: FeatureSet | None
    removals: tuple[tuple[Support, float], ...]

    @classmethod
    def of(cls, explanation: Explanation) -> Few:
        """The sets of an explanation's surrogate."""
        transform, threshold = explanation.transform, threshold_of(explanation)
        return cls(
            threshold,
            _kept(transform, threshold),
            None if threshold is None else _turning(transform, threshold),
            _removals(transform),
        )


def threshold_of(explanation: Explanation) -> float | None:
    """The surrogate's value at which the answer turns; None where nothing says so.

    That of the tested causes, else 0 of a log-odds. Where the values are shares of sampled answers
    the surrogate is a log-odds, and a share turns into one.
    """
    tested = None if explanation.causes is None else explanation.causes.threshold
    if explanation.faithfulness.of_shares:
        share = tested if tested is not None and 0.0 < tested < 1.0 else 0.5
        return math.log(share / (1.0 - share))
    if tested is not None:
        return tested
    return 0.0 if explanation.provenance.meaning.startswith("log-odds") else None


def _kept(transform: FourierTransform, threshold: float | None) -> FeatureSet:
    """The fewest parts that suffice."""
    if len(transform) <= _MOST_TERMS:
        found = (
            sufficient_set(transform, share=SHARE, time_limit=_SECONDS)
            if threshold is None
            else sufficient_set(transform, threshold=threshold, time_limit=_SECONDS)
        )
        if found.proven or found.status is FeatureSetStatus.ON_THRESHOLD:
            return found
    full, empty = _ends(transform)
    goal = empty + SHARE * (full - empty) if threshold is None else threshold
    sign = 1 if full >= (empty if threshold is None else threshold) else -1
    return _stepwise(transform, sign, goal, removing=False)


def _turning(transform: FourierTransform, threshold: float) -> FeatureSet:
    """The fewest parts whose removal takes the value across the threshold."""
    if len(transform) <= _MOST_TERMS:
        found = flip_set(transform, threshold=threshold, time_limit=_SECONDS)
        if found.proven or found.status is FeatureSetStatus.ON_THRESHOLD:
            return found
    full, _ = _ends(transform)
    return _stepwise(transform, -1 if full >= threshold else 1, threshold, removing=True)


def _stepwise(transform: FourierTransform, sign: int, goal: float, *, removing: bool) -> FeatureSet:
    """A set that is found without a proof.

    A search that is cut short ends elsewhere on another day, and a page is to be written again with
    the same bytes.
    """
    full, empty = _ends(transform)
    beyond = sign * goal + _MARGIN
    path = steps(transform, sign=sign, removing=removing, most=transform.num_features, goal=beyond)
    value = path[-1].value if path else full if removing else empty
    if sign * value < beyond:
        return FeatureSet(None, None, full, FeatureSetStatus.NONE_FOUND, math.inf)
    features = tuple(sorted(step.feature for step in path))
    return FeatureSet(features, value, full, FeatureSetStatus.STOPPED, math.inf)


def _ends(transform: FourierTransform) -> tuple[float, float]:
    """The value of everything, and of nothing."""
    number = transform.num_features
    full, empty = transform([[1] * number, [0] * number]).tolist()
    return full, empty


def _removals(transform: FourierTransform) -> tuple[tuple[Support, float], ...]:
    """For each size the further of two ways: what raises the value most, and what lowers it."""
    full, _ = _ends(transform)
    ways = [steps(transform, sign=sign, removing=True, most=_SIZES) for sign in (1, -1)]
    removals: list[tuple[Support, float]] = []
    for size in range(1, max(map(len, ways)) + 1):
        way = max(ways, key=lambda way: abs(way[size - 1].value - full))
        removals.append((tuple(sorted(step.feature for step in way[:size])), way[size - 1].value))
    return tuple(removals)
