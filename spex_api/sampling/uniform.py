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

__all__ = ["fresh_masks", "uniform_plan"]

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
        masks = _by_rejection(num_features, num_queries, rng, _anchor_bytes(num_features))
    return QueryPlan(np.concatenate([anchors, masks])[:num_queries])


def fresh_masks(asked: NDArray[np.uint8], count: int, *, seed: int) -> NDArray[np.uint8]:
    """Distinct uniform masks that are not among those asked already; the two anchors are neither.

    Args:
        asked: shape (num_asked, num_features), uint8.
        count: how many to draw. Where the cube has fewer left, all that are left are drawn.
        seed: of `numpy.random.default_rng`.

    Returns:
        Shape (count, num_features), uint8.
    """
    seen = {mask.tobytes() for mask in asked} | _anchor_bytes(asked.shape[1])
    rng = np.random.default_rng(seed)
    if asked.shape[1] > _ENUMERABLE:
        return _by_rejection(asked.shape[1], count, rng, seen)
    drawn = _from_the_cube(asked.shape[1], len(asked) + count, rng)
    fresh = [place for place, mask in enumerate(drawn) if mask.tobytes() not in seen]
    return drawn[fresh[:count]]


def _anchor_bytes(num_features: int) -> set[bytes]:
    return {bytes(num_features), bytes([1] * num_features)}


def _from_the_cube(
    num_features: int, num_queries: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    inner = 1 + rng.permutation(2**num_features - 2)[:num_queries]
    return (inner[:, None] >> np.arange(num_features) & 1).astype(np.uint8)


def _by_rejection(
    num_features: int, num_queries: int, rng: np.random.Generator, seen: set[bytes]
) -> NDArray[np.uint8]:
    seen = set(seen)
    rows = np.empty((num_queries, num_features), dtype=np.uint8)
    place = 0
    while place < num_queries:
        rows[place] = rng.integers(0, 2, size=num_features, dtype=np.uint8)
        key = rows[place].tobytes()
        if key not in seen:
            seen.add(key)
            place += 1
    return rows
