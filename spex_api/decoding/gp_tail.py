"""What a Gaussian process does not list in its transform still makes an index uncertain.

An index of a set sums over the coefficients of all supports that contain the set, and a sparse
transform lists a few of them. Two things are left:

- the coefficients that are not listed. Little is known of each, so its variance is the prior's,
  and the prior's sums over all supports of a size are elementary symmetric polynomials of the
  relevances;
- the noise. Where values are exact it is no noise, but what the kernels cannot express: a function
  that is independent from mask to mask, whose coefficients have a variance of `σ_n² / 2^n` each.
  For an index that averages over many masks that is nothing; for one that looks at the corners of
  the cube, such as a Möbius coefficient, it is most of the doubt.

In the p-biased basis neither can be told: an index at masks unlike those that were asked would be
as uncertain as the prior, and the prior knows of one measure alone. So there is a tail for
`keep = ½` only. What this module does not know: which index is asked for; it gets the weights.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from spex_api.decoding.gp_features import LocalKernel
from spex_api.decoding.gp_kernels import ProductKernel
from spex_api.transforms import subsets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spex_api.decoding.gp_averaging import Average
    from spex_api.decoding.gp_kernels import Kernel
    from spex_api.transforms import Support

    Floats = NDArray[np.float64]

__all__ = ["Tail", "tail_of"]

_LARGEST = 40
"""Supports beyond this size have next to no variance, or so much in all that it is noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """The prior variances of what is not listed, and the noise.

    Attributes:
        relevances: of each prior, shape (num_priors, num_features), in the transform's order.
        scales: of each prior, shape (num_priors,): `κ(S) = scale Π_{i∈S} w_i`.
        corrections: what is to be added to that, averaged over the priors, for single supports.
        noise: σ_n², of what is not seen of the function.
    """

    relevances: Floats
    scales: Floats
    corrections: Mapping[Support, float]
    noise: float

    def variances(self, sets: Sequence[Support], weights: Floats) -> Floats:
        """The variance that is left in `Σ_{S⊇T} weights[|S|] F[S]` for each T.

        Args:
            sets: of one size.
            weights: shape (num_features + 1,).

        Returns:
            Shape (num_sets,), in the squared unit of the values.
        """
        size, num_features = len(sets[0]), self.relevances.shape[1]
        squares = weights[: _LARGEST + 1] ** 2
        level = np.array(sets, dtype=np.intp).reshape(len(sets), size)
        total = np.zeros(len(sets))
        for scale, relevances in zip(self.scales, self.relevances, strict=True):
            own = scale * relevances[level].prod(axis=1)
            sums = _sums_without(relevances, level, len(squares) - 1 - size)
            total += own * (sums @ squares[size:])
        corrected: dict[Support, float] = defaultdict(float)
        for support, variance in self.corrections.items():
            if size <= len(support) < len(squares):
                for subset in subsets(support, max_size=size):
                    if len(subset) == size:
                        corrected[subset] += variance * squares[len(support)]
        total += np.array([corrected[each] for each in sets])
        return np.maximum(total, 0.0) + self.noise * _share_of_noise(weights, size, num_features)


def tail_of(
    average: Average,
    listed: Sequence[Support],
    order: NDArray[np.intp],
    *,
    scale: float,
    unseen: float,
) -> Tail:
    """The tail of a mixture of posteriors.

    Args:
        average: the mixture.
        listed: the supports that the transform lists, in the process's order of features.
        order: the feature that stands at each place of that order.
        scale: the values' standard deviation: the process knows them in that unit.
        unseen: the share of the masks that no sample shows.
    """
    place = np.argsort(order)
    relevances, scales = [], []
    corrections: dict[Support, float] = defaultdict(float)
    noise = 0.0
    for weight, posterior in zip(average.weights, average.posteriors, strict=True):
        mean, factor = posterior.mean, weight * scale**2
        noise += factor * mean.noise * unseen
        parts = mean.evidence.split(mean.parameters)
        for kernel, part in zip(mean.evidence.kernels, parts, strict=True):
            if isinstance(kernel, ProductKernel):
                relevances.append(kernel.relevances(part)[place])
                scales.append(factor * kernel.scale(part))
                for support, variance in _variances(kernel, part, listed).items():
                    corrections[support] -= factor * variance
            elif isinstance(kernel, LocalKernel):
                beyond = set(kernel.supports()).difference(listed)
                for support, variance in _variances(kernel, part, sorted(beyond)).items():
                    corrections[support] += factor * variance
    return Tail(
        np.reshape(relevances, (len(scales), len(order))),
        np.array(scales),
        {tuple(sorted(order[list(each)].tolist())): found for each, found in corrections.items()},
        noise,
    )


def _variances(
    kernel: Kernel, parameters: Floats, supports: Sequence[Support]
) -> dict[Support, float]:
    """`κ(S)` of supports of any size."""
    found: dict[Support, float] = {}
    for size in {len(support) for support in supports}:
        of_size = [support for support in supports if len(support) == size]
        level = np.array(of_size, dtype=np.intp).reshape(len(of_size), size)
        found.update(zip(of_size, kernel.prior_variances(parameters, level).tolist(), strict=True))
    return found


def _sums_without(relevances: Floats, level: NDArray[np.intp], largest: int) -> Floats:
    """`e_0 … e_largest` of the relevances outside each set, shape (num_sets, largest + 1).

    They are the coefficients of `Π (1 + w_i x)`; a factor is divided out term by term.
    """
    whole = np.zeros(largest + 1)
    whole[0] = 1.0
    for relevance in relevances:
        whole[1:] += relevance * whole[:-1]
    sums = np.repeat(whole[None], len(level), axis=0)
    for column in level.T:
        for power in range(1, largest + 1):
            sums[:, power] -= relevances[column] * sums[:, power - 1]
    return sums


def _share_of_noise(weights: Floats, size: int, num_features: int) -> float:
    """`2^{−n} Σ_{S⊇T} weights[|S|]²`: the variance of the index of one noise value a mask."""
    larger = np.arange(size, num_features + 1)
    free, chosen = num_features - size, larger - size
    logs = gammaln(free + 1) - gammaln(chosen + 1) - gammaln(free - chosen + 1)
    shares = np.exp(logs - num_features * np.log(2.0))
    return float(shares @ weights[size:] ** 2)
