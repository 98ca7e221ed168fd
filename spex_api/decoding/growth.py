"""Sparse regression with a dictionary that grows: what the residual still shows joins.

A character correlates with the residual of a fit as much as its own coefficient is missing, and by
chance like a normal number over the root of the sample size. So of many characters those are worth
a place that chance would hardly put so high; folds then decide which of them stay. What this module
does not know: where a first dictionary comes from.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from spex_api.decoding.least_squares import least_squares
from spex_api.decoding.sparse_regression import sparse_regression
from spex_api.transforms import characters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from spex_api.decoding.sparse_regression import Folds
    from spex_api.decoding.standardization import Standardized
    from spex_api.samples import Samples
    from spex_api.transforms import FourierTransform, Support

    Singles = NDArray[np.float32]

__all__ = ["grown_regression"]

_MAX_ROUNDS = 6
_FALSE_ALARMS = 2.0
"""How many characters of pure noise may join a round on average, among singles and among others."""
_SOME = 2.5
"""Standard errors below which a larger character is not even listed."""
_MOST_COLUMNS = 1500
_MOST_PRODUCTS = 4e9
"""Beyond so many multiplications pairs are looked at only as neighbours of singles."""
_CHUNK = 128
_ROUNDING = 1e-13
"""Residuals below this share of the largest value have nothing to show."""


def grown_regression(
    samples: Samples,
    standardized: Standardized,
    start: Iterable[Support],
    *,
    degree: int,
    folds: Folds,
) -> FourierTransform:
    """A sparse regression on a first dictionary, and on what its residual shows, round after round.

    In each round the singles and the neighbours of what is in the fit (one feature more, or one
    fewer) are held against the residual, and all pairs too: in every round where nothing is given,
    and else in the first, since whoever gives a dictionary has looked at pairs.

    Args:
        samples: at least two.
        standardized: their values; its scale is not zero.
        start: the first dictionary; the constant is always in.
        degree: of the largest supports that may join.
        folds: of the cross-validation that decides what stays.
    """
    signs = samples.masks.astype(np.float32)
    signs *= -2
    signs += 1
    given = {support for support in start if support}
    active = set(given)
    # What is given is fitted as it stands, for its residual; the first regression decides on it.
    fitted = least_squares(samples, sorted({(), *given}))
    if fitted is None:
        fitted = sparse_regression(samples, standardized, sorted(given), folds=folds)
    for turn in range(_MAX_ROUNDS):
        active |= {support for support in fitted if support}
        residual = samples.values - fitted(samples.masks)
        joining = _joining(
            samples, signs, residual, active=active, degree=degree, pairs=turn == 0 or not given
        )
        if not joining and not (turn == 0 and given):
            break
        fitted = sparse_regression(samples, standardized, sorted(active | joining), folds=folds)
        kept = {support for support in fitted if support}
        if kept <= active:
            break
        active = kept
    return fitted


def _joining(
    samples: Samples,
    signs: Singles,
    residual: NDArray[np.float64],
    *,
    active: set[Support],
    degree: int,
    pairs: bool,
) -> set[Support]:
    """The strongest characters outside the fit that chance hardly explains."""
    error = float(np.sqrt(np.mean(residual**2) / len(residual)))
    if error <= _ROUNDING * np.max(np.abs(samples.values)):
        return set()
    weights = (residual / (error * len(residual))).astype(np.float32)
    alone = np.abs(signs.T @ weights)
    strength: dict[Support, float] = {}
    looked_at = 0
    wanted = pairs and degree > 1 and signs.size * signs.shape[1] <= _MOST_PRODUCTS
    looks = [_pairs(signs, weights)] if wanted else []
    looks.extend(_neighbours(samples, signs, weights, sorted(active), degree))
    for number, found in looks:
        looked_at += number
        strength.update(found)
    threshold = _threshold(looked_at)
    strength = {support: each for support, each in strength.items() if each > threshold}
    for feature in np.flatnonzero(alone > _threshold(len(alone))).tolist():
        strength[(feature,)] = float(alone[feature])
    strong = [support for support in strength if support not in active]
    strong.sort(key=lambda support: (-strength[support], support))
    return set(strong[: max(0, _MOST_COLUMNS - len(active))])


def _threshold(number: int) -> float:
    """Standard errors that so many normal numbers exceed as often as false alarms are allowed."""
    return float(norm.isf(_FALSE_ALARMS / 2 / max(number, 2 * _FALSE_ALARMS)))


def _pairs(signs: Singles, weights: Singles) -> tuple[int, dict[Support, float]]:
    """How many pairs there are, and the evidence for those with some."""
    evidence = np.triu(np.abs(signs.T @ (signs * weights[:, None])), 1)
    places = np.argwhere(evidence > _SOME).tolist()
    return comb(signs.shape[1], 2), {(i, j): float(evidence[i, j]) for i, j in places}


def _neighbours(
    samples: Samples, signs: Singles, weights: Singles, active: list[Support], degree: int
) -> Iterator[tuple[int, dict[Support, float]]]:
    """How many neighbours of what is in the fit were looked at, and the evidence for some."""
    for start in range(0, len(active), _CHUNK):
        chunk = active[start : start + _CHUNK]
        products = characters(samples.masks, chunk).astype(np.float32) * weights[:, None]
        evidence = np.abs(signs.T @ products)
        found: dict[Support, float] = {}
        for feature, place in np.argwhere(evidence > _SOME).tolist():
            neighbour = tuple(sorted(set(chunk[place]) ^ {feature}))
            if 2 <= len(neighbour) <= degree:
                found[neighbour] = float(evidence[feature, place])
        yield evidence.size, found
