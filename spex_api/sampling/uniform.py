"""Distinct masks, each feature kept with probability one half.

Under uniform masks the characters are orthonormal, so every Fourier coefficient is a mean, and a
held-out R² on such masks is the share of the transform's energy that a surrogate explains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spex_api.errors import UsageError
from spex_api.samples import QueryPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["uniform_plan"]

_ENUMERABLE = 20
"""Up to this many features the cube is drawn from a permutation; beyond, repeats are rare."""


def uniform_plan(num_features: int, num_queries: int, *, seed: int) -> QueryPlan:
    """Distinct masks: first all kept, then all masked, then uniform ones without replacement.

    Args:
        num_features: how many features each mask has, at least 1.
        num_queries: how many masks to draw. Where the cube has fewer, all 2^n of them are drawn.
        seed: of `numpy.random.default_rng`. A plan is a prefix of the longer plan of its seed.

    Raises:
        UsageError: there is no feature, or no query.
    """
    if num_features < 1 or num_queries < 1:
        raise UsageError(
            f"A plan has at least one feature and one query, not {num_features} and {num_queries}."
        )
    rng = np.random.default_rng(seed)
    anchors = np.array([[1] * num_features, [0] * num_features], dtype=np.uint8)
    if num_features <= _ENUMERABLE:
        masks = _from_the_cube(num_features, num_queries, rng)
    else:
        masks = _by_rejection(num_features, num_queries, rng)
    return QueryPlan(np.concatenate([anchors, masks])[:num_queries])


def _from_the_cube(
    num_features: int, num_queries: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    inner = 1 + rng.permutation(2**num_features - 2)[:num_queries]
    return (inner[:, None] >> np.arange(num_features) & 1).astype(np.uint8)


def _by_rejection(
    num_features: int, num_queries: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    seen = {bytes(num_features), bytes([1] * num_features)}
    rows: list[NDArray[np.uint8]] = []
    while len(rows) < num_queries:
        row = rng.integers(0, 2, size=num_features, dtype=np.uint8)
        if row.tobytes() not in seen:
            seen.add(row.tobytes())
            rows.append(row)
    return np.array(rows, dtype=np.uint8)
