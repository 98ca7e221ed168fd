"""FourierTransform → Interactions: what features do alone and together, by any index.

Every index is linear in the transform: `I = W F` with a sparse matrix `W` (its entries:
`spex_api.index_weights`). So one matrix serves the values and, where a decoder gives the covariance
`C` of its coefficients, the intervals: `diag(W C Wᵀ)`.

The empty set's value is the `baseline`. For SII (so SV), STII, FSII and Möbius it is f with every
feature masked. Added to all values it gives f with every feature kept: exactly for SV, STII, FSII
and a Möbius transform of full order, not for SII of a higher order. For FBII it is the nearest
polynomial's value with every feature masked; for BII (so BV) and Fourier it is the mean of f over
uniform masks.

What this module does not know: how good the transform is, and whether a covariance is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, combinations, groupby
from math import comb
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from scipy import sparse

from spex_api.errors import UsageError
from spex_api.index_weights import check_index
from spex_api.transforms import Support

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spex_api.index_weights import Weight
    from spex_api.transforms import FourierTransform

__all__ = [
    "LEVEL",
    "Interaction",
    "Interactions",
    "Interval",
    "Unlisted",
    "check_index",
    "interactions",
]

LEVEL = 0.90
"""The probability of every interval in this package."""

_STANDARD_DEVIATIONS = 1.6448536269514722
"""The normal quantile of (1 + LEVEL) / 2."""

_MAX_ENTRIES = 2**25
"""Of the matrix W: more fill the memory of a small machine."""
_CHUNK = 1024


class Interval(NamedTuple):
    """The two ends of a 90 % interval."""

    low: float
    high: float


class Interaction(NamedTuple):
    """One entry of a list of interactions: what, how strong, how sure.

    Attributes:
        features: the names of the features, or their numbers where they have no names.
        value: in the score's unit.
        interval: None where the decoder cannot tell.
    """

    features: tuple[str, ...] | tuple[int, ...]
    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True, eq=False)
class Interactions(Mapping[Support, float]):
    """What sets of features do, by one index: a mapping from feature numbers to values.

    Attributes:
        index: the name of the index.
        order: the size of the largest sets.
        values_by_set: the value of each set, in the score's unit.
        intervals: the interval of each set; empty where the decoder cannot tell.
        baseline: the index's value of the empty set; see the module.
        names: one a feature, or empty.
    """

    index: str
    order: int
    values_by_set: Mapping[Support, float]
    intervals: Mapping[Support, Interval]
    baseline: float
    names: tuple[str, ...] = ()

    def __getitem__(self, features: Support) -> float:
        return self.values_by_set[features]

    def __iter__(self) -> Iterator[Support]:
        return iter(self.values_by_set)

    def __len__(self) -> int:
        return len(self.values_by_set)

    def strongest(self, count: int | None = None) -> list[Support]:
        """The sets with the largest values by magnitude, strongest first."""
        ranked = sorted(self, key=lambda support: (-abs(self[support]), len(support), support))
        return ranked[:count]

    def top(self, count: int = 10) -> list[Interaction]:
        """The strongest interactions by magnitude, with names where the features have them."""
        return [
            Interaction(self.named(support), self[support], self.intervals.get(support))
            for support in self.strongest(count)
        ]

    def named(self, support: Support) -> tuple[str, ...] | tuple[int, ...]:
        """The names of these features, or their numbers where they have none."""
        return tuple(self.names[feature] for feature in support) if self.names else support

    def __repr__(self) -> str:
        return f"<{len(self)} interactions: {self.index} to order {self.order}>"


class Unlisted(Protocol):
    """What is known of the coefficients that a transform does not list: how uncertain they are."""

    def variances(
        self, sets: Sequence[Support], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The variance that they add to `Σ_{S⊇T} weights[|S|] F[S]` for each set T.

        Args:
            sets: of one size.
            weights: shape (num_features + 1,), by the size of S; 0 below the size of T.

        Returns:
            Shape (num_sets,).
        """
        ...


def interactions(
    transform: FourierTransform,
    index: str = "FBII",
    order: int = 2,
    *,
    covariance: NDArray[np.float64] | None = None,
    unlisted: Unlisted | None = None,
    names: tuple[str, ...] = (),
) -> Interactions:
    """The interactions of every set up to an order that the transform touches.

    Args:
        transform: the Fourier transform.
        index: "FBII", "FSII", "STII", "SII", "BII", "Möbius", "Fourier", or "SV" and "BV", which
            are of order 1.
        order: the size of the largest sets, at least 1. STII, FSII and FBII give a set another
            value under another order.
        covariance: shape (num_terms, num_terms), of the transform's coefficients in its order;
            gives each interaction a 90 % interval under a normal distribution.
        unlisted: what the coefficients that are not in the transform add to these intervals.
        names: one a feature.

    Raises:
        UsageError: the index is unknown, the order is below 1, the covariance has another shape, or
            the transform touches tens of millions of sets.
    """
    weight, limit = check_index(index, order)
    coefficients = np.fromiter(transform.values(), dtype=np.float64, count=len(transform))
    sets, matrix = _matrix(transform, weight, limit)
    values = dict(zip(sets, (matrix @ coefficients).tolist(), strict=True))
    intervals: dict[Support, Interval] = {}
    if covariance is not None:
        variances = _variances(matrix, covariance)
        if unlisted is not None:
            for size, group in groupby(range(len(sets)), key=lambda row: len(sets[row])):
                rows = list(group)
                by_size = _weights(weight, size, limit, transform.num_features)
                variances[rows] += unlisted.variances([sets[row] for row in rows], by_size)
        reaches = _STANDARD_DEVIATIONS * np.sqrt(variances)
        for (support, value), reach in zip(values.items(), reaches.tolist(), strict=True):
            intervals[support] = Interval(value - reach, value + reach)
    empty = {size: weight(0, size, limit) for size in set(map(len, transform))}
    baseline = sum(empty[len(support)] * value for support, value in transform.items())
    return Interactions(index, limit, values, intervals, baseline, names)


def _weights(weight: Weight, size: int, order: int, num_features: int) -> NDArray[np.float64]:
    """The weight of each size of supports in the index of a set, shape (num_features + 1,)."""
    of_larger = [weight(size, larger, order) for larger in range(size, num_features + 1)]
    return np.array([0.0] * size + of_larger)


def _matrix(
    transform: FourierTransform, weight: Weight, order: int
) -> tuple[list[Support], sparse.csr_array]:
    """The sets that the index touches but for the empty one, sorted, and the matrix W to them."""
    supports = {
        size: np.array(list(group), dtype=np.intp) for size, group in groupby(transform, key=len)
    }
    weights = {
        (set_size, size): each
        for set_size in range(1, min(order, transform.degree) + 1)
        for size in supports
        if size >= set_size and (each := weight(set_size, size, order))
    }
    entries = sum(len(supports[size]) * comb(size, set_size) for set_size, size in weights)
    if entries > _MAX_ENTRIES:
        raise UsageError(
            f"These {len(transform)} coefficients touch sets up to the order {order} "
            f"{entries:,} times: too many to list. The limit is {_MAX_ENTRIES:,}.",
            advice="Ask for a lower order, or drop the weakest coefficients first.",
        )
    sets: list[Support] = []
    blocks = [sparse.csr_array((0, len(transform)))]
    for set_size in sorted({set_size for set_size, _ in weights}):
        of_size = {size: each for (key, size), each in weights.items() if key == set_size}
        found, block = _block(supports, of_size, set_size)
        sets.extend(found)
        blocks.append(block)
    return sets, sparse.vstack(blocks, format="csr")


def _block(
    supports: Mapping[int, NDArray[np.intp]], weights: Mapping[int, float], set_size: int
) -> tuple[list[Support], sparse.csr_array]:
    """The sets of one size, sorted, and their rows of W.

    Args:
        supports: of each size, shape (num_supports, size); together the columns, in this order.
        weights: of each size of supports that counts.
        set_size: at least 1.
    """
    ends = dict(zip(supports, accumulate(map(len, supports.values())), strict=True))
    parts = []
    for size, each in weights.items():
        places = np.array(list(combinations(range(size), set_size)), dtype=np.intp)
        listed = supports[size][:, places].reshape(-1, set_size)
        columns = np.arange(ends[size] - len(supports[size]), ends[size]).repeat(len(places))
        parts.append((listed, columns, np.full(len(listed), each)))
    listed, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    ranked = np.lexsort(listed.T[::-1])
    listed = listed[ranked]
    fresh = np.concatenate([[True], (listed[1:] != listed[:-1]).any(axis=1)])
    rows = np.cumsum(fresh) - 1
    shape = (int(rows[-1]) + 1, sum(map(len, supports.values())))
    block = sparse.csr_array((values[ranked], (rows, columns[ranked])), shape=shape)
    return [tuple(each) for each in listed[fresh].tolist()], block


def _variances(matrix: sparse.csr_array, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """`diag(W C Wᵀ)`, shape (num_sets,), not negative."""
    num_sets, num_terms = matrix.shape
    if covariance.shape != (num_terms, num_terms):
        raise UsageError(f"The covariance {covariance.shape} is not of {num_terms} coefficients.")
    variances = np.zeros(num_sets)
    # In parts, since W C is as dense as C, and has a row a set.
    for start in range(0, num_sets, _CHUNK):
        rows = matrix[start : start + _CHUNK]
        products = rows.multiply(rows @ covariance)
        variances[start : start + _CHUNK] = np.asarray(products.sum(axis=1)).ravel()
    return np.maximum(variances, 0.0)
