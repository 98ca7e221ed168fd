"""Lasso: sparse regression on characters of a low degree.

What this module does not know: how a path of solutions is found (`lasso_path`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from spex_api.decoding.decoder import Recovery, Status, concise
from spex_api.decoding.lasso_path import Moments, Solution, lasso_path
from spex_api.decoding.ridge import additive_ridge
from spex_api.decoding.standardization import standardize
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.sampling.uniform import uniform_plan
from spex_api.transforms import FourierTransform, characters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.decoding.standardization import Standardized
    from spex_api.samples import QueryPlan, Samples
    from spex_api.transforms import Support

__all__ = ["Lasso"]

_NUM_PENALTIES = 40
_SMALLEST_PENALTY = 0.01
"""As a share of the penalty under which every coefficient is zero."""
_CHUNK = 2048


@dataclass(frozen=True, slots=True, repr=False)
class Lasso:
    """`argmin Σ_j ω_j (y_j − b − Σ_S F[S] χ_S(m_j))² / 2N + λ Σ_S |F[S]|` over low degrees.

    The penalty has the least error over shuffled folds (Tibshirani 1996; Friedman et al. 2010), and
    so has the choice between the shrunk coefficients and least squares on their support (the
    relaxed LASSO of Meinshausen 2007). Where there are too many characters, those of two features
    and more are taken among the features that are strongest alone. The weights ω are `1 / (σ² + v)`
    with σ² half the values' variance.

    Attributes:
        degree: the size of the largest supports.
        num_folds: of the cross-validation; at most one a sample.
        max_columns: how many characters are regressed on at most; singles are always in.
        seed: of the shuffle that makes the folds.
    """

    degree: int = 2
    num_folds: int = 5
    max_columns: int = 2500
    seed: int = 0

    def __post_init__(self) -> None:
        if self.degree < 1 or self.num_folds < 2 or self.max_columns < 1:
            raise UsageError(
                "Lasso takes a degree of at least 1, two folds and one column, not "
                f"{self.degree}, {self.num_folds} and {self.max_columns}."
            )

    __repr__ = concise

    def plan(self, num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
        """Uniform masks; where no number is given, twenty a feature, at least 200.

        Raises:
            UsageError: there is no feature, or no query.
        """
        if num_queries is None:
            num_queries = max(20 * num_features, 200)
        return uniform_plan(num_features, num_queries, seed=seed)

    def decode(self, samples: Samples) -> Recovery:
        """The sparse transform with the least cross-validated error.

        Deterministic. Permuting the features permutes the answer.

        Raises:
            UsageError: there are fewer than two samples.
        """
        if len(samples) < 2:
            raise BudgetTooSmall(
                f"Lasso fits a function to two samples at least, not {len(samples)}."
            )
        standardized = standardize(samples)
        if standardized.scale == 0:
            transform = FourierTransform({(): standardized.mean}, samples.num_features)
            return Recovery(transform, Status.CONSTANT)
        with threadpool_limits(limits=1, user_api="blas"):
            supports = self._supports(samples)
            solution = self._cross_validated(samples, standardized, supports)
        coefficients: dict[Support, float] = {
            (): standardized.mean + standardized.scale * solution.constant
        }
        for column, coefficient in zip(
            solution.columns.tolist(), solution.coefficients.tolist(), strict=True
        ):
            coefficients[tuple(sorted(supports[column]))] = standardized.scale * coefficient
        status = Status.CONVERGED if len(solution.columns) else Status.NOTHING_BUT_NOISE
        return Recovery(FourierTransform(coefficients, samples.num_features), status)

    def _supports(self, samples: Samples) -> list[Support]:
        """The characters to regress on, in an order that the masks decide, not the numbering."""
        order: list[int] = np.lexsort(samples.masks).tolist()
        additive = additive_ridge(samples)
        ranked = sorted(order, key=lambda feature: -abs(additive.get((feature,), 0.0)))
        chosen = len(ranked)
        while chosen > 0 and self._num_larger(chosen) > self.max_columns - len(ranked):
            chosen -= 1
        supports: list[Support] = [(feature,) for feature in ranked]
        for size in range(2, self.degree + 1):
            supports.extend(combinations(ranked[:chosen], size))
        return supports

    def _num_larger(self, num_features: int) -> int:
        return sum(comb(num_features, size) for size in range(2, self.degree + 1))

    def _cross_validated(
        self, samples: Samples, standardized: Standardized, supports: list[Support]
    ) -> Solution:
        """The solution with the least error over the folds, fitted to all samples."""
        count = len(samples)
        shuffled = np.random.default_rng(self.seed).permutation(count)
        folds = np.array_split(shuffled, min(self.num_folds, count))
        total = _moments(samples, standardized, supports, shuffled)
        largest = float(np.max(np.abs(total.correlations)))
        penalties = largest * np.geomspace(1.0, _SMALLEST_PENALTY, _NUM_PENALTIES)
        errors = np.zeros((_NUM_PENALTIES, 2))
        for fold in folds:
            held_out = _moments(samples, standardized, supports, fold)
            errors += _errors(total - held_out, held_out, penalties, (count - len(fold)) // 2)
        # The first of equal errors: the largest penalty, and shrunk rather than refitted.
        place, refitted = divmod(int(np.argmin(errors)), 2)
        *_, solution = lasso_path(total, penalties[: place + 1], max_active=len(supports))
        return total.refit(solution.columns) if refitted else solution


def _errors(
    training: Moments, held_out: Moments, penalties: NDArray[np.float64], max_active: int
) -> NDArray[np.float64]:
    """The held-out error under each penalty, shrunk and refitted, shape (num_penalties, 2)."""
    errors = np.full((len(penalties), 2), np.inf)
    path = lasso_path(training, penalties, max_active=max_active)
    for place, solution in enumerate(path):
        errors[place] = held_out.error(solution), held_out.error(training.refit(solution.columns))
    return errors


def _moments(
    samples: Samples,
    standardized: Standardized,
    supports: list[Support],
    rows: NDArray[np.intp],
) -> Moments:
    """Of the characters and the standardised values at some of the samples."""
    products = np.zeros((len(supports) + 2, len(supports) + 2))
    for start in range(0, len(rows), _CHUNK):
        chosen = rows[start : start + _CHUNK]
        weights = 0.5 / (0.5 + standardized.variances[chosen])
        columns = np.column_stack(
            [
                np.ones(len(chosen)),
                characters(samples.masks[chosen], supports),
                standardized.values[chosen],
            ]
        )
        columns *= np.sqrt(weights)[:, None]
        products += columns.T @ columns
    return Moments(products)
