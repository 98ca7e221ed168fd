"""Additive ridge: the best that a fit of single features does, which every decoder must beat.

What this module does not know: interactions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from spex_api.decoding.standardization import standardize
from spex_api.decoding.support_ridge import ridge
from spex_api.errors import BudgetTooSmall
from spex_api.transforms import FourierTransform

if TYPE_CHECKING:
    from spex_api.samples import Samples
    from spex_api.transforms import Support

__all__ = ["additive_ridge"]


def additive_ridge(samples: Samples) -> FourierTransform:
    """A ridge fit of the constant and of every single feature, its penalty by leave-one-out.

    The weights are `1 / (½ + v_j)` in units of the values' variance; see `support_ridge`.

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
        constant, slopes = ridge(samples.signs[:, order], standardized.values, weights=weights)
    coefficients: dict[Support, float] = {(): standardized.mean + standardized.scale * constant}
    for feature, slope in zip(order.tolist(), slopes.tolist(), strict=True):
        coefficients[(feature,)] = standardized.scale * slope
    return FourierTransform(coefficients, samples.num_features)
