"""The LASSO's path from second moments: solutions under ever smaller penalties, each from the last.

`argmin_β ½ βᵀ G β − bᵀ β + λ ‖β‖₁` needs the columns' Gram matrix G and their products b with the
values, not the samples. So moments are computed once and add up: those of a training set are the
total less the held-out fold's.

What this module does not know: masks, folds, and which penalty is best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Moments", "Solution", "lasso_path"]

_MAX_STEPS = 1000
_MAX_ROUNDS = 20
_PRECISION = 1e-4
_REFIT_RIDGE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A sparse linear function: a constant, and some columns with their coefficients.

    Attributes:
        constant: the intercept.
        columns: the columns with a coefficient, ascending.
        coefficients: one a column.
    """

    constant: float
    columns: NDArray[np.intp]
    coefficients: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """`Zᵀ Ω Z` with `Z = [1, X, y]` and Ω the samples' weights; moments of disjoint samples add.

    Attributes:
        products: shape (num_columns + 2, num_columns + 2).
    """

    products: Floats

    def __add__(self, other: Self) -> Self:
        return type(self)(self.products + other.products)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.products - other.products)

    @property
    def gram(self) -> Floats:
        """The weighted covariance of the columns, shape (num_columns, num_columns)."""
        means = self.products[0, 1:-1] / self.products[0, 0]
        gram: Floats = self.products[1:-1, 1:-1] / self.products[0, 0]
        gram -= np.outer(means, means)
        return gram

    @property
    def correlations(self) -> Floats:
        """The weighted covariance of each column with the values, shape (num_columns,)."""
        means = self.products[0] / self.products[0, 0]
        correlations: Floats = (
            self.products[1:-1, -1] / self.products[0, 0] - means[1:-1] * means[-1]
        )
        return correlations

    def solution(self, columns: NDArray[np.intp], coefficients: Floats) -> Solution:
        """These coefficients with the constant that fits the means."""
        means = self.products[0] / self.products[0, 0]
        return Solution(float(means[-1] - means[1 + columns] @ coefficients), columns, coefficients)

    def refit(self, columns: NDArray[np.intp]) -> Solution:
        """Least squares on these columns alone."""
        rows = 1 + columns
        means = self.products[0, rows] / self.products[0, 0]
        gram = self.products[np.ix_(rows, rows)] / self.products[0, 0] - np.outer(means, means)
        gram[np.diag_indices_from(gram)] += _REFIT_RIDGE
        return self.solution(columns, np.linalg.solve(gram, self.correlations[columns]))

    def error(self, solution: Solution) -> float:
        """The weighted sum of squared residuals of a solution on these samples."""
        rows = np.concatenate([[0], 1 + solution.columns, [len(self.products) - 1]])
        signed = np.concatenate([[-solution.constant], -solution.coefficients, [1.0]])
        return float(signed @ self.products[np.ix_(rows, rows)] @ signed)


def lasso_path(moments: Moments, penalties: Floats, *, max_active: int) -> Iterator[Solution]:
    """The solution under each penalty in turn; ends early where too many columns are active.

    Each solve is confined to the columns that the last solution holds or that the sequential strong
    rule admits (Tibshirani et al. 2012); columns that violate the optimality conditions afterwards
    join, and the solve is repeated.

    Args:
        moments: of the training samples.
        penalties: λ, descending.
        max_active: how many columns may be active.
    """
    gram, targets = moments.gram, moments.correlations
    coefficients = np.zeros(len(targets))
    slopes, last = targets, float(np.max(np.abs(targets), initial=0.0))
    for penalty in penalties:
        working = (coefficients != 0) | (np.abs(slopes) >= 2 * penalty - last)
        for _ in range(_MAX_ROUNDS):
            columns = np.flatnonzero(working)
            rows = gram[columns]
            coefficients[columns] = _proximal_gradient(
                rows[:, columns], targets[columns], penalty, coefficients[columns]
            )
            slopes = targets - coefficients[columns] @ rows
            violators = (np.abs(slopes) > penalty * (1 + 1e-2)) & ~working
            if not violators.any():
                break
            working |= violators
        last = float(penalty)
        active = np.flatnonzero(coefficients)
        if len(active) > max_active:
            return
        yield moments.solution(active, coefficients[active])


def _proximal_gradient(gram: Floats, targets: Floats, penalty: float, start: Floats) -> Floats:
    """FISTA (Beck and Teboulle 2009), its momentum restarted where it points uphill."""
    if not len(targets):
        return start
    step = 1.0 / max(float(np.linalg.eigvalsh(gram)[-1]), 1e-12)
    point, ahead, momentum = start, start, 1.0
    for _ in range(_MAX_STEPS):
        moved = ahead + step * (targets - gram @ ahead)
        new = np.sign(moved) * np.maximum(np.abs(moved) - step * penalty, 0.0)
        change = new - point
        if np.max(np.abs(change)) <= _PRECISION * penalty * step:
            return new
        uphill = (ahead - new) @ change > 0
        grown = 1.0 if uphill else 0.5 + np.sqrt(0.25 + momentum**2)
        ahead = new + (0.0 if uphill else (momentum - 1.0) / grown) * change
        point, momentum = new, grown
    return point
