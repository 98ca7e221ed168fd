"""Optimal sets of features on a surrogate, found and proven by mixed-integer linear programming.

Three questions, each asked of the surrogate `f̂` alone: which few features, when removed, change its
value the most (`removal_set`; Butler et al. 2025, ProxySPEX, Eq. 4); which fewest features keep the
answer on their own (`sufficient_set`); which fewest, when removed, turn it (`flip_set`).

Each answer comes with its proof: that no better set exists, or by how much one may be better. The
search is `spex_api.feature_choice`'s, by HiGHS (Huangfu and Hall 2018).

What this module does not know: the model behind the surrogate. A set that is optimal on the
surrogate need not be so on the model; `spex_api.fidelity.removal_curve` measures that.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, inf, isfinite
from typing import TYPE_CHECKING, Literal, NamedTuple

from spex_api.errors import UsageError
from spex_api.feature_choice import MARGIN, TIE, Choice

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spex_api.transforms import FourierTransform, MobiusTransform, Support

__all__ = ["FeatureSet", "FeatureSetStatus", "flip_set", "removal_set", "sufficient_set"]

_SIGNS = {"either": (1, -1), "up": (1,), "down": (-1,)}


class FeatureSetStatus(StrEnum):
    """How a search went; each member is the sentence that a person reads."""

    OPTIMAL = "No better set exists."
    WITHIN_GAP = "No set is better by more than the gap that was allowed."
    STOPPED = "The search stopped before it could prove that no better set exists."
    NOTHING_MOVES = "No set of this size changes the value that way."
    NO_SET = "No set of features takes the value across the threshold."
    NONE_FOUND = "The search stopped before it found a set or could prove that there is none."
    ON_THRESHOLD = (
        "The value of the full prompt lies on the threshold: it has no side to keep or to leave."
    )


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """A set of features, what it does to the surrogate, and what is proven of it.

    Attributes:
        features: sorted; None where no set does what was asked.
        value: of the surrogate at the mask that follows from the set; None where there is no set.
        before: the value of the surrogate at the full prompt.
        status: how the search went, as a sentence.
        gap: by what share of itself the set may still be improved: of its change for a removal set,
            of its size for the others. 0 is proven; infinite where there is nothing to compare.
    """

    features: Support | None
    value: float | None
    before: float
    status: FeatureSetStatus
    gap: float = 0.0

    @property
    def proven(self) -> bool:
        """Whether it is proven that there is no better set, or no set at all."""
        return self.gap == 0.0


def removal_set(
    surrogate: FourierTransform | MobiusTransform,
    size: int,
    *,
    direction: Literal["either", "up", "down"] = "either",
    time_limit: float = 30.0,
    gap: float = 0.0,
) -> FeatureSet:
    """The set R, |R| ≤ size, of the largest `|f̂(1) − f̂(1 − 1_R)|` (Butler et al. 2025, Eq. 4).

    Of equal sets, one with fewer and then with earlier features is taken. A search that its time
    limit cuts short may end elsewhere on another day; one that is proven does not.

    Args:
        surrogate: the function whose value is to change.
        size: how many features may be removed.
        direction: "up" or "down" where the value is to rise or to fall.
        time_limit: seconds for the whole search.
        gap: a relative gap at which the search may stop.

    Raises:
        UsageError: an argument is out of its range, or a Möbius term has more than 20 features.
    """
    _check_search(time_limit, gap)
    if not size >= 1:
        raise UsageError(f"A removal set has room for at least 1 feature, not {size}.")
    if direction not in _SIGNS:
        raise UsageError(f"The direction is one of {', '.join(_SIGNS)}, not {direction!r}.")
    search = _Search(time.monotonic() + time_limit, gap)
    choice = Choice.of(surrogate, removing=True)
    start, best, mark, bound = choice.at(choice.nothing), choice.nothing, 0.0, 0.0
    climbed = [(sign, choice.climb(sign, size)) for sign in _SIGNS[direction]]
    # The more promising direction first: what it reaches is the mark for the other.
    climbed.sort(key=lambda pair: -pair[0] * (choice.at(pair[1]) - start))
    for place, (sign, chosen) in enumerate(climbed):
        seconds = search.seconds(shared_by=len(climbed) - place)
        level = mark + sign * start
        found = choice.furthest(sign, size, mark=level, seconds=seconds, gap=gap)
        bound = max(bound, found.bound - sign * start)
        for other in (chosen, found.chosen):
            if other is not None and sign * (choice.at(other) - start) > mark + TIE:
                best = choice.tidy(sign, other)
                mark = sign * (choice.at(best) - start)
    missing = bound - mark
    remains = 0.0 if missing <= choice.tolerance else missing / mark if mark else inf
    if not best.any() and not remains:
        return _result(choice, best, FeatureSetStatus.NOTHING_MOVES)
    return _result(choice, best, _status(remains, gap), remains)


def sufficient_set(
    surrogate: FourierTransform | MobiusTransform,
    *,
    threshold: float = 0.0,
    share: float | None = None,
    time_limit: float = 30.0,
    gap: float = 0.0,
) -> FeatureSet:
    """The fewest features that keep the answer while all others are masked.

    The set K minimises |K| such that `f̂(1_K)` lies beyond the threshold on the side of `f̂(1)`; or,
    with a share s, such that `(f̂(1_K) − f̂(0)) / (f̂(1) − f̂(0)) ≥ s`. A value within a
    hundred-thousandth of the largest coefficient of the threshold lies on it, and so on neither
    side. Of several smallest sets, the one whose value goes furthest is taken, as far as the time
    allows.

    Args:
        surrogate: the function whose value is to be kept.
        threshold: the boundary between answers; 0 is that of a log-odds.
        share: in (0, 1]; replaces the threshold.
        time_limit: seconds for the whole search.
        gap: a relative gap in the number of features at which the search may stop.

    Raises:
        UsageError: an argument is out of its range, a threshold and a share are both given, or a
            Möbius term has more than 20 features.
    """
    _check_search(time_limit, gap)
    _check_threshold(threshold)
    if share is not None and not 0.0 < share <= 1.0:
        raise UsageError(f"A share is above 0 and at most 1, not {share}.")
    if share is not None and threshold:
        raise UsageError(
            f"Both a threshold ({threshold}) and a share ({share}) are given.",
            advice="Give the one that says what is to be kept.",
        )
    search = _Search(time.monotonic() + time_limit, gap)
    choice = Choice.of(surrogate, removing=False)
    full, empty = choice.at(~choice.nothing), choice.at(choice.nothing)
    if share is None:
        return _beyond(choice, threshold, search=search, side=1)
    sign = 1 if full >= empty else -1
    # Short of the exact goal by a margin, so that the full prompt itself keeps a share of 1.
    return _fewest(choice, sign, sign * (empty + share * (full - empty)) - MARGIN, search)


def flip_set(
    surrogate: FourierTransform | MobiusTransform,
    *,
    threshold: float = 0.0,
    time_limit: float = 30.0,
    gap: float = 0.0,
) -> FeatureSet:
    """The fewest features whose removal from the full prompt turns the answer.

    The set R minimises |R| such that `f̂(1 − 1_R)` lies beyond the threshold on the side where
    `f̂(1)` does not. A value within a hundred-thousandth of the largest coefficient of the threshold
    lies on it, and so on neither side. Of several smallest sets, the one whose value goes furthest
    is taken, as far as the time allows.

    Args:
        surrogate: the function whose value is to cross the threshold.
        threshold: the boundary between answers; 0 is that of a log-odds.
        time_limit: seconds for the whole search.
        gap: a relative gap in the number of features at which the search may stop.

    Raises:
        UsageError: an argument is out of its range, or a Möbius term has more than 20 features.
    """
    _check_search(time_limit, gap)
    _check_threshold(threshold)
    search = _Search(time.monotonic() + time_limit, gap)
    choice = Choice.of(surrogate, removing=True)
    return _beyond(choice, threshold, search=search, side=-1)


class _Search(NamedTuple):
    """When the time is up, by the monotonic clock, and the gap at which a search may stop."""

    deadline: float
    gap: float

    def seconds(self, *, shared_by: int = 1) -> float:
        """What is left of the time for each of so many programmes."""
        return (self.deadline - time.monotonic()) / shared_by


def _beyond(choice: Choice, threshold: float, *, search: _Search, side: int) -> FeatureSet:
    """The fewest features that lead to a side: 1 = the full prompt's, −1 = the other."""
    full = choice.at(choice.nothing if choice.removing else ~choice.nothing)
    boundary = threshold / choice.scale
    if abs(full - boundary) <= MARGIN:
        return _result(choice, None, FeatureSetStatus.ON_THRESHOLD)
    sign = side if full > boundary else -side
    return _fewest(choice, sign, sign * boundary + MARGIN, search)


def _fewest(choice: Choice, sign: int, goal: float, search: _Search) -> FeatureSet:
    """The fewest features at whose choice the signed value reaches a goal.

    Among as many features, the second programme finds those that go furthest: what is left to
    chance by the first, which counts only.
    """
    # Half a margin is more than the solver's tolerance: what it accepts is accepted here.
    enough = goal - MARGIN / 2
    if sign * choice.at(choice.nothing) >= enough:
        return _result(choice, choice.nothing, FeatureSetStatus.OPTIMAL)
    if enough > choice.reach:
        return _result(choice, None, FeatureSetStatus.NO_SET)

    climbed = choice.climb(sign, len(choice.nothing), goal=enough)
    known = _meeting(choice, sign, enough, [climbed])
    if known and climbed.sum() == 1:
        # The climb's first step has tried every feature alone.
        return _result(choice, choice.tidy(sign, climbed), FeatureSetStatus.OPTIMAL)
    found = choice.fewest(
        sign,
        goal,
        most=int(climbed.sum()) if known else len(climbed),
        seconds=search.seconds(shared_by=2),
        gap=search.gap,
    )
    known = _meeting(choice, sign, enough, [*known, found.chosen])
    if not known:
        status = FeatureSetStatus.NO_SET if found.impossible else FeatureSetStatus.NONE_FOUND
        return _result(choice, None, status, 0.0 if found.impossible else inf)
    if search.seconds() > 0:
        further = choice.furthest(
            sign, int(known[0].sum()), mark=enough, seconds=search.seconds(), gap=search.gap
        )
        known = _meeting(choice, sign, enough, [*known, further.chosen])
    best = choice.tidy(sign, known[0])
    size = int(best.sum())
    least = max(1, ceil(found.bound - MARGIN)) if isfinite(found.bound) else 1
    remains = max(0.0, (size - least) / size)
    return _result(choice, best, _status(remains, search.gap), remains)


def _meeting(
    choice: Choice, sign: int, enough: float, candidates: list[NDArray[np.bool_] | None]
) -> list[NDArray[np.bool_]]:
    """Those that reach the goal, the smallest first, and of these the one that goes furthest."""
    met = [each for each in candidates if each is not None and sign * choice.at(each) >= enough]
    return sorted(met, key=lambda each: (int(each.sum()), -sign * choice.at(each)))


def _result(
    choice: Choice,
    chosen: NDArray[np.bool_] | None,
    status: FeatureSetStatus,
    gap: float = 0.0,
) -> FeatureSet:
    """The set in the caller's numbering, with the surrogate's own value at its mask."""
    surrogate = choice.surrogate
    before = float(surrogate([[1] * surrogate.num_features])[0])
    if chosen is None:
        return FeatureSet(None, None, before, status, gap)
    features = tuple(choice.active[chosen].tolist())
    return FeatureSet(features, float(surrogate([choice.mask(chosen)])[0]), before, status, gap)


def _status(remains: float, allowed: float) -> FeatureSetStatus:
    if not remains:
        return FeatureSetStatus.OPTIMAL
    return FeatureSetStatus.WITHIN_GAP if remains <= allowed else FeatureSetStatus.STOPPED


def _check_search(time_limit: float, gap: float) -> None:
    if not time_limit > 0:
        raise UsageError(f"A search takes some time: more than 0 seconds, not {time_limit}.")
    if not 0 <= gap < inf:
        raise UsageError(f"A gap is a finite share of at least 0, not {gap}.")


def _check_threshold(threshold: float) -> None:
    if not isfinite(threshold):
        raise UsageError(f"A threshold is a finite number, not {threshold}.")
