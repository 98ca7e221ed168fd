"""Ridge on any columns, its penalty by exact leave-one-out; each column may have its own prior.

What this module does not know: masks, and where the columns come from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["ridge"]

_PENALTIES = np.logspace(-8, 3, 67)
"""In multiples of the total weight: a standardised column is halved at 1."""
_FULL_LEVERAGE = 1e-9


def ridge(
    columns: Floats,
    values: Floats,
    *,
    weights: Floats,
    scales: Floats | None = None,
    constant: bool = True,
) -> tuple[float, Floats]:
    """`argmin Σ_j ω_j (y_j − b − Σ_k β_k x_jk)² + λ Σ_k (β_k / s_k)²`, with λ by leave-one-out.

    The constant b is not penalised. The leave-one-out residual is `r_j / (1 − H_jj)` with H the hat
    matrix (Allen 1974), so that one decomposition, of the smaller of the two Gram matrices, serves
    every penalty.

    Args:
        columns: shape (num_samples, num_columns).
        values: shape (num_samples,).
        weights: shape (num_samples,), ω, positive.
        scales: shape (num_columns,), how large each coefficient is expected to be, as a ratio to
            the others; only ratios count. None where all are alike.
        constant: whether there is one; else b is 0.

    Returns:
        The constant, and the coefficients, shape (num_columns,).
    """
    shares = weights / weights.sum()
    means = shares if constant else np.zeros(len(shares))
    centers, center = means @ columns, float(means @ values)
    if not columns.any():
        return center, np.zeros(columns.shape[1])
    roots = np.sqrt(shares)
    ratios = 1.0 if scales is None else scales / np.sqrt(np.mean(scales**2))
    scaled = roots[:, None] * (columns - centers) * ratios
    target = roots * (values - center)
    left, squares = _decomposed(scaled)
    projected = left.T @ target
    # Shape (num_penalties, rank): how far each direction is shrunk under each penalty.
    shrinkage = squares / (squares + _PENALTIES[:, None])
    residuals = target - (shrinkage * projected) @ left.T
    leverages = shrinkage @ (left**2).T + means
    # A sample that alone decides its own prediction is predicted by nothing else.
    free = np.maximum(1.0 - leverages, _FULL_LEVERAGE)
    best = int(np.argmin(np.sum((residuals / free) ** 2, axis=1)))
    slopes = ratios * (scaled.T @ (left @ (projected / (squares + _PENALTIES[best]))))
    return float(center - centers @ slopes), slopes


def _decomposed(matrix: Floats) -> tuple[Floats, Floats]:
    """The left singular vectors and the squared singular values, those of rounding left out."""
    if matrix.shape[0] <= matrix.shape[1]:
        squares, left = np.linalg.eigh(matrix @ matrix.T)
        real = squares > squares[-1] * 1e-13
        return left[:, real], squares[real]
    squares, right = np.linalg.eigh(matrix.T @ matrix)
    real = squares > squares[-1] * 1e-13
    return matrix @ (right[:, real] / np.sqrt(squares[real])), squares[real]
