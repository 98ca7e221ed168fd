"""What an explanation claims near the full prompt, in a form that can be put to the test.

Three kinds of sets are taken from the surrogate: the fewest parts whose removal turns the answer,
the fewest that keep it on their own, and the strongest interactions that turn it at all. What the
surrogate predicts for each of a set's subsets says how its parts work. What this module does not
know: the model, and whether the surrogate is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from spex_api.causes.kinds import cause_of, relevant, subsets
from spex_api.causes.known import lacking
from spex_api.claims import Arrangement, Cause, Claim, Kind
from spex_api.feature_sets import flip_set, sufficient_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.causes.outcome import Outcome
    from spex_api.explanation import Explanation
    from spex_api.transforms import FourierTransform, Support

__all__ = ["claimed_causes"]

_LARGEST: Final = 4
"""Parts of a set that is put to the test: each doubles the arrangements."""
_SECONDS: Final = 5.0
_INTERACTIONS: Final = 20
"""Of the strongest, so many are looked at for those that turn the answer."""


def claimed_causes(explanation: Explanation, outcome: Outcome, *, most: int = 3) -> list[Cause]:
    """The causes that an explanation claims, none of them tested, the first ones first.

    Args:
        explanation: whose surrogate is believed for now.
        outcome: what the parts bring about.
        most: how many removals are claimed at most; one set that suffices may come on top.
    """
    surrogate = explanation.transform
    if outcome.holds(float(surrogate(np.ones((1, surrogate.num_features)))[0])) is not True:
        return []
    found: dict[Support, Cause] = {}
    for features in _candidates(explanation, outcome):
        cause = _removal(surrogate, features, outcome)
        if cause is not None:
            found.setdefault(cause.features, cause)
    claimed = _larger_first(list(found.values()))[:most]
    kept = sufficient_set(surrogate, threshold=outcome.threshold, time_limit=_SECONDS).features
    if kept and len(kept) <= _LARGEST and len(kept) < surrogate.num_features:
        claimed.append(_sufficiency(kept, surrogate.num_features))
    return claimed


def _candidates(explanation: Explanation, outcome: Outcome) -> Iterator[Support]:
    """Sets whose removal may turn the answer: the smallest that does, then interactions."""
    surrogate = explanation.transform
    flips = flip_set(surrogate, threshold=outcome.threshold, time_limit=_SECONDS).features
    if flips and len(flips) <= _LARGEST:
        yield flips
    for support in explanation.interactions.strongest()[:_INTERACTIONS]:
        if 1 <= len(support) <= _LARGEST:
            yield support


def _larger_first(causes: Sequence[Cause]) -> list[Cause]:
    """In their order, but what is a part of another stands behind it.

    Where the other is confirmed, the part says nothing new; where it is not, the part may be true.
    """
    ordered: list[Cause] = []
    for cause in causes:
        larger = [each for each in causes if set(cause.features) < set(each.features)]
        for each in (*larger, cause):
            if each not in ordered:
                ordered.append(each)
    return ordered


def _removal(surrogate: FourierTransform, features: Support, outcome: Outcome) -> Cause | None:
    """The cause that a set is by the surrogate's own table; None where it turns nothing."""
    table = _table(surrogate, features, outcome)
    deciding = relevant(features, table)
    if not deciding:
        return None
    return cause_of(deciding, {gone: table[gone] for gone in subsets(deciding)})


def _sufficiency(features: Support, num_features: int) -> Cause:
    """That these alone keep the answer, and that each of them is needed for it then."""
    others = tuple(each for each in range(num_features) if each not in features)
    alone = Arrangement(others)
    claims = (Claim(alone, Arrangement(tuple(sorted((*others, each))))) for each in features)
    return Cause(Kind.SUFFICIENT, features, tuple(claims))


def _table(surrogate: FourierTransform, features: Support, outcome: Outcome) -> dict[Support, bool]:
    """For each subset that is removed from the full prompt: whether the outcome still holds."""
    removals = list(subsets(features))
    values = surrogate(lacking(removals, surrogate.num_features)).tolist()
    return {
        gone: outcome.holds(value) is True for gone, value in zip(removals, values, strict=True)
    }
