"""Which masks to ask next: those whose answers would tell the likeliest sets of features apart.

The answer to a mask is a coin whose bias each set predicts. What a batch tells of the set is taken
as in a Gaussian channel, ½ log det(1 + signal / noise): the signal is the covariance of the
predictions over the posterior, the noise the mean variance of the coins. The batch is built
greedily, one mask after the other, each against what those before it will have told.

What this module does not know: how the posterior came about, and when there is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spex_api.causes.kinds import subsets

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from spex_api.causes.evidence import Evidence

    Masks = NDArray[np.uint8]

__all__ = ["first_masks", "next_masks"]

_RATES = (0.5, 0.7, 0.85, 0.95)
"""Shares of features kept: a rule of many needed parts shows near the full prompt only, one of
redundant parts where much is gone."""

_NEAR_RATES = (0.8, 0.87, 0.95)

_EACH = 64
"""So many candidates are drawn at each rate."""

_LEADING = 24
"""Of so many sets each cell of the truth table is a candidate, all else kept."""


def first_masks(num_features: int, count: int, rng: Generator, *, near: bool = False) -> Masks:
    """Masks for a start, when nothing is known: the full one twice, the others at all rates.

    Args:
        num_features: of how many.
        count: how many masks.
        rng: draws them.
        near: whether they are to be near the full prompt.

    Returns:
        Shape (count, num_features).
    """
    rates = np.resize(np.array(_NEAR_RATES if near else _RATES), max(count - 2, 0))
    drawn = rng.random((len(rates), num_features)) < rates[:, None]
    full = np.ones((2, num_features), dtype=np.uint8)
    return np.concatenate([full, drawn.astype(np.uint8)])[:count]


def next_masks(evidence: Evidence, count: int, rng: Generator, *, near: bool = False) -> Masks:
    """The masks that should tell most.

    Args:
        evidence: what is suspected so far.
        count: how many masks are asked at once.
        rng: draws the candidates.
        near: whether only masks near the full prompt are worth anything.

    Returns:
        Shape (count, num_features); a mask may come twice.
    """
    candidates = _candidates(evidence, rng, _NEAR_RATES if near else _RATES)
    weights = np.array([each.weight for each in evidence.suspicions])
    weights /= weights.sum()
    shares = evidence.predict(candidates)
    noise = (shares * (1 - shares)) @ weights
    spread = (shares - (shares @ weights)[:, None]) * np.sqrt(weights)
    covariance = spread @ spread.T
    chosen = []
    for _ in range(count):
        best = int(np.argmax(np.diag(covariance) / noise))
        chosen.append(best)
        told = covariance[best]
        covariance = covariance - np.outer(told, told) / (told[best] + noise[best])
    return candidates[chosen]


def _candidates(evidence: Evidence, rng: Generator, shares: tuple[float, ...]) -> Masks:
    num_features = evidence.num_features
    rates = np.repeat(shares, _EACH)
    drawn = (rng.random((len(rates), num_features)) < rates[:, None]).astype(np.uint8)
    cells = dict.fromkeys(
        removed for each in evidence.suspicions[:_LEADING] for removed in subsets(each.features)
    )
    near = np.ones((len(cells), num_features), dtype=np.uint8)
    for mask, removed in zip(near, cells, strict=True):
        mask[list(removed)] = 0
    return np.concatenate([near, drawn])
