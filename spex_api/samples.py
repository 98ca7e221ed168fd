"""The only words that querying and decoding share: a plan of masks, and masks with their values.

A *mask* has one entry a feature: 1 keeps the feature, 0 masks it. Arrays here are read-only.
What this module does not know: prompts, models, and what a value means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from spex_api.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["QueryPlan", "Samples", "as_masks"]

_Number = TypeVar("_Number", bound=np.generic)


def as_masks(masks: ArrayLike, *, num_features: int | None = None) -> NDArray[np.uint8]:
    """Checks masks and returns them as a read-only array of 0 and 1.

    Args:
        masks: shape (num_masks, num_features), of bool or of numbers that are 0 or 1.
        num_features: the width that is required, where there is one.

    Raises:
        UsageError: the array is not two-dimensional, has no feature or another number of
            features, or holds something else than 0 and 1.
    """
    array = np.asarray(masks)
    if array.ndim != 2 or array.shape[1] == 0:
        raise UsageError(
            f"Masks have the shape (num_masks, num_features), but these have {array.shape}.",
            advice="Give one row a query and one column a feature.",
        )
    if num_features is not None and array.shape[1] != num_features:
        raise UsageError(
            f"These masks have {array.shape[1]} features; {num_features} are expected."
        )
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise UsageError("Masks hold only 0 (masked) and 1 (kept).")
    return _read_only(array.astype(np.uint8))


def _read_only(array: NDArray[_Number]) -> NDArray[_Number]:
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True, eq=False)
class QueryPlan:
    """Which masks to ask, in which order.

    Attributes:
        masks: shape (num_queries, num_features), uint8, 1 = kept.
        design: how the masks were drawn, in the words of `spex_api.sampling`.
    """

    masks: NDArray[np.uint8]
    design: str = "uniform"

    def __post_init__(self) -> None:
        object.__setattr__(self, "masks", as_masks(self.masks))

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def num_features(self) -> int:
        """How many features each mask has."""
        return int(self.masks.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Masks and the value that the model gave under each.

    Attributes:
        masks: shape (num_samples, num_features), uint8, 1 = kept.
        values: shape (num_samples,), float64, in the score's unit.
        variances: shape (num_samples,), the known sampling variance of each value (zero where a
            value is exact), or None where every value is exact.
        ordered: whether neighbouring features are neighbours in the text.
    """

    masks: NDArray[np.uint8]
    values: NDArray[np.float64]
    variances: NDArray[np.float64] | None = None
    ordered: bool = False

    def __post_init__(self) -> None:
        masks = as_masks(self.masks)
        object.__setattr__(self, "masks", masks)
        object.__setattr__(self, "values", _as_column("values", self.values, len(masks)))
        if self.variances is not None:
            variances = _as_column("variances", self.variances, len(masks))
            if (variances < 0).any():
                raise UsageError("Variances are not negative.")
            object.__setattr__(self, "variances", variances)

    @classmethod
    def from_arrays(
        cls,
        masks: ArrayLike,
        values: ArrayLike,
        variances: ArrayLike | None = None,
        *,
        ordered: bool = False,
    ) -> Samples:
        """Samples from anything that NumPy can read.

        Args:
            masks: shape (num_samples, num_features), of 0 and 1; 1 = kept.
            values: shape (num_samples,).
            variances: shape (num_samples,), where values were sampled.
            ordered: whether neighbouring features are neighbours in the text.

        Raises:
            UsageError: shapes disagree, a mask is not of 0 and 1, or a number is not finite.
        """
        return cls(
            masks=np.asarray(masks),
            values=np.asarray(values, dtype=np.float64),
            variances=None if variances is None else np.asarray(variances, dtype=np.float64),
            ordered=ordered,
        )

    @classmethod
    def from_plan(
        cls,
        plan: QueryPlan,
        values: ArrayLike,
        variances: ArrayLike | None = None,
        *,
        ordered: bool = False,
    ) -> Samples:
        """The plan's masks with the values that they got, in the plan's order.

        Raises:
            UsageError: as for `from_arrays`.
        """
        return cls.from_arrays(plan.masks, values, variances, ordered=ordered)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def num_features(self) -> int:
        """How many features each mask has."""
        return int(self.masks.shape[1])

    @property
    def signs(self) -> NDArray[np.float64]:
        """`(−1)^m`, shape (num_samples, num_features): −1 where a feature is kept."""
        return 1.0 - 2.0 * self.masks.astype(np.float64)

    def take(self, rows: ArrayLike) -> Samples:
        """The samples at these rows (indices or a boolean array), in that order."""
        chosen = np.asarray(rows)
        variances = None if self.variances is None else self.variances[chosen]
        return Samples(self.masks[chosen], self.values[chosen], variances, self.ordered)


def _as_column(name: str, numbers: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    column = np.array(numbers, dtype=np.float64)
    if column.shape != (length,):
        raise UsageError(
            f"There are {length} masks, but {name} have the shape {column.shape}: "
            "one number a mask is expected."
        )
    if not np.isfinite(column).all():
        position = int(np.flatnonzero(~np.isfinite(column))[0])
        raise UsageError(
            f"Every one of the {name} is a finite number, but number {position} is "
            f"{column[position]}.",
            advice="Leave out the masks that got no answer.",
        )
    return _read_only(column)
