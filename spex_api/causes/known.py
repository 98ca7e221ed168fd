"""Answers under masks, whoever paid for them: what a search knows.

What this module does not know: what they speak for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from spex_api.claims import Arrangement

__all__ = ["Known", "lacking", "most_removed"]

_NEAR = 0.3
_NEAR_AT_LEAST = 4


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Answers that are known: they serve the search, and never the test.

    Attributes:
        masks: shape (num_answers, num_features), of 0 and 1; 1 = kept.
        holds: shape (num_answers,), of 0 and 1: whether the outcome holds of the answer.
    """

    masks: NDArray[np.uint8]
    holds: NDArray[np.uint8]

    def __post_init__(self) -> None:
        for name in ("masks", "holds"):
            array = np.array(getattr(self, name))
            if not np.isin(array, (0, 1)).all():
                raise UsageError(
                    f"Known {name} are 0 or 1, and others were given.",
                    advice="Leave out the answers that cannot be told.",
                )
            array = array.astype(np.uint8)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if self.masks.ndim != 2 or self.holds.shape != self.masks.shape[:1]:
            raise UsageError(
                f"Known masks of shape {self.masks.shape} do not go with outcomes of shape "
                f"{self.holds.shape}: a row a mask, and one outcome for each, are expected."
            )

    def __len__(self) -> int:
        return len(self.holds)

    @classmethod
    def nothing(cls, num_features: int) -> Known:
        """No answer yet."""
        return cls(np.empty((0, num_features), dtype=np.uint8), np.empty(0, dtype=np.uint8))

    @property
    def num_features(self) -> int:
        """How many features a mask has."""
        return int(self.masks.shape[1])

    def joined(self, told: Iterable[tuple[Arrangement, bool | None]]) -> Known:
        """These answers and others; not those that cannot be told, or of what was moved."""
        serving = [each for each in told if each[1] is not None and not each[0].moved]
        masks = lacking([each.removed for each, _ in serving], self.num_features)
        holds = np.array([holds for _, holds in serving], dtype=np.uint8)
        return Known(np.concatenate([self.masks, masks]), np.concatenate([self.holds, holds]))

    def parted(self) -> tuple[Known, Known]:
        """Those near the full prompt, and the others."""
        removed = self.num_features - self.masks.sum(axis=1, dtype=np.int64)
        near = removed <= most_removed(self.num_features)
        here, there = (Known(self.masks[rows], self.holds[rows]) for rows in (near, ~near))
        return here, there


def most_removed(num_features: int) -> int:
    """So many features may be missing near the full prompt: three in ten, or four."""
    return max(_NEAR_AT_LEAST, int(_NEAR * num_features))


def lacking(removals: Sequence[tuple[int, ...]], num_features: int) -> NDArray[np.uint8]:
    """Masks without some features: shape (num_removals, num_features), 1 = kept."""
    masks = np.ones((len(removals), num_features), dtype=np.uint8)
    for mask, removed in zip(masks, removals, strict=True):
        mask[list(removed)] = 0
    return masks
