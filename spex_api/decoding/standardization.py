"""Values on a scale where their mean is 0 and their variance is 1, whatever the score's unit.

A sample whose known variance is large says little about either: both are weighted means. What this
module does not know: masks, and how a function is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.samples import Samples

__all__ = ["Standardized", "standardize"]

_ROUNDING = 1e-12
"""Values that differ by less than this share of their magnitude are the same."""
_SMALLEST = 1e-150
"""And so are those that differ by less than this: the square of the difference is zero."""


@dataclass(frozen=True, slots=True, eq=False)
class Standardized:
    """Values as `(y − mean) / scale`.

    Attributes:
        values: shape (num_samples,).
        variances: shape (num_samples,), the known sampling variances in the new unit.
        mean: of the values as given.
        scale: their standard deviation; 0 where they do not vary.
    """

    values: NDArray[np.float64]
    variances: NDArray[np.float64]
    mean: float
    scale: float


def standardize(samples: Samples) -> Standardized:
    """Centers and scales the values; those with a large known variance count for less.

    The weights are `1 / (v̄ + v_j)`, with v̄ the values' variance as their median absolute deviation
    tells it, so that a few wild values of a large known variance decide nothing. Without variances
    the mean and the standard deviation are the plain ones.
    """
    values = samples.values
    variances = np.zeros(len(values)) if samples.variances is None else samples.variances
    if np.ptp(values) <= max(_ROUNDING * np.max(np.abs(values)), _SMALLEST):
        return Standardized(np.zeros(len(values)), variances, float(np.mean(values)), 0.0)
    spread = float(np.median(np.abs(values - np.median(values))) * 1.4826) ** 2
    weights = 1.0 / ((spread or float(np.var(values)) or 1.0) + variances)
    mean = float(np.average(values, weights=weights))
    scale = float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))
    return Standardized((values - mean) / scale, variances / scale**2, mean, scale)
