"""The posterior mean along the diagonal of the cube, and its derivatives there, in closed form.

With `f̃(q)` the mean of f where each feature i is kept with a probability `q_i` of its own, the
multilinear extension (Owen 1972), every index of a set T is an average of `∂_T f̃(q, …, q)` over
some q, and none of them needs one of the 2^n coefficients. The posterior mean is a sum of two
kinds of function whose extension is known:

- a product kernel's share, for a sample j of weight β_j a product over features,
  `Σ_j β_j Π_i ((1−q) a_ij + q b_ij)`, where a_ij and b_ij are the kernel's factor of the feature
  removed and kept; then `∂_T` replaces the factors of T by `b_ij − a_ij`;
- a monomial `F Π_{i∈S} z_i`, where `∂_T` is `F (z₁ − z₀)^{|T|} ((1−q) z₀ + q z₁)^{|S|−|T|}`, with
  z₀ and z₁ the coordinate of a feature removed and kept (`gp_kernels.coordinates`).

What this module does not know: indices, the score's unit, and the order of the prompt's features.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from spex_api.decoding.gp_features import (
    AdditiveKernel,
    LevelKernel,
    LocalKernel,
    symmetric_polynomials,
)
from spex_api.decoding.gp_kernels import ProductKernel, coordinates
from spex_api.decoding.gp_posterior import products

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spex_api.decoding.gp_averaging import MeanAverage
    from spex_api.decoding.gp_kernels import Kernel
    from spex_api.decoding.gp_posterior import PosteriorMean

    Floats = NDArray[np.float64]
    Level = NDArray[np.intp]

__all__ = ["Diagonal", "Monomials", "Products", "diagonal_of"]

_LEAST_FACTOR = 1e-100
"""In place of a factor that is 0, so that it can be divided out again: two of them still can."""
_RADII = np.geomspace(1.02, 1e4, 60)
"""Of the Bernstein ellipses on which an integrand is bounded; the best of them counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Products:
    """`f(m) = Σ_j β_j Π_i factors[m_ji, m_i, i]`: what a product kernel makes of the samples.

    Attributes:
        weights: β, shape (num_samples,).
        kept: m_ji, shape (num_samples, num_features), bool.
        factors: not negative, shape (2, 2, num_features): by the sample's mask, then by the mask at
            which f is evaluated.
    """

    weights: Floats
    kept: NDArray[np.bool_]
    factors: Floats

    def derivatives(self, q: float, size: int) -> Floats:
        """`∂_T f̃(q, …, q)` for all T of a size up to 2, shape (num_features,) * size.

        Of pairs a symmetric matrix whose diagonal is 0, as no feature is in a set twice.
        """
        # Without a factor is divided by it. A quotient of positive numbers is as exact as they are,
        # however small; for prefix and suffix products a pair would cost another pass a feature.
        removed, kept = self.factors[:, 0], self.factors[:, 1]
        here = np.maximum((1.0 - q) * removed + q * kept, _LEAST_FACTOR)
        whole = self.weights * np.where(self.kept, here[1], here[0]).prod(axis=1)
        if size == 0:
            return np.asarray(whole.sum())
        steps = (kept - removed) / here
        ratios = np.where(self.kept, steps[1], steps[0])
        if size == 1:
            singles: Floats = whole @ ratios
            return singles
        upper = np.triu((ratios * whole[:, None]).T @ ratios, 1)
        pairs: Floats = upper + upper.T
        return pairs

    def num_nodes(self, tolerance: float) -> int:
        """So few Gauss–Legendre nodes integrate all singles and pairs to the tolerance.

        The error of G nodes for a function that is analytic and at most M in the Bernstein ellipse
        of radius ρ is at most `64/15 M ρ^{−2G} / (1 − ρ^{−2})` on [−1, 1] (Trefethen 2019,
        "Approximation Theory and Approximation Practice", theorem 19.3). There `|x| ≤ h` with
        `h = (ρ + 1/ρ)/2`, so a factor is at most `(a + b)/2 + |b − a|/2 h`, the quotient that
        takes its place in a derivative at most 2/h of that, and no density of an index beyond
        4h for singles and 4h² for pairs: 16 times the products bound all.
        """
        reach = 0.5 * (_RADII + 1.0 / _RADII)
        middle, half = self.factors.mean(axis=1), 0.5 * np.abs(np.diff(self.factors, axis=1)[:, 0])
        bounds = np.log(middle[:, :, None] + half[:, :, None] * reach)
        weights = np.log(np.maximum(np.abs(self.weights), np.finfo(np.float64).tiny))
        logs = self.kept @ bounds[1] + ~self.kept @ bounds[0] + weights[:, None]
        largest = np.log(0.5 * 64.0 / 15.0 * 16.0) + logsumexp(logs, axis=0)
        surplus = largest - np.log1p(-(_RADII**-2.0)) - np.log(tolerance)
        return max(1, ceil(float(np.min(surplus / (2.0 * np.log(_RADII))))))


@dataclass(frozen=True, slots=True, eq=False)
class Monomials:
    """`f(m) = Σ_S F[S] Π_{i∈S} z_i`, for few and small supports S.

    Attributes:
        levels: supports of one size each, shape (num_supports, size), and their coefficients, shape
            (num_supports,).
        ends: the coordinate of a feature removed, and kept.
        num_features: how many features a mask has.
    """

    levels: tuple[tuple[Level, Floats], ...]
    ends: tuple[float, float]
    num_features: int

    def derivatives(self, q: float, size: int) -> Floats:
        """`∂_T f̃(q, …, q)` for all T of a size, shape (num_features,) * size, symmetric."""
        removed, kept = self.ends
        here = (1.0 - q) * removed + q * kept
        total = np.zeros((self.num_features,) * size)
        for supports, coefficients in self.levels:
            others = supports.shape[1] - size
            if others < 0:
                continue
            slopes = (kept - removed) ** size * here**others * coefficients
            if size == 0:
                total += slopes.sum()
                continue
            for places in permutations(range(supports.shape[1]), size):
                np.add.at(total, tuple(supports[:, place] for place in places), slopes)
        return total


@dataclass(frozen=True, slots=True, eq=False)
class Diagonal:
    """A function on masks by its multilinear extension along the diagonal.

    Attributes:
        products: of each product kernel.
        monomials: the rest.
    """

    products: tuple[Products, ...]
    monomials: Monomials

    @property
    def num_features(self) -> int:
        """How many features a mask has."""
        return self.monomials.num_features

    def derivatives(self, q: float, size: int) -> Floats:
        """`∂_T f̃(q, …, q)` for all T of a size up to 2, shape (num_features,) * size, symmetric."""
        total = self.monomials.derivatives(q, size)
        for part in self.products:
            total = total + part.derivatives(q, size)
        return total

    def num_nodes(self, tolerance: float) -> int:
        """So few Gauss–Legendre nodes integrate all singles and pairs to the tolerance.

        A derivative and the density of an index have together at most the degree n, for which
        ⌈(n+1)/2⌉ nodes are exact; and 2 are for the monomials, which have at most three features.
        """
        exact = (self.num_features + 2) // 2
        share = tolerance / max(len(self.products), 1)
        return min(exact, max([2, *(part.num_nodes(share) for part in self.products)]))


def diagonal_of(average: MeanAverage, keep: float) -> Diagonal:
    """The diagonal of an average of posterior means.

    Args:
        average: the average.
        keep: the probability with which the masks keep a feature.
    """
    shares: list[Products] = []
    levels: list[tuple[Level, Floats]] = []
    for weight, mean in zip(average.weights.tolist(), average.means, strict=True):
        evidence = mean.evidence
        nothing = np.empty((1, 0), dtype=np.intp)
        constant = mean.prior_variances(nothing)
        parts = evidence.split(mean.parameters)
        for kernel, part in zip(evidence.kernels, parts, strict=True):
            # What no kernel claims of the empty support is the constant kernel's.
            constant = constant - kernel.prior_variances(part, nothing)
            if isinstance(kernel, ProductKernel):
                shares.append(_products(mean, kernel, part, weight))
                continue
            levels.extend(
                (level, weight * _coefficients(mean, kernel, part, level))
                for level in _listed(kernel)
            )
        levels.append((nothing, weight * constant * mean.alpha.sum()))
    removed, kept = coordinates(np.array([0, 1], dtype=np.uint8), keep).tolist()
    return Diagonal(tuple(shares), Monomials(tuple(levels), (removed, kept), average.num_features))


def _products(
    mean: PosteriorMean, kernel: ProductKernel, parameters: Floats, weight: float
) -> Products:
    """Normalised, each factor is near 1, and a thousand of them neither over- nor underflow."""
    relevances = kernel.relevances(parameters)
    ends = coordinates(np.array([0, 1], dtype=np.uint8), kernel.keep)
    factors = (1.0 + np.multiply.outer(np.outer(ends, ends), relevances)) / (1.0 + relevances)
    scale = weight * float(np.exp(parameters[-1]))
    # A feature that is kept has the negative coordinate.
    kept = mean.evidence.points < 0
    return Products(scale * mean.alpha, kept, np.maximum(factors, 0.0))


def _coefficients(mean: PosteriorMean, kernel: Kernel, parameters: Floats, level: Level) -> Floats:
    """One kernel's share of `F̂[S]`, shape (num_supports,)."""
    points, size = mean.evidence.points, level.shape[1]
    own = kernel.prior_variances(parameters, level)
    found: Floats = own * (mean.alpha @ products(points, level))
    if shared := kernel.shared_variance(parameters, size):
        found += shared * float(mean.alpha @ symmetric_polynomials(points, size)[:, -1])
    return found


def _listed(kernel: Kernel) -> Iterator[Level]:
    """The supports of a kernel that is an explicit feature map, size by size."""
    if isinstance(kernel, LocalKernel):
        listed = kernel.supports()
    elif isinstance(kernel, AdditiveKernel):
        listed = list(combinations(range(kernel.num_features), 1))
    elif isinstance(kernel, LevelKernel):
        features = range(kernel.num_features)
        listed = [each for size in kernel.sizes for each in combinations(features, size)]
    else:
        raise TypeError(f"nobody can list the supports of a {type(kernel).__name__}")
    for size in sorted(set(map(len, listed))):
        yield np.array([each for each in listed if len(each) == size], dtype=np.intp)
