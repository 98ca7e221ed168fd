"""The supports whose coefficients carry a Gaussian process's posterior mean.

The posterior mean has 2^n coefficients, each in closed form. Heredity is in the prior, so the large
ones are found by beam search: all supports of a size where they are few, else the strongest of the
size below with one feature more. How many are kept is decided out of fold: no fewer and no more
than predict what no fit has seen about as well as the best number does, and between these as few
as hold nearly all of the posterior mean.

What this module does not know: how the process was fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Protocol

import numpy as np

from spex_api.decoding.gp_posterior import products

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from spex_api.decoding.gp_averaging import Fold
    from spex_api.transforms import Support

    Floats = NDArray[np.float64]
    Level = NDArray[np.intp]

__all__ = ["BeamSearch", "Mean"]

_ENUMERABLE = 2500
"""Sizes of at most so many supports are looked at whole, and pairs always."""
_SMALL_CUBE = 12
"""Up to this many features supports of every size are looked at."""


class Mean(Protocol):
    """A posterior mean whose coefficients can be asked for."""

    @property
    def num_features(self) -> int:
        """How many features a mask has."""
        ...

    def coefficients(self, supports: Level) -> Floats:
        """`F̂[S]` for supports of one size, shape (num_supports,)."""
        ...

    def extended(self, parents: Level) -> tuple[Level, Floats]:
        """Each support of one size with each feature that it lacks, and their `F̂`."""
        ...


@dataclass(frozen=True, slots=True)
class BeamSearch:
    """Which coefficients of a posterior mean to keep.

    Attributes:
        max_degree: the size of the largest supports, where there are too many to look at each.
        width: how many supports of each size are extended by one feature.
        max_terms: how many coefficients are kept at most, the constant and singles not counted.
        tolerance: the share of the variance by which fewer terms may predict worse out of fold.
        most_lost: the share of the variance that those left out may have together, by Parseval:
            as far as the folds do not speak against them.
    """

    max_degree: int = 5
    width: int = 400
    max_terms: int = 2500
    tolerance: float = 0.0005
    most_lost: float = 0.004

    def ranked(self, mean: Mean) -> tuple[list[Support], Floats]:
        """Every support that was looked at, by the magnitude of its coefficient; no constant."""
        levels = list(self._levels(mean))
        strengths = np.concatenate([coefficients for _, coefficients in levels])
        order = np.argsort(-np.abs(strengths), kind="stable")[: self.max_terms + mean.num_features]
        found: dict[int, Support] = {}
        first = 0
        for level, _ in levels:
            here = order[(order >= first) & (order < first + len(level))]
            found.update(zip(here.tolist(), map(tuple, level[here - first].tolist()), strict=True))
            first += len(level)
        return [found[place] for place in order.tolist()], strengths[order]

    def supports(self, mean: Mean, folds: Sequence[Fold]) -> list[Support]:
        """The constant, all singles, and as many of the strongest others as predict best.

        Args:
            mean: whose coefficients are kept.
            folds: the same process without each fold. Where there is none, all are kept.
        """
        found, coefficients = self.ranked(mean)
        count = len(found)
        if folds:
            fewest, most = self._num_terms(folds)
            left_out = np.cumsum(coefficients[::-1] ** 2)[::-1]
            count = min(max(fewest, int(np.sum(left_out > self.most_lost))), most)
        singles = [(feature,) for feature in range(mean.num_features)]
        larger = [support for support in found[:count] if len(support) > 1]
        return [(), *singles, *larger[: self.max_terms]]

    def _num_terms(self, folds: Sequence[Fold]) -> tuple[int, int]:
        """How few and how many of the strongest predict about as well as the best number."""
        paths = [self._errors(fold) for fold in folds]
        counts = _counts(min(len(path) for path in paths))
        errors = np.sum([path[counts - 1] for path in paths], axis=0)
        total = sum(float(np.sum(fold.values**2 / (1.0 + fold.variances))) for fold in folds)
        enough = counts[errors <= errors.min() + self.tolerance * total]
        return int(enough[0]), int(enough[-1])

    def _errors(self, fold: Fold) -> Floats:
        """The squared error on a fold of the strongest term, of the two strongest, and so on."""
        supports, coefficients = self.ranked(fold.mean)
        terms = np.empty((len(fold.points), len(supports)))
        sizes = np.array([len(support) for support in supports])
        for size in np.unique(sizes):
            places = np.flatnonzero(sizes == size)
            level = np.array([supports[place] for place in places], dtype=np.intp)
            terms[:, places] = products(fold.points, level)
        terms *= coefficients
        constant = fold.mean.coefficients(np.empty((1, 0), dtype=np.intp))
        residuals = (fold.values - constant)[:, None] - np.cumsum(terms, axis=1)
        errors: Floats = (1.0 / (1.0 + fold.variances)) @ residuals**2
        return errors

    def _levels(self, mean: Mean) -> Iterator[tuple[Level, Floats]]:
        """Supports of each size in turn, rows sorted, and their coefficients."""
        num_features = mean.num_features
        largest = num_features if num_features <= _SMALL_CUBE else self.max_degree
        level = np.empty((1, 0), dtype=np.intp)
        coefficients = np.ones(1)
        for size in range(1, min(largest, num_features) + 1):
            if size == 1 or comb(num_features, size) <= _ENUMERABLE:
                supports = list(combinations(range(num_features), size))
                level = np.array(supports, dtype=np.intp)
                coefficients = mean.coefficients(level)
            else:
                strongest = np.argsort(-np.abs(coefficients), kind="stable")
                parents = level if size == 2 else level[strongest[: self.width]]
                level, coefficients = mean.extended(parents)
            yield level, coefficients


def _counts(most: int) -> NDArray[np.intp]:
    """Numbers of terms to try: each a tenth more than the one before."""
    steps = np.arange(1 + int(np.log(most) / np.log(1.1)))
    return np.unique(np.append(np.floor(1.1**steps), most)).astype(np.intp)
