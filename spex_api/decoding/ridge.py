"""Additive ridge: the best that a fit of single features does, which every decoder must beat.

What this module does not know: interactions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from spex_api.decoding.standardization import standardize
from spex_api.errors import BudgetTooSmall
from spex_api.transforms import FourierTransform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.samples import Samples
    from spex_api.transforms import Support

__all__ = ["additive_ridge"]

_PENALTIES = np.logspace(-4, 3, 57)
"""In multiples of the number of samples: the penalty at which a coefficient is halved is 1."""


def additive_ridge(samples: Samples) -> FourierTransform:
    """`argmin Σ_j ω_j (y_j − b − Σ_i F_i s_ij)² + λ Σ_i F_i²`, with λ by exact leave-one-out.

    The constant is not penalised. The leave-one-out residual is `r_j / (1 − H_jj)` with H the hat
    matrix (Allen 1974), so that one decomposition serves every penalty. The weights ω are
    `1 / (½ + v_j)` in units of the values' variance, scaled to a mean of 1.

    Args:
        samples: at least one.

    Returns:
        The constant and every single feature.

    Raises:
        UsageError: there is no sample.
    """
    if not len(samples):
        raise BudgetTooSmall("An additive fit takes at least one sample.")
    standardized = standardize(samples)
    if standardized.scale == 0:
        return FourierTransform({(): standardized.mean}, samples.num_features)
    order = np.lexsort(samples.masks)
    weights = 1.0 / (0.5 + standardized.variances)
    with threadpool_limits(limits=1, user_api="blas"):
        constant, slopes = _ridge(
            samples.signs[:, order], standardized.values, weights / weights.mean()
        )
    coefficients: dict[Support, float] = {(): standardized.mean + standardized.scale * constant}
    for feature, slope in zip(order.tolist(), slopes.tolist(), strict=True):
        coefficients[(feature,)] = standardized.scale * slope
    return FourierTransform(coefficients, samples.num_features)


def _ridge(
    signs: NDArray[np.float64], values: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """The constant and the slopes under the penalty with the least leave-one-out error."""
    centers = np.average(signs, axis=0, weights=weights)
    center = np.average(values, weights=weights)
    roots = np.sqrt(weights)
    left, singular, right = np.linalg.svd(roots[:, None] * (signs - centers), full_matrices=False)
    target = roots * (values - center)
    projected = left.T @ target
    # Shape (num_penalties, rank): how far each direction is shrunk under each penalty.
    shrinkage = singular**2 / (singular**2 + _PENALTIES[:, None] * len(values))
    residuals = target - (shrinkage * projected) @ left.T
    leverages = shrinkage @ (left**2).T + weights / weights.sum()
    errors = np.mean((residuals / np.maximum(1.0 - leverages, 1e-9)) ** 2, axis=1)
    best = int(np.argmin(errors))
    slopes = right.T @ (singular / (singular**2 + _PENALTIES[best] * len(values)) * projected)
    return float(center - centers @ slopes), slopes
