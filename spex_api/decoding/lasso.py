"""Lasso: sparse regression on characters of a low degree.

What this module does not know: how the penalty is chosen (`sparse_regression`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from spex_api.decoding.binomial import Binomial
from spex_api.decoding.decoder import Recovery, Status, concise
from spex_api.decoding.ridge import additive_ridge
from spex_api.decoding.sparse_regression import shuffled_folds, sparse_regression
from spex_api.decoding.standardization import standardize
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.sampling.uniform import uniform_plan

if TYPE_CHECKING:
    from spex_api.samples import QueryPlan, Samples
    from spex_api.transforms import Support

__all__ = ["Lasso"]


@dataclass(frozen=True, slots=True, repr=False)
class Lasso:
    """Sparse regression on all characters of a low degree (Tibshirani 1996).

    Penalty and refit are chosen by folds; see `spex_api.decoding.sparse_regression`. Where there
    are too many characters, those of two features and more are taken among the features that are
    strongest alone.

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
        if samples.draws is not None:
            return Binomial(self).decode(samples)
        if len(samples) < 2:
            raise BudgetTooSmall(
                f"Lasso fits a function to two samples at least, not {len(samples)}."
            )
        standardized = standardize(samples)
        if standardized.scale == 0:
            return Recovery.constant(standardized.mean, samples.num_features)
        with threadpool_limits(limits=1, user_api="blas"):
            supports = self._supports(samples)
            folds = shuffled_folds(len(samples), self.num_folds, seed=self.seed)
            transform = sparse_regression(samples, standardized, supports, folds=folds)
        status = Status.CONVERGED if len(transform) > 1 else Status.NOTHING_BUT_NOISE
        return Recovery(transform, status)

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
