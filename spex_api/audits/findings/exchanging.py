"""How often cases that are exchanged between a slice and the rest differ as much.

Where it makes no difference in which of two groups a case is, every way to deal the cases out is as
likely as the one that was seen. That holds however the values are spread, where a t interval is
misled by few skewed ones. The share of all ways is not counted but approximated, well however small
it is, by a double saddlepoint (Robinson 1982; Booth and Butler 1990):

The sum T over a group of the size a is that of Bernoulli variables given that a of them are 1. With
`K(s, t) = Σ log(1 + exp(s + t z_i))`, minimised less `s a + t T` at (ŝ, t̂) and at (s₀, 0), and with
the root r of twice the difference of the minima and `u = t̂ √(|K''(ŝ, t̂)| / K_ss''(s₀, 0))`, the
share at least as high as T is `Φ(−r) + φ(r) (1/u − 1/r)` (Skovgaard 1987).

That takes the sums for smooth. They are not where a value is frequent, as 0 is where parts move few
cases; so where a group holds few cases with that value, or few without it, their number is counted
(hypergeometric), and only the sum of the others is approximated.

What this module does not know: of what the values are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import expit, gammaln, ndtr

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["chance_of_exchange"]

_MANY: Final = 40
"""Where a group holds more cases with the commonest value, and more without it, sums are smooth."""
_NEVER: Final = -40.0
"""A logarithm of odds too small to add anything."""
_MOST_STEPS: Final = 60
_CLOSE: Final = 1e-9
_FLAT: Final = 1e-12
"""A determinant below it: the group holds the largest values of all, as few ways do."""


def chance_of_exchange(values: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Twice the share of all exchanges after which the mean is at least as far off, on that side.

    Args:
        values: shape (num_cases,), of the group; at least one.
        others: shape (num_others,), of the rest; likewise.

    Returns:
        The two-sided chance, at most 1 and never below that of the one way that was seen.
    """
    if len(values) > len(others):
        values, others = others, values
    every = np.concatenate([values, others])
    spread = float(every.std())
    if not spread:
        return 1.0
    scaled = (every - every.mean()) / spread
    size = len(values)
    distance = float(scaled[:size].sum())
    if distance < 0:
        scaled, distance = -scaled, -distance
    rarest = math.exp(-_ways(len(every), size))
    return min(1.0, 2.0 * max(rarest, _counted(scaled, size, distance)))


def _ways(total: int, size: int) -> float:
    """The logarithm of the number of groups."""
    return float(gammaln(total + 1) - gammaln(size + 1) - gammaln(total - size + 1))


def _counted(every: NDArray[np.float64], size: int, sought: float) -> float:
    """The share of groups whose sum is at least what is sought; the commonest value is counted."""
    found, counts = np.unique(every, return_counts=True)
    common, number = found[counts.argmax()], int(counts.max())
    rest = every[every != common] - common
    if number == 1 or min(number, len(rest)) * size > _MANY * len(every):
        return _beyond(every, size, sought)
    share = 0.0
    for others in range(max(0, size - number), min(size, len(rest)) + 1):
        odds = _ways(len(rest), others) + _ways(number, size - others) - _ways(len(every), size)
        if odds > _NEVER:
            share += math.exp(odds) * _beyond(rest, others, sought - size * common)
    return share


def _beyond(every: NDArray[np.float64], size: int, sought: float) -> float:
    """The share of groups whose sum is at least what is sought.

    Args:
        every: shape (num_all,), any values.
        size: of a group, from 0 to all.
        sought: any sum.
    """
    ordered = np.sort(every)
    least, most = float(ordered[:size].sum()), float(ordered[len(every) - size :].sum())
    if sought <= least + _CLOSE:
        return 1.0
    if sought > most + _CLOSE:
        return 0.0
    rarest = math.exp(-_ways(len(every), size))
    if sought >= most - _CLOSE:
        return rarest
    spread = float(every.std())
    scaled = (every - every.mean()) / spread
    distance = (sought - size * float(every.mean())) / spread
    if distance < 0:
        return 1.0 - _share_beyond(-scaled, size, -distance)
    return max(rarest, _share_beyond(scaled, size, distance))


def _share_beyond(scaled: NDArray[np.float64], size: int, distance: float) -> float:
    """The share of groups whose sum is at least so large.

    Args:
        scaled: shape (num_all,), of mean 0 and variance 1.
        size: of a group.
        distance: the sum, at least 0.
    """
    total = len(scaled)
    start = math.log(size / (total - size))
    tilt, curvature = _minimum(scaled, size, distance, start)
    excess = _level(scaled, size, distance, np.array([start, 0.0])) - _level(
        scaled, size, distance, tilt
    )
    root = math.sqrt(max(0.0, 2.0 * excess))
    if root < 0.1:  # so near the middle the two terms cancel, and it is no rare thing
        return 0.5
    if curvature < _FLAT:
        return 0.0
    slope = float(tilt[1]) * math.sqrt(curvature * total / (size * (total - size)))
    density = math.exp(-0.5 * root**2) / math.sqrt(2.0 * math.pi)
    return min(0.5, float(ndtr(-root)) + density * (1.0 / slope - 1.0 / root))


def _minimum(
    scaled: NDArray[np.float64], size: int, distance: float, start: float
) -> tuple[NDArray[np.float64], float]:
    """Where K less its linear part is least, and the determinant of its curvature there."""
    tilt, determinant = np.array([start, 0.0]), 0.0
    for _ in range(_MOST_STEPS):
        shares = expit(tilt[0] + tilt[1] * scaled)
        gradient = np.array([shares.sum() - size, scaled @ shares - distance])
        weights = shares * (1.0 - shares)
        mixed = float(weights @ scaled)
        curved = np.array([[weights.sum(), mixed], [mixed, weights @ scaled**2]])
        determinant = float(curved[0, 0] * curved[1, 1] - mixed**2)
        if determinant < _FLAT or float(np.abs(gradient).max()) < _CLOSE * len(scaled):
            break
        step = np.linalg.solve(curved, gradient)
        here, factor = _level(scaled, size, distance, tilt), 1.0
        while factor > 1e-6 and _level(scaled, size, distance, tilt - factor * step) > here:
            factor /= 2.0
        tilt = tilt - factor * step
    return tilt, determinant


def _level(
    scaled: NDArray[np.float64], size: int, distance: float, tilt: NDArray[np.float64]
) -> float:
    """K less its linear part."""
    each = np.logaddexp(0.0, tilt[0] + tilt[1] * scaled)
    return float(each.sum() - tilt[0] * size - tilt[1] * distance)
