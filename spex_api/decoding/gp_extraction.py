"""The supports whose coefficients carry a Gaussian process's posterior mean.

The posterior mean has 2^n coefficients, each in closed form. Heredity is in the prior, so the large
ones are found by beam search: all singles and pairs, then the strongest with one feature more.
What this module does not know: values, noise, and how the process was fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spex_api.decoding.gp_posterior import Posterior
    from spex_api.transforms import Support

__all__ = ["BeamSearch"]

_ENUMERABLE = 10
"""Up to this many features every one of the 2^n supports is looked at."""


@dataclass(frozen=True, slots=True)
class BeamSearch:
    """Which coefficients of a posterior mean to keep.

    Attributes:
        max_degree: the size of the largest supports, where there are too many to look at each.
        width: how many supports of each size are extended by one feature.
        max_terms: how many coefficients are kept at most, singles not counted.
        tolerance: the share of the energy found (the variance over uniform masks, by Parseval)
            that the kept coefficients may lack.
    """

    max_degree: int = 5
    width: int = 400
    max_terms: int = 500
    tolerance: float = 0.005

    def supports(self, posterior: Posterior) -> list[Support]:
        """The constant, all singles, and of the larger supports those with the most energy."""
        levels = _all_supports if posterior.num_features <= _ENUMERABLE else self._levels
        rows: list[Support] = []
        energies: list[NDArray[np.float64]] = []
        for level, coefficients in levels(posterior):
            rows.extend(map(tuple, level.tolist()))
            energies.append(coefficients**2)
        energy = np.concatenate(energies)
        strongest = np.argsort(-energy, kind="stable")
        lacking = energy.sum() - np.cumsum(energy[strongest])
        enough = int(np.searchsorted(-lacking, -self.tolerance * energy.sum()))
        larger = [rows[place] for place in strongest[: enough + 1] if len(rows[place]) > 1]
        singles = [(feature,) for feature in range(posterior.num_features)]
        return [(), *singles, *larger[: self.max_terms]]

    def _levels(self, posterior: Posterior) -> Iterator[_Level]:
        num_features = posterior.num_features
        singles = np.arange(num_features)[:, None]
        yield singles, posterior.coefficients(singles)
        level = np.stack(np.triu_indices(num_features, k=1), axis=1)
        signs = posterior.evidence.signs
        sums = signs.T @ (posterior.alpha[:, None] * signs)
        coefficients = posterior.prior_variances(level) * sums[level[:, 0], level[:, 1]]
        yield level, coefficients
        for _ in range(3, min(self.max_degree, num_features) + 1):
            strongest = np.argsort(-np.abs(coefficients), kind="stable")[: self.width]
            level, coefficients = _extend(posterior, level[strongest])
            yield level, coefficients


_Level = tuple["NDArray[np.intp]", "NDArray[np.float64]"]
"""Supports of one size, shape (num_supports, size), rows sorted; and their coefficients."""


def _all_supports(posterior: Posterior) -> Iterator[_Level]:
    for size in range(1, posterior.num_features + 1):
        level = np.array(list(combinations(range(posterior.num_features), size)), dtype=np.intp)
        yield level, posterior.coefficients(level)


def _extend(posterior: Posterior, parents: NDArray[np.intp]) -> _Level:
    """Each parent with each feature that it lacks, once, and their coefficients."""
    signs = posterior.evidence.signs
    weighted = posterior.alpha[:, None] * signs[:, parents].prod(axis=2)
    sums = weighted.T @ signs
    parent, feature = np.nonzero(~_contains(parents, posterior.num_features))
    children = np.sort(np.column_stack([parents[parent], feature]), axis=1)
    level, first = np.unique(children, axis=0, return_index=True)
    return level, posterior.prior_variances(level) * sums[parent[first], feature[first]]


def _contains(supports: NDArray[np.intp], num_features: int) -> NDArray[np.bool_]:
    """Whether each support holds each feature, shape (num_supports, num_features)."""
    held = np.zeros((len(supports), num_features), dtype=bool)
    np.put_along_axis(held, supports, values=True, axis=1)
    return held
