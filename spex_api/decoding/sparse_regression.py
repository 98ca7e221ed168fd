"""Sparse regression on given characters: how strong a penalty, and shrunk or refitted, by folds.

What this module does not know: which characters are worth regressing on, and how a path of
solutions is found (`lasso_path`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spex_api.decoding.lasso_path import Moments, Solution, lasso_path
from spex_api.transforms import FourierTransform, characters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spex_api.decoding.standardization import Standardized
    from spex_api.samples import Samples
    from spex_api.transforms import Support

    Folds = list[NDArray[np.intp]]
    """The rows of each fold; every sample is in one."""

__all__ = ["shuffled_folds", "sparse_regression"]

_NUM_PENALTIES = 40
_SMALLEST_PENALTY = 0.01
"""As a share of the penalty under which every coefficient is zero."""
_CHUNK = 2048


def sparse_regression(
    samples: Samples,
    standardized: Standardized,
    supports: Sequence[Support],
    *,
    folds: Folds,
) -> FourierTransform:
    """`argmin Σ_j ω_j (y_j − b − Σ_S F[S] χ_S(m_j))² / 2N + λ Σ_S |F[S]|` on these supports.

    The penalty has the least error over shuffled folds (Tibshirani 1996; Friedman et al. 2010), and
    so has the choice between the shrunk coefficients and least squares on their support (the
    relaxed LASSO of Meinshausen 2007). The weights ω are `1 / (σ² + v)` with σ² half the values'
    variance.

    Args:
        samples: at least two.
        standardized: their values; its scale is not zero.
        supports: not the constant, which is always in and not penalised.
        folds: of the cross-validation.
    """
    solution = _cross_validated(samples, standardized, supports, folds)
    coefficients: dict[Support, float] = {
        (): standardized.mean + standardized.scale * solution.constant
    }
    for column, coefficient in zip(
        solution.columns.tolist(), solution.coefficients.tolist(), strict=True
    ):
        coefficients[tuple(sorted(supports[column]))] = standardized.scale * coefficient
    return FourierTransform(coefficients, samples.num_features)


def shuffled_folds(num_samples: int, num_folds: int, *, seed: int) -> Folds:
    """Folds of about equal size, at most one a sample.

    Args:
        num_samples: at least one.
        num_folds: how many.
        seed: of the shuffle.
    """
    shuffled = np.random.default_rng(seed).permutation(num_samples)
    return np.array_split(shuffled, min(num_folds, num_samples))


def _cross_validated(
    samples: Samples,
    standardized: Standardized,
    supports: Sequence[Support],
    folds: Folds,
) -> Solution:
    """The solution with the least error over the folds, fitted to all samples."""
    parts = [_moments(samples, standardized, supports, rows) for rows in folds]
    total = sum(parts[1:], start=parts[0])
    largest = float(np.max(np.abs(total.correlations), initial=0.0))
    penalties = largest * np.geomspace(1.0, _SMALLEST_PENALTY, _NUM_PENALTIES)
    errors = np.zeros((_NUM_PENALTIES, 2))
    for rows, held_out in zip(folds, parts, strict=True):
        max_active = (len(samples) - len(rows)) // 2
        errors += _errors(total - held_out, held_out, penalties, max_active)
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
    supports: Sequence[Support],
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
