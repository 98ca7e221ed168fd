"""The exact transform of a function that was asked at every mask.

What this module does not know: what to make of a hole, which `growth` does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from spex_api.decoding.binomial import Binomial
from spex_api.decoding.decoder import Choice, Recovery, Status, concise
from spex_api.decoding.growth import grown_regression
from spex_api.decoding.lasso import Lasso
from spex_api.decoding.repeats import without_repeats
from spex_api.decoding.sparse_regression import shuffled_folds
from spex_api.decoding.spectral_gp import SpectralGP
from spex_api.decoding.standardization import standardize
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.sampling.uniform import uniform_plan
from spex_api.transforms import FourierTransform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.decoding.decoder import Decoder
    from spex_api.samples import QueryPlan, Samples

    Floats = NDArray[np.float64]

__all__ = ["WalshHadamard", "fast_walsh_hadamard"]

_MOST_FEATURES = 20
"""Of this many features the cube has a million masks."""
_ROUNDING = 1e-12
"""A coefficient below this share of the largest value is rounding: none is further off."""
_DEGREE = 5
_NUM_FOLDS = 5
"""Of the regression where a mask is missing."""
_MOST_FOR_A_PROCESS = 1024
"""Of counts at so many masks a Gaussian process makes an estimate within seconds."""
_LARGEST_COVARIANCE = 4096
"""Beyond so many coefficients their covariance would fill gigabytes, and is left out."""


def fast_walsh_hadamard(values: Floats) -> Floats:
    """`T[j] = Σ_m (−1)^{⟨j, m⟩} f[m]` over the last axis, unnormalised, in `b · 2^b` additions.

    Bit k of an index is `index >> k & 1`, for j and m alike; ⟨j, m⟩ is the number of bits that both
    have. Applied twice it is 2^b times the identity, so Fourier coefficients are `T / 2^b`. The
    order of addition is that of the cube's dimensions (Yates 1937; Fino and Algazi 1976).

    Args:
        values: shape (..., 2^b), float64; it is left as it is.

    Returns:
        The same shape, a new array.

    Raises:
        UsageError: the length of the last axis is not a power of 2.
    """
    given = np.asarray(values, dtype=np.float64)
    length = given.shape[-1] if given.ndim else 0
    if length < 1 or length & (length - 1):
        raise UsageError(f"A Walsh–Hadamard transform takes 2^b values, not {length}.")
    current, swapped = given.copy(), np.empty_like(given)
    half = 1
    while half < length:
        pairs = (*given.shape[:-1], length // (2 * half), 2, half)
        source, target = current.reshape(pairs), swapped.reshape(pairs)
        np.add(source[..., 0, :], source[..., 1, :], out=target[..., 0, :])
        np.subtract(source[..., 0, :], source[..., 1, :], out=target[..., 1, :])
        current, swapped = swapped, current
        half *= 2
    return current


@dataclass(frozen=True, slots=True, repr=False)
class WalshHadamard:
    """`F[S] = 2^{−n} Σ_m f(m) χ_S(m)`, exact, from the values at all 2^n masks.

    The masks may come in any order. A mask that was asked again counts with the mean of its values,
    weighted by the inverse of their variances where they have some. Coefficients of the size of
    rounding are left out.
    """

    __repr__ = concise

    def plan(self, num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
        """All masks of the cube, in an order that the seed decides; the full and the empty first.

        Raises:
            UsageError: there is no feature, there are more than 20, or the queries are too few.
        """
        if num_features > _MOST_FEATURES:
            raise UsageError(
                f"{num_features} features have 2^{num_features} masks, which is too many to ask "
                f"them all. The limit is {_MOST_FEATURES} features.",
                advice="Split the text into fewer parts, or take a decoder that asks fewer masks.",
            )
        needed = 2 ** max(num_features, 0)
        if num_queries is not None and num_queries < needed:
            raise BudgetTooSmall(
                f"The exact transform of {num_features} features takes all {needed:,} masks, and "
                f"{num_queries:,} queries are too few.",
                cost="Nothing was sent.",
                advice=f"Allow {needed:,} queries, or take another decoder.",
            )
        return uniform_plan(num_features, needed, seed=seed)

    def decode(self, samples: Samples) -> Recovery:
        """The exact transform, and the covariance of its coefficients where variances are known.

        With independent values of variances v, `Cov(F[S], F[T]) = 4^{−n} Σ_m v(m) χ_{S△T}(m)`.
        Where a mask has no value there is no such transform: a sparse regression on those that have
        one takes its place, and the status says so. Where values are shares of sampled answers, the
        exact transform would be that of their noise: it is estimated from the counts instead.

        Raises:
            UsageError: there are fewer than two samples, or more than 20 features.
        """
        num_features = samples.num_features
        if num_features > _MOST_FEATURES or len(samples) < 2:
            raise BudgetTooSmall(
                f"The exact transform takes all 2^{num_features} masks of {num_features} features, "
                f"not {len(samples):,}; the limit is {_MOST_FEATURES} features.",
                advice="Ask all masks, or take another decoder.",
            )
        if samples.draws is not None:
            return _estimated(samples)
        distinct = without_repeats(samples)
        if len(distinct) < 2**num_features:
            return _regression(distinct)
        values, variances = _cube(distinct)
        coefficients = fast_walsh_hadamard(values) / len(values)
        largest = float(np.max(np.abs(values)))
        kept = np.flatnonzero(np.abs(coefficients) > _ROUNDING * largest)
        kept = np.union1d(kept, [0])
        supports = [tuple(k for k in range(num_features) if j >> k & 1) for j in kept.tolist()]
        # The order in which a transform keeps its terms, so that the covariance has the same one.
        order = sorted(range(len(supports)), key=lambda k: (len(supports[k]), supports[k]))
        terms = {supports[k]: float(coefficients[kept[k]]) for k in order}
        covariance = None
        if variances is not None and len(kept) <= _LARGEST_COVARIANCE:
            spread = fast_walsh_hadamard(variances) / float(len(values)) ** 2
            places = kept[order]
            covariance = spread[places[:, None] ^ places]
        status = Status.CONSTANT if len(terms) == 1 else Status.EXACT
        return Recovery(FourierTransform(terms, num_features), status, covariance)


def _estimated(samples: Samples) -> Recovery:
    """What a decoder that shrinks makes of counts, and why it was not the exact transform."""
    process = len(samples) <= _MOST_FOR_A_PROCESS
    decoder: Decoder = Binomial(SpectralGP() if process else Lasso())
    return replace(
        decoder.decode(samples),
        choice=Choice(
            decoder,
            "But the values are shares of sampled answers, not exact ones: their transform is "
            "estimated, fitted as binomial counts.",
        ),
    )


def _cube(distinct: Samples) -> tuple[Floats, Floats | None]:
    """The value of each mask, at the index whose bit k is feature k, and its variance."""
    places = distinct.masks.astype(np.int64) @ (1 << np.arange(distinct.num_features))
    order = np.argsort(places)
    variances = None if distinct.variances is None else distinct.variances[order]
    return distinct.values[order], variances


def _regression(samples: Samples) -> Recovery:
    standardized = standardize(samples)
    if standardized.scale == 0:
        return Recovery.constant(standardized.mean, samples.num_features)
    with threadpool_limits(limits=1, user_api="blas"):
        folds = shuffled_folds(len(samples), _NUM_FOLDS, seed=0)
        transform = grown_regression(samples, standardized, (), degree=_DEGREE, folds=folds)
    return Recovery(transform, Status.HOLES)
