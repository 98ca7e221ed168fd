"""The whole posterior mean of a Gaussian process over masks, and its indices without truncation.

A transform lists the coefficients that carry the posterior mean; here nothing is left out. With
`∂_T f̃(q)` the derivative of the multilinear extension along the diagonal (`gp_diagonal`), which is
the mean of the discrete derivative `Δ_T f` where each feature is kept with probability q,

    I(T) = ∫ ∂_T f̃(q, …, q) ν(dq),

and the index is in the measure ν alone: a point, or a density on [0, 1] that is a polynomial
(`spex_api.index_weights` has the sources):

    Möbius                  q = 0
    BII, BV, FBII, Fourier  q = ½; `F[T] = (−2)^{−|T|} I(T)`, of which FBII is a sum over S ⊇ T
    SII, SV                 1
    STII                    order l: `l (1−q)^{l−1}` for |T| = l, and q = 0 below
    FSII                    order 1: 1; order 2: `6 q (1−q)` for pairs, `4 − 6q` for singles

The last follows from the closed form of Tsai, Yeh and Ravikumar (2023) in the Möbius transform: at
order 2 a single feature takes `−2 (r−2) / (r (r+1)) = 4/r − 6/(r+1)` of a set of size r that holds
it, and `∂_i f̃(q)` takes `q^{r−1}`. Likewise at the top the weight is that of a Beta(l, l) density.
Integrals are by Gauss–Legendre, whose nodes are exact for the degree or, where fewer do, have a
bound on the error.

What this module does not know: intervals, and sets of more than two features.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import Polynomial
from scipy.special import roots_legendre
from threadpoolctl import threadpool_limits

from spex_api.decoding.gp_diagonal import diagonal_of
from spex_api.decoding.gp_kernels import coordinates
from spex_api.errors import UsageError
from spex_api.index_weights import INDICES
from spex_api.indices import Interactions, check_index
from spex_api.samples import as_masks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from spex_api.decoding.gp_averaging import MeanAverage
    from spex_api.decoding.gp_diagonal import Diagonal

    Floats = NDArray[np.float64]

__all__ = ["Process"]

_Measure = float | Polynomial
"""A point, or a density on [0, 1]."""

_TOLERANCE = 1e-12
"""The largest error of an integral, in standard deviations of the values."""
_CHUNK = 2048

_UNIFORM = Polynomial([1.0])
_BY_INDEX: dict[str, tuple[Sequence[_Measure], Sequence[_Measure]]] = {
    "Fourier": ((0.5, 0.5), (0.5, 0.5, 0.5)),
    "Möbius": ((0.0, 0.0), (0.0, 0.0, 0.0)),
    "SII": ((0.0, _UNIFORM), (0.0, _UNIFORM, _UNIFORM)),
    "BII": ((0.5, 0.5), (0.5, 0.5, 0.5)),
    "STII": ((0.0, _UNIFORM), (0.0, 0.0, Polynomial([2.0, -2.0]))),
    "FSII": ((0.0, _UNIFORM), (0.0, Polynomial([4.0, -6.0]), Polynomial([0.0, 6.0, -6.0]))),
    "FBII": ((0.5, 0.5), (0.5, 0.5, 0.5)),
}
"""For the orders 1 and 2: of the empty set, of singles, and of pairs."""
_MEASURES = {INDICES[name].weight: measures for name, measures in _BY_INDEX.items()}
"""The same by the weights, which SV shares with SII, and BV with BII."""


@dataclass(frozen=True, slots=True, eq=False)
class Process:
    """The posterior mean of a function on masks: its values, and its indices of orders 1 and 2.

    Attributes:
        average: the mean, of standardized values, with features in an order of its own.
        order: the feature that stands at each place of that order.
        mean: the mean of the values.
        scale: their standard deviation.
        keep: the probability with which the masks of the samples keep a feature.
    """

    average: MeanAverage
    order: NDArray[np.intp]
    mean: float
    scale: float
    keep: float

    def __post_init__(self) -> None:
        if sorted(self.order.tolist()) != list(range(self.average.num_features)):
            raise ValueError(f"{self.order} is no order of {self.average.num_features} features")

    def predict(self, masks: ArrayLike) -> Floats:
        """The posterior mean at each mask, in the score's unit, shape (num_masks,).

        Args:
            masks: shape (num_masks, num_features), of 0 and 1; 1 = kept.

        Raises:
            UsageError: the masks have another shape, or hold something else than 0 and 1.
        """
        checked = as_masks(masks, num_features=len(self.order))[:, self.order]
        values = np.empty(len(checked))
        with threadpool_limits(limits=1, user_api="blas"):
            for start in range(0, len(checked), _CHUNK):
                rows = slice(start, start + _CHUNK)
                values[rows] = self.average.predict(coordinates(checked[rows], self.keep))
        return self.mean + self.scale * values

    def interactions(
        self, index: str = "FBII", order: int = 2, *, names: tuple[str, ...] = ()
    ) -> Interactions:
        """The interactions of every set up to the order: nothing is truncated, nothing sampled.

        For N samples, n features and G nodes, of which most often some tens are enough, singles
        take G N n and pairs G N n² operations.

        Args:
            index: "FBII", "FSII", "STII", "SII", "BII", "Möbius", "Fourier", or "SV" and "BV",
                which are of order 1.
            order: the size of the largest sets, 1 or 2.
            names: one a feature.

        Raises:
            UsageError: the index is unknown, or the order is not 1 or 2.
        """
        weight, limit = check_index(index, order)
        if limit > 2:
            raise UsageError(
                f"A process gives the interactions of one and of two features, not of {limit}.",
                advice="For a higher order take spex_api.interactions of the transform.",
            )
        with threadpool_limits(limits=1, user_api="blas"):
            diagonal = diagonal_of(self.average, self.keep)
            found = _integrals(diagonal, _MEASURES[weight][limit - 1])
        if weight is INDICES["Fourier"].weight:
            found = [each * (-0.5) ** size for size, each in enumerate(found)]
        if weight is INDICES["FBII"].weight:
            found = _faithful(found)
        return self._named(index, found, names)

    def _named(self, index: str, found: Sequence[Floats], names: tuple[str, ...]) -> Interactions:
        """By the prompt's own features, in the score's unit."""
        num_features, place = len(self.order), np.argsort(self.order)
        values = [self.scale * each for each in found]
        flat = values[1][place].tolist()
        if len(values) > 2:
            upper = np.triu_indices(num_features, 1)
            flat += values[2][place[upper[0]], place[upper[1]]].tolist()
        features, largest = range(num_features), len(values) - 1
        sets = chain.from_iterable(combinations(features, size + 1) for size in range(largest))
        by_set = dict(zip(sets, flat, strict=True))
        return Interactions(index, largest, by_set, {}, self.mean + float(values[0]), names)


def _integrals(diagonal: Diagonal, measures: Sequence[_Measure]) -> list[Floats]:
    """`∫ ∂_T f̃ dν` for all T of each size, shapes (), (num_features,), and so on."""
    nodes, shares = np.empty(0), np.empty(0)
    if any(isinstance(measure, Polynomial) for measure in measures):
        nodes, shares = roots_legendre(diagonal.num_nodes(_TOLERANCE))
        nodes, shares = 0.5 * (1.0 + nodes), 0.5 * shares
    found: list[Floats] = []
    for size, measure in enumerate(measures):
        if isinstance(measure, float):
            found.append(diagonal.derivatives(measure, size))
            continue
        total = np.zeros((diagonal.num_features,) * size)
        for node, share in zip(nodes.tolist(), (shares * measure(nodes)).tolist(), strict=True):
            total += share * diagonal.derivatives(node, size)
        found.append(total)
    return found


def _faithful(found: Sequence[Floats]) -> list[Floats]:
    """Faith-Banzhaf from the derivatives at ½: `(−2)^{|T|} Σ_{S⊇T, |S|≤l} F[S]`.

    In terms of `I(S) = (−2)^{|S|} F[S]` the weight of a set with k features more is `(−½)^k`.
    """
    empty, singles, *pairs = found
    if not pairs:
        return [empty - 0.5 * singles.sum(), singles]
    # The sum over the matrix has every pair twice.
    return [
        empty - 0.5 * singles.sum() + 0.125 * pairs[0].sum(),
        singles - 0.5 * pairs[0].sum(axis=1),
        pairs[0],
    ]
