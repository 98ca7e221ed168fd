"""Sets of parts found step by step: each step takes the part that helps most.

Nothing is proven of such a set, but it is found at once and the same on every day, where a search
with a proof may be cut short. What this module does not know: what a set is wanted for.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from spex_api.transforms import FourierTransform

__all__ = ["Step", "steps"]


class Step(NamedTuple):
    """A part that was taken, and the surrogate's value then."""

    feature: int
    value: float


def steps(
    transform: FourierTransform,
    *,
    sign: int,
    removing: bool,
    most: int,
    goal: float = inf,
) -> list[Step]:
    """The parts in the order in which they were taken.

    Args:
        transform: the surrogate.
        sign: 1 where the value is to rise, −1 where it is to fall.
        removing: whether parts are removed from the whole, or else put back into nothing.
        most: how many at most.
        goal: the signed value at which to stop.
    """
    supports = list(transform)
    rows = [row for row, support in enumerate(supports) for _ in support]
    columns = [feature for support in supports for feature in support]
    incidence = sparse.csc_array(
        (np.ones(len(rows)), (rows, columns)), shape=(len(supports), transform.num_features)
    )
    kept = np.array([(-1.0) ** (len(support) * removing) for support in supports])
    signed = kept * np.fromiter(transform.values(), dtype=np.float64, count=len(transform))
    taken = np.zeros(transform.num_features, dtype=np.bool_)
    # A part that no term holds moves nothing.
    taken[np.diff(incidence.indptr) == 0] = True
    path: list[Step] = []
    while len(path) < most and not taken.all() and sign * signed.sum() < goal:
        change = -2.0 * sign * (incidence.T @ signed)
        feature = int(np.argmax(np.where(taken, -inf, change)))
        taken[feature] = True
        touched = incidence.indices[incidence.indptr[feature] : incidence.indptr[feature + 1]]
        signed[touched] *= -1.0
        path.append(Step(feature, float(signed.sum())))
    return path
