"""The functions that decoders are compared on, the noise on them, and how an answer is scored.

What this module does not know: any decoder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spex_api.samples import as_masks
from spex_api.transforms import FourierTransform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from spex_api.transforms import Support

__all__ = ["Noisy", "Score", "read_transforms", "score"]

_EXACT = 1e-8
"""So near must each value of an exact recovery be."""


class Noisy:
    """A function whose every value has noise, the same whenever its mask is asked again.

    A model's answers are cached, so that a mask has one answer; decoders that repeat a mask get no
    second draw. `rows` holds what was asked, in that order.
    """

    def __init__(self, function: FourierTransform, *, noise: float, seed: int) -> None:
        """Takes the noise's energy as a share of the function's own, and a seed."""
        self.function = function
        self.deviation = float(np.sqrt(noise * function.energy))
        self.rows: dict[bytes, tuple[NDArray[np.uint8], float]] = {}
        self._rng = np.random.default_rng([seed, 7])

    def __call__(self, masks: ArrayLike) -> NDArray[np.float64]:
        """The noisy values, shape (num_masks,), of masks (num_masks, num_features) of 0 and 1."""
        rows = as_masks(masks)
        values = self.function(rows)
        for place, row in enumerate(rows):
            key = row.tobytes()
            if key not in self.rows:
                noisy = float(values[place] + self.deviation * self._rng.standard_normal())
                self.rows[key] = (row, noisy)
            values[place] = self.rows[key][1]
        return values


@dataclass(frozen=True, slots=True)
class Score:
    """How near a recovered transform is to the clean one.

    Attributes:
        r_squared: over all 2^n masks: `1 − Σ_{S≠∅} (F[S] − F̂[S])² / Σ_{S≠∅} F[S]²`.
        recall: the share of the supports that were found, the constant's not counted.
        exact: whether the supports are the same, and each value to 1e-8.
    """

    r_squared: float
    recall: float
    exact: bool


def score(found: Mapping[Support, float], planted: FourierTransform) -> Score:
    """Compares coefficients; no mask is drawn, since characters are orthonormal on the cube."""
    supports = set(planted) | set(found)
    errors = {key: found.get(key, 0.0) - planted.get(key, 0.0) for key in supports}
    wrong = sum(error**2 for support, error in errors.items() if support)
    parts = set(planted) - {()}
    return Score(
        r_squared=1.0 - wrong / planted.energy,
        recall=len(parts & set(found)) / len(parts),
        exact=set(found) == set(planted) and max(map(abs, errors.values())) <= _EXACT,
    )


def read_transforms(folder: str) -> dict[str, FourierTransform]:
    """Every `*.json` of a folder, by name: an object of bitstrings (character i is feature i)."""
    transforms = {}
    for path in sorted(Path(folder).glob("*.json")):
        listed: dict[str, float] = json.loads(path.read_text())
        terms = {
            tuple(i for i, bit in enumerate(bits) if bit == "1"): value
            for bits, value in listed.items()
        }
        transforms[path.stem] = FourierTransform(terms, len(next(iter(listed))))
    return transforms
