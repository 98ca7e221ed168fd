"""Distinct masks that keep each feature with one probability: one half, or more where asked.

Under masks of one half the characters are orthonormal, so every Fourier coefficient is a mean, and
a held-out R² on such masks is the share of the transform's energy that a surrogate explains. With
`keep` near 1 the masks stand near the full prompt, and R² is the share of the variation there.

Without replacement: each mask in turn is drawn from those that are left, in proportion to
`keep^kept (1 − keep)^masked`. What this module does not know: decoders.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from spex_api.errors import UsageError
from spex_api.samples import QueryPlan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["HALF", "check_keep", "fresh_masks", "uniform_plan"]

HALF = 0.5
_MOST_KEPT = 0.95
_ENUMERABLE = 20
"""Up to this many features the cube is drawn from a permutation; beyond, repeats are rare."""


def check_keep(keep: float) -> None:
    """Lets pass a probability from 0.5 to 0.95.

    Raises:
        UsageError: it is another number.
    """
    if not HALF <= keep <= _MOST_KEPT:
        raise UsageError(
            f"Features are kept with a probability from {HALF} to {_MOST_KEPT}, not {keep}: below, "
            "hardly anything of the prompt is left, and above, hardly any mask differs from it.",
            advice="Take keep=0.5 for interactions in general, keep=0.9 for those near the prompt.",
        )


def uniform_plan(
    num_features: int, num_queries: int, *, seed: int, keep: float = HALF
) -> QueryPlan:
    """Distinct masks: first all kept, then all masked, then random ones without replacement.

    Args:
        num_features: how many features each mask has, at least 1.
        num_queries: how many masks to draw. Where the cube has fewer, all 2^n of them are drawn.
        seed: of `numpy.random.default_rng`. A plan is a prefix of the longer plan of its seed.
        keep: the probability with which each feature is kept, from 0.5 to 0.95.

    Raises:
        UsageError: there is no feature, or no query, or `keep` is out of its range.
    """
    if num_features < 1 or num_queries < 1:
        raise UsageError(
            f"A plan has at least one feature and one query, not {num_features} and {num_queries}."
        )
    check_keep(keep)
    rng = np.random.default_rng(seed)
    anchors = np.array([[1] * num_features, [0] * num_features], dtype=np.uint8)
    if num_features <= _ENUMERABLE:
        masks = _from_the_cube(num_features, num_queries, rng, keep)
    else:
        masks = _one_by_one(num_features, num_queries, rng, _anchor_bytes(num_features), keep)
    return QueryPlan(np.concatenate([anchors, masks])[:num_queries], keep=keep)


def fresh_masks(
    asked: NDArray[np.uint8], count: int, *, seed: int, keep: float = HALF
) -> NDArray[np.uint8]:
    """Distinct random masks that are not among those asked already; the two anchors are neither.

    Args:
        asked: shape (num_asked, num_features), uint8.
        count: how many to draw. Where the cube has fewer left, all that are left are drawn.
        seed: of `numpy.random.default_rng`.
        keep: the probability with which each feature is kept, from 0.5 to 0.95.

    Returns:
        Shape (count, num_features), uint8.

    Raises:
        UsageError: `keep` is out of its range.
    """
    check_keep(keep)
    seen = {mask.tobytes() for mask in asked} | _anchor_bytes(asked.shape[1])
    rng = np.random.default_rng(seed)
    if asked.shape[1] > _ENUMERABLE:
        return _one_by_one(asked.shape[1], count, rng, seen, keep)
    drawn = _from_the_cube(asked.shape[1], len(asked) + count, rng, keep)
    fresh = [place for place, mask in enumerate(drawn) if mask.tobytes() not in seen]
    return drawn[fresh[:count]]


def _anchor_bytes(num_features: int) -> set[bytes]:
    return {bytes(num_features), bytes([1] * num_features)}


def _from_the_cube(
    num_features: int, num_queries: int, rng: np.random.Generator, keep: float
) -> NDArray[np.uint8]:
    if keep == HALF:
        inner = 1 + rng.permutation(2**num_features - 2)[:num_queries]
    else:
        # The order of exponential arrival times, each at the rate of its mask's probability, is
        # that of draws without replacement (Gumbel's trick).
        kept = np.bitwise_count(np.arange(1, 2**num_features - 1, dtype=np.uint32))
        arrivals = np.log(rng.exponential(size=len(kept))) - kept * math.log(keep / (1 - keep))
        inner = 1 + np.argsort(arrivals, kind="stable")[:num_queries]
    return (inner[:, None] >> np.arange(num_features) & 1).astype(np.uint8)


def _one_by_one(
    num_features: int, num_queries: int, rng: np.random.Generator, seen: set[bytes], keep: float
) -> NDArray[np.uint8]:
    if keep == HALF:
        return _by_rejection(num_features, num_queries, rng, seen)
    return _by_size(num_features, num_queries, rng, seen, keep)


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


def _by_size(
    num_features: int, num_queries: int, rng: np.random.Generator, seen: set[bytes], keep: float
) -> NDArray[np.uint8]:
    """Draws how many features are masked, by the probability that is left there, then which.

    All masks of one size are equally likely, so the draw is exact; and however often the few likely
    masks have been drawn, none is drawn for nothing.
    """
    seen = set(seen)
    sizes = _Sizes(num_features, keep, (num_features - sum(key) for key in seen))
    rows = np.ones((num_queries, num_features), dtype=np.uint8)
    for row in rows:
        masked = sizes.draw(rng)
        while True:
            row[:] = 1
            row[rng.choice(num_features, size=masked, replace=False, shuffle=False)] = 0
            if row.tobytes() not in seen:
                break
        seen.add(row.tobytes())
    return rows


class _Sizes:
    """How many features to mask: the binomial law, less what has been drawn."""

    def __init__(self, num_features: int, keep: float, drawn: Iterable[int]) -> None:
        self._counts = [math.comb(num_features, size) for size in range(num_features + 1)]
        self._left = list(self._counts)
        self._law = np.array(
            [
                math.exp(
                    math.log(count)
                    + (num_features - size) * math.log(keep)
                    + size * math.log(1 - keep)
                )
                for size, count in enumerate(self._counts)
            ]
        )
        self._mass = self._law.copy()
        for size, times in Counter(drawn).items():
            self._take(size, times)

    def draw(self, rng: np.random.Generator) -> int:
        """A size, whose masks are then one fewer."""
        cumulated = np.cumsum(self._mass)
        size = int(np.searchsorted(cumulated, rng.random() * cumulated[-1], side="right"))
        self._take(size, 1)
        return size

    def _take(self, size: int, times: int) -> None:
        self._left[size] -= times
        # Whole numbers, however large: their ratio is a float at the end.
        self._mass[size] = self._law[size] * (self._left[size] / self._counts[size])
