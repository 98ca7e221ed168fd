"""Recorded values of a real model, split into what is trained on and what is held out.

What this module does not know: any decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spex_api.samples import Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RECORDED", "Recording", "base_sizes", "read_recording"]

RECORDED = Path(__file__).parents[1] / "tests" / "data" / "recorded"
_HELD_OUT = 500
_HELD_OUT_OF_FEW = 300
_FEW = 1100
_MULTIPLES = (1, 2, 3)


def base_sizes(name: str) -> tuple[int, ...]:
    """The N of a table, by the last word of its name: words are many, and take more queries."""
    return (250, 500, 1000) if name.endswith("_words") else (100, 200, 400)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A table of masks and values, whose last rows no fit sees.

    Attributes:
        name: of its file.
        masks: shape (num_masks, num_features), uint8, uniform and in no order.
        values: shape (num_masks,).
    """

    name: str
    masks: NDArray[np.uint8]
    values: NDArray[np.float64]

    @property
    def num_features(self) -> int:
        """How many features each mask has."""
        return int(self.masks.shape[1])

    @property
    def _num_held_out(self) -> int:
        return _HELD_OUT_OF_FEW if len(self.values) <= _FEW else _HELD_OUT

    @property
    def sizes(self) -> tuple[int, ...]:
        """Every N, 2N and 3N that there are rows for, ascending."""
        pool = len(self.values) - self._num_held_out
        sizes = {times * size for size in base_sizes(self.name) for times in _MULTIPLES}
        return tuple(sorted(size for size in sizes if size <= pool))

    def training(self, size: int, *, subset: int) -> Samples:
        """As many rows of the pool, under the subset's seed: a prefix of every larger size's.

        The features of a prompt are in the order of its text, and the samples say so.
        """
        pool = len(self.values) - self._num_held_out
        rows = np.random.default_rng(subset).permutation(pool)[:size]
        return Samples.from_arrays(self.masks[rows], self.values[rows], ordered=True)

    def held_out(self) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """The masks and values that no fit sees, the same for every subset."""
        return self.masks[-self._num_held_out :], self.values[-self._num_held_out :]


def read_recording(path: Path) -> Recording:
    """A table from an `.npz` of `masks` and `values`, named as its file."""
    with np.load(path) as file:
        return Recording(path.stem, file["masks"], file["values"])
