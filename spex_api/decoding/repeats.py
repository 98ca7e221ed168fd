"""Masks that were asked more than once, each with one value.

What this module does not know: what becomes of the values.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spex_api.samples import Draws

if TYPE_CHECKING:
    from spex_api.samples import Samples

__all__ = ["without_repeats"]


def without_repeats(samples: Samples) -> Samples:
    """Every mask once, in lexicographic order, with the mean of its values.

    The mean is weighted by the inverse of the variances where there are some, and its variance is
    the inverse of their sum. Where one value of a mask is exact, its exact values alone decide.
    Draws are put together.
    """
    # Packed with the first feature in the highest bit, rows of bytes sort as the masks do.
    packed = np.packbits(samples.masks, axis=1)
    rows = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel()
    _, first, places = np.unique(rows, return_index=True, return_inverse=True)
    masks, size = samples.masks[first], len(first)
    draws = samples.draws
    if draws is not None:
        hits, trials = (
            np.bincount(places, each, size).astype(np.float64)
            for each in (draws.hits, draws.trials)
        )
        draws = Draws(hits, trials)
    if samples.variances is None:
        sums = np.bincount(places, weights=samples.values, minlength=size)
        values = sums / np.bincount(places, minlength=size)
        return replace(samples, masks=masks, values=values, draws=draws)
    exact = samples.variances == 0
    has_exact = np.bincount(places[exact], minlength=size) > 0
    weights = exact.astype(np.float64)
    noisy = ~has_exact[places]
    weights[noisy] = 1.0 / samples.variances[noisy]
    totals = np.bincount(places, weights=weights, minlength=size)
    values = np.bincount(places, weights=weights * samples.values, minlength=size) / totals
    variances = np.where(has_exact, 0.0, 1.0 / totals)
    return replace(samples, masks=masks, values=values, variances=variances, draws=draws)
