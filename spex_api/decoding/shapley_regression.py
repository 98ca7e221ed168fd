"""Faithful interaction indices by regression: Faith-Banzhaf, Faith-Shapley, and KernelSHAP.

Each is the best approximation of the value function by one of a low order, `Σ_{|T|≤k} μ̂[T] Π m_i`,
under weights on the masks; the index is μ̂, which `fourier_to_mobius` reads off the surrogate that
`decode` returns. Where all masks were asked it is exact. Where not, ridge takes the place of least
squares, its penalty by leave-one-out, since columns may outnumber samples.

What this module does not know: which features interact. Every set up to the order has a column.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb, lgamma
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from spex_api.decoding.decoder import Recovery, concise
from spex_api.decoding.repeats import without_repeats
from spex_api.decoding.standardization import standardize
from spex_api.decoding.support_ridge import ridge
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.sampling.uniform import uniform_plan
from spex_api.transforms import FourierTransform, MobiusTransform, characters, mobius_to_fourier

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.samples import QueryPlan, Samples
    from spex_api.transforms import Support

    Floats = NDArray[np.float64]

__all__ = ["FaithBanzhaf", "FaithShapley", "KernelSHAP"]


@dataclass(frozen=True, slots=True, repr=False)
class FaithBanzhaf:
    """`argmin Σ_m (f(m) − Σ_{|S|≤k} F[S] χ_S(m))²` over all masks (Tsai, Yeh and Ravikumar 2023).

    Attributes:
        order: k, the size of the largest sets.
        max_columns: how many sets there may be.
    """

    order: int = 2
    max_columns: int = 10_000

    def __post_init__(self) -> None:
        _check_settings(self.order, self.max_columns)

    __repr__ = concise

    def plan(self, num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
        """Uniform masks; where no number is given, two a set, at least 200.

        Raises:
            UsageError: there is no feature, or no query.
        """
        return _plan(num_features, num_queries, seed, self.order)

    def decode(self, samples: Samples) -> Recovery:
        """The surrogate of order k, whose Möbius transform is the index FBII.

        Raises:
            UsageError: there are no two samples, or more sets than `max_columns`.
        """
        distinct = _checked(samples)
        supports = _supports(samples.num_features, self.order, self.max_columns)
        standardized = standardize(distinct)
        if standardized.scale == 0:
            return Recovery.constant(standardized.mean, samples.num_features)
        with threadpool_limits(limits=1, user_api="blas"):
            columns = characters(distinct.masks, supports)
            if _is_cube(distinct):
                # Over all masks characters are orthogonal: least squares is a mean.
                coefficients = standardized.values @ columns / len(distinct)
                constant = float(np.mean(standardized.values))
            else:
                weights = 1.0 / (0.5 + standardized.variances)
                constant, coefficients = ridge(columns, standardized.values, weights=weights)
        terms = dict(zip(supports, (standardized.scale * coefficients).tolist(), strict=True))
        terms[()] = standardized.mean + standardized.scale * constant
        return Recovery(FourierTransform(terms, samples.num_features))


@dataclass(frozen=True, slots=True, repr=False)
class FaithShapley:
    """Faith-Banzhaf under the Shapley kernel, exact at the empty and the full mask.

    `argmin Σ_{0<|m|<n} ω(|m|) (f(m) − g(m))²` with `ω(s) = (n−1) / (C(n,s) s (n−s))` over all g of
    order k with `g(0) = f(0)` and `g(1) = f(1)` (Tsai, Yeh and Ravikumar 2023). The samples are
    taken to be uniform over the cube, so that each stands for as many masks as any other and has
    the weight of its size. For many features that leaves most of the weight to a few samples: this
    is what reading a Shapley value off uniform masks costs.

    Attributes:
        order: k, the size of the largest sets.
        max_columns: how many sets there may be.
    """

    order: int = 2
    max_columns: int = 10_000

    def __post_init__(self) -> None:
        _check_settings(self.order, self.max_columns)

    __repr__ = concise

    def plan(self, num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
        """Uniform masks, the full and the empty one among them; by default two a set.

        Raises:
            UsageError: there is no feature, or no query.
        """
        return _plan(num_features, num_queries, seed, self.order)

    def decode(self, samples: Samples) -> Recovery:
        """The surrogate of order k, whose Möbius transform is the index FSII.

        Raises:
            UsageError: the full or the empty mask is missing, or there are more sets than
                `max_columns`.
        """
        return _shapley(samples, self.order, self.max_columns)


@dataclass(frozen=True, slots=True, repr=False)
class KernelSHAP:
    """Shapley values as weighted least squares under the Shapley kernel (Lundberg and Lee 2017).

    The Faith-Shapley regression of order 1.
    """

    __repr__ = concise

    def plan(self, num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
        """Uniform masks, the full and the empty one among them; by default two a feature.

        Raises:
            UsageError: there is no feature, or no query.
        """
        return _plan(num_features, num_queries, seed, 1)

    def decode(self, samples: Samples) -> Recovery:
        """`f(0) + Σ_i φ_i m_i`, which adds up to f(1); φ are the Shapley values.

        Raises:
            UsageError: the full or the empty mask is missing.
        """
        return _shapley(samples, 1, samples.num_features)


def _shapley(samples: Samples, order: int, max_columns: int) -> Recovery:
    distinct = _checked(samples)
    num_features = samples.num_features
    supports = _supports(num_features, order, max_columns)
    sizes = distinct.masks.sum(axis=1, dtype=np.int64)
    # Distinct masks are in lexicographic order: the empty one is the first, the full one the last.
    for place, size, name in ((0, 0, "empty"), (-1, num_features, "full")):
        if sizes[place] != size:
            raise BudgetTooSmall(
                f"A Shapley regression is exact at the {name} mask, and that was not asked.",
                advice=f"Ask the {name} mask too; a uniform plan holds it.",
            )
    standardized = standardize(distinct)
    if standardized.scale == 0:
        return Recovery.constant(standardized.mean, num_features)
    empty, full = float(standardized.values[0]), float(standardized.values[-1])
    # The constraint Σ μ̂ = f(1) − f(0) holds at the start, equal shares of the singles, and each
    # column less the mean of all leaves it so.
    start = np.zeros(len(supports))
    start[:num_features] = (full - empty) / num_features
    with threadpool_limits(limits=1, user_api="blas"):
        columns = _whole(distinct.masks[1:-1], supports)
        targets = standardized.values[1:-1] - empty - columns @ start
        columns -= columns.mean(axis=1, keepdims=True)
        weights = _kernel(sizes[1:-1], num_features)
        if _is_cube(distinct):
            roots = np.sqrt(weights)
            moved = np.linalg.lstsq(roots[:, None] * columns, roots * targets, rcond=None)[0]
        else:
            weights /= 0.5 + standardized.variances[1:-1]
            _, moved = ridge(columns, targets, weights=weights, constant=False)
    mobius = start + moved - moved.mean()
    terms = dict(zip(supports, (standardized.scale * mobius).tolist(), strict=True))
    terms[()] = standardized.mean + standardized.scale * empty
    return Recovery(mobius_to_fourier(MobiusTransform(terms, num_features)))


def _kernel(sizes: NDArray[np.int64], num_features: int) -> Floats:
    """The Shapley kernel's weights, the largest 1: `1 / (C(n,s) s (n−s))` but for a factor."""
    logs = np.array([lgamma(size + 1) + lgamma(num_features - size + 1) for size in sizes])
    logs -= np.log(sizes * (num_features - sizes))
    weights: Floats = np.exp(logs - logs.max(initial=-np.inf))
    return weights


def _whole(masks: NDArray[np.uint8], supports: list[Support]) -> Floats:
    """Whether each mask keeps all of each set, shape (num_masks, num_supports), of 0 and 1."""
    columns = np.ones((len(masks), len(supports)))
    for place, support in enumerate(supports):
        for feature in support:
            columns[:, place] *= masks[:, feature]
    return columns


def _supports(num_features: int, order: int, max_columns: int) -> list[Support]:
    """Every set of 1 to `order` features, the singles first."""
    top = min(order, num_features)
    count = sum(comb(num_features, size) for size in range(1, top + 1))
    if count > max_columns:
        raise UsageError(
            f"{num_features} features have {count:,} sets of up to {top}, one column each, and "
            f"the limit is {max_columns:,}.",
            advice="Lower the order, or raise max_columns.",
        )
    return [each for size in range(1, top + 1) for each in combinations(range(num_features), size)]


def _plan(num_features: int, num_queries: int | None, seed: int, order: int) -> QueryPlan:
    if num_queries is None:
        sets = sum(comb(num_features, size) for size in range(1, order + 1))
        num_queries = max(2 * sets, 200)
    return uniform_plan(num_features, num_queries, seed=seed)


def _checked(samples: Samples) -> Samples:
    if len(samples) < 2:
        raise BudgetTooSmall(f"A regression takes at least two samples, not {len(samples)}.")
    return without_repeats(samples)


def _is_cube(distinct: Samples) -> bool:
    return len(distinct) == 1 << distinct.num_features


def _check_settings(order: int, max_columns: int) -> None:
    if order < 1 or max_columns < 1:
        raise UsageError(
            f"A regression takes an order and a number of columns of at least 1, not {order} and "
            f"{max_columns}."
        )
