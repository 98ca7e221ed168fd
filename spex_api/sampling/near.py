"""Masks near the full prompt: one, two or three features removed.

What a user would try first, and what masks of one half hardly ever are. What this module does not
know: what they measure.
"""

from __future__ import annotations

from itertools import combinations, islice
from math import comb
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["MOST_REMOVED", "is_near", "near_masks"]

MOST_REMOVED = 3
_LISTED = 200_000
"""Up to this many sets of a size are listed and shuffled; of more, repeats are rare."""


def is_near(masks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which masks remove from one to three features: shape (num_masks,)."""
    removed: NDArray[np.int64] = masks.shape[1] - masks.sum(axis=1, dtype=np.int64)
    return np.isin(removed, range(1, MOST_REMOVED + 1))


def near_masks(asked: NDArray[np.uint8], count: int, *, seed: int) -> NDArray[np.uint8]:
    """Distinct masks that lack one, two or three features in turn, none of them asked already.

    Args:
        asked: shape (num_asked, num_features), uint8.
        count: how many to draw; where there are fewer, all of them. Where one size runs out, the
            others go on.
        seed: of `numpy.random.default_rng`. The draw is a prefix of the longer one of its seed.

    Returns:
        Shape (count, num_features), uint8; never the empty mask.
    """
    num_features = asked.shape[1]
    seen = {mask.tobytes() for mask in asked}
    streams = [
        _removals(num_features, size, np.random.default_rng([seed, size]), seen)
        for size in range(1, min(MOST_REMOVED, num_features - 1) + 1)
    ]
    rows = list(islice(_in_turn(streams), count))
    return np.array(rows, dtype=np.uint8).reshape(len(rows), num_features)


def _in_turn(streams: list[Iterator[NDArray[np.uint8]]]) -> Iterator[NDArray[np.uint8]]:
    while streams:
        going = []
        for stream in streams:
            row = next(stream, None)
            if row is not None:
                going.append(stream)
                yield row
        streams = going


def _removals(
    num_features: int, size: int, rng: np.random.Generator, seen: set[bytes]
) -> Iterator[NDArray[np.uint8]]:
    """Every mask without `size` features that was not seen, each once, in random order."""
    told: set[bytes] = set()
    for features in _sets(num_features, size, rng):
        row = np.ones(num_features, dtype=np.uint8)
        row[features] = 0
        key = row.tobytes()
        if key not in seen and key not in told:
            told.add(key)
            yield row


def _sets(num_features: int, size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    if comb(num_features, size) <= _LISTED:
        listed = list(combinations(range(num_features), size))
        for place in rng.permutation(len(listed)):
            yield list(listed[place])
        return
    for _ in range(comb(num_features, size)):
        yield rng.choice(num_features, size=size, replace=False).tolist()
