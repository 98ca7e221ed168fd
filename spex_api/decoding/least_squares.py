"""Least squares on a support that is known, to the last digits.

What this module does not know: where the support comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from spex_api.transforms import FourierTransform, characters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.samples import Samples
    from spex_api.transforms import Support

__all__ = ["least_squares"]

_CHUNK = 4096
_NEGLIGIBLE = 1e-12
"""A coefficient below this share of the largest is rounding."""


def least_squares(samples: Samples, supports: Sequence[Support]) -> FourierTransform | None:
    """`argmin Σ_j (y_j − Σ_S F[S] χ_S(m_j))²`, with one step of refinement; without rounding dust.

    Args:
        samples: at least one.
        supports: distinct; the constant is one of them where it is wanted.

    Returns:
        The transform, or None where the samples do not tell the supports apart.
    """
    gram = np.zeros((len(supports), len(supports)))
    for rows in _chunks(len(samples)):
        columns = characters(samples.masks[rows], supports)
        gram += columns.T @ columns
    try:
        factor = cho_factor(gram / len(samples))
    except np.linalg.LinAlgError:
        return None
    solution = np.zeros(len(supports))
    for _ in range(2):
        target = np.zeros(len(supports))
        for rows in _chunks(len(samples)):
            columns = characters(samples.masks[rows], supports)
            target += columns.T @ (samples.values[rows] - columns @ solution)
        solution += cho_solve(factor, target / len(samples))
    least = _NEGLIGIBLE * float(np.max(np.abs(solution)))
    return FourierTransform(
        {
            support: float(coefficient)
            for support, coefficient in zip(supports, solution, strict=True)
            if abs(coefficient) > least or not support
        },
        samples.num_features,
    )


def _chunks(length: int) -> list[slice]:
    return [slice(start, start + _CHUNK) for start in range(0, length, _CHUNK)]
