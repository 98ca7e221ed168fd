"""The only words that querying and decoding share: a plan of masks, and masks with their values.

A *mask* has one entry a feature: 1 keeps the feature, 0 masks it. Arrays here are read-only.
What this module does not know: prompts, models, and what a value means.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from spex_api.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Aliasing", "Draws", "QueryPlan", "Samples", "as_masks"]

_LARGEST = 1e150
"""The square of a larger number is infinite."""

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
    if array.dtype != np.bool_ and not ((array == 0) | (array == 1)).all():
        raise UsageError("Masks hold only 0 (masked) and 1 (kept).")
    return _read_only(array.astype(np.uint8))


def _read_only(array: NDArray[_Number]) -> NDArray[_Number]:
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True, eq=False)
class Aliasing:
    """The code behind coded masks: group c asks `M_c l + d_p` over GF(2) for all points l.

    Attributes:
        matrices: shape (num_groups, num_features, sparsity_exponent), uint8, the M_c.
        delays: shape (num_delays, num_features), uint8, the d_p; the first is zero, the others are
            the rows of a BCH parity check.
        degree: of how many features the code tells every support.
    """

    matrices: NDArray[np.uint8]
    delays: NDArray[np.uint8]
    degree: int

    def __post_init__(self) -> None:
        matrices = np.array(self.matrices, dtype=np.uint8)
        object.__setattr__(self, "matrices", _read_only(matrices))
        object.__setattr__(self, "delays", as_masks(self.delays, num_features=matrices.shape[1]))

    @property
    def num_features(self) -> int:
        """How many features each mask has."""
        return int(self.delays.shape[1])

    @property
    def sparsity_exponent(self) -> int:
        """b: each group has 2^b points, and so 2^b bins."""
        return int(self.matrices.shape[2])


@dataclass(frozen=True, slots=True, eq=False)
class QueryPlan:
    """Which masks to ask, in which order.

    Attributes:
        masks: shape (num_queries, num_features), uint8, 1 = kept.
        design: how the masks were drawn, in the words of `spex_api.sampling`.
        aliasing: the code behind them, where there is one.
        keep: the probability with which the masks kept each feature: the reference measure of the
            p-biased basis.
    """

    masks: NDArray[np.uint8]
    design: str = "uniform"
    aliasing: Aliasing | None = None
    keep: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "masks", as_masks(self.masks))
        _check_keep(self.keep)

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def num_features(self) -> int:
        """How many features each mask has."""
        return int(self.masks.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """How often sampled answers hit, where values are log-odds of shares.

    Attributes:
        hits: shape (num_samples,), float64, how many of a mask's answers hit.
        trials: shape (num_samples,), float64, how many there were, at least one.
    """

    hits: NDArray[np.float64]
    trials: NDArray[np.float64]

    def __post_init__(self) -> None:
        hits = _as_column("hits", self.hits, len(self.hits))
        trials = _as_column("trials", self.trials, len(self.hits))
        if (hits < 0).any() or (hits > trials).any() or (trials < 1).any():
            raise UsageError("Of each mask's draws, one at least, none to all hit.")
        object.__setattr__(self, "hits", hits)
        object.__setattr__(self, "trials", trials)

    def __len__(self) -> int:
        return len(self.hits)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Draws:
        """Those of these masks."""
        return Draws(self.hits[rows], self.trials[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Masks and the value that the model gave under each.

    Attributes:
        masks: shape (num_samples, num_features), uint8, 1 = kept.
        values: shape (num_samples,), float64, in the score's unit.
        variances: shape (num_samples,), the known sampling variance of each value (zero where a
            value is exact), or None where every value is exact.
        ordered: whether neighbouring features are neighbours in the text.
        aliasing: the code behind the masks, where there is one. It says nothing of rows: the masks
            may stand in any order, some may be missing, and others be among them.
        keep: the probability with which the masks kept each feature: the reference measure of the
            p-biased basis.
        draws: where the values are log-odds of shares of sampled answers: the counts behind them,
            one a sample.
    """

    masks: NDArray[np.uint8]
    values: NDArray[np.float64]
    variances: NDArray[np.float64] | None = None
    ordered: bool = False
    aliasing: Aliasing | None = None
    keep: float = 0.5
    draws: Draws | None = None

    def __post_init__(self) -> None:
        masks = as_masks(self.masks)
        object.__setattr__(self, "masks", masks)
        object.__setattr__(self, "values", _as_column("values", self.values, len(masks)))
        if self.variances is not None:
            variances = _as_column("variances", self.variances, len(masks))
            if (variances < 0).any():
                raise UsageError("Variances are not negative.")
            object.__setattr__(self, "variances", variances)
        if self.draws is not None and len(self.draws) != len(masks):
            raise UsageError(f"There are {len(masks)} masks, but draws for {len(self.draws)}.")
        _check_keep(self.keep)

    @classmethod
    def from_arrays(
        cls,
        masks: ArrayLike,
        values: ArrayLike,
        variances: ArrayLike | None = None,
        *,
        ordered: bool = False,
        keep: float = 0.5,
        draws: Draws | None = None,
    ) -> Samples:
        """Samples from anything that NumPy can read.

        Args:
            masks: shape (num_samples, num_features), of 0 and 1; 1 = kept.
            values: shape (num_samples,).
            variances: shape (num_samples,), where values were sampled.
            ordered: whether neighbouring features are neighbours in the text.
            keep: the probability with which the masks kept each feature.
            draws: the counts behind the values, where these are log-odds of shares.

        Raises:
            UsageError: shapes disagree, a mask is not of 0 and 1, a number is not finite, or `keep`
                is no probability between 0 and 1.
        """
        return cls(
            masks=np.asarray(masks),
            values=np.asarray(values, dtype=np.float64),
            variances=None if variances is None else np.asarray(variances, dtype=np.float64),
            ordered=ordered,
            keep=keep,
            draws=draws,
        )

    @classmethod
    def from_plan(
        cls,
        plan: QueryPlan,
        values: ArrayLike,
        variances: ArrayLike | None = None,
        *,
        ordered: bool = False,
        draws: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> Samples:
        """The plan's masks with the values that they got, in the plan's order.

        A value that is NaN is a hole: a mask that got no answer. It is left out.

        Args:
            plan: which masks were asked.
            values: shape (num_queries,).
            variances: shape (num_queries,), where values were sampled.
            ordered: whether neighbouring features are neighbours in the text.
            draws: hits and trials, shape (num_queries,) each, where the values are log-odds of
                shares.

        Raises:
            UsageError: as for `from_arrays`.
        """
        column = np.asarray(values, dtype=np.float64)
        given = None if variances is None else np.asarray(variances, dtype=np.float64)
        for name, each in (("values", column), ("variances", given)):
            if each is not None and each.shape != (len(plan),):
                raise UsageError(
                    f"The plan has {len(plan)} masks, but the {name} have the shape {each.shape}: "
                    "one number a mask is expected, and NaN where there is no answer."
                )
        answered = ~np.isnan(column)
        if given is not None:
            given = given[answered]
        counts = None
        if draws is not None:
            hits, trials = (np.asarray(each, dtype=np.float64)[answered] for each in draws)
            counts = Draws(hits, trials)
        return cls(
            plan.masks[answered],
            column[answered],
            given,
            ordered,
            plan.aliasing,
            plan.keep,
            counts,
        )

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
        return replace(
            self,
            masks=self.masks[chosen],
            values=self.values[chosen],
            variances=variances,
            draws=None if self.draws is None else self.draws.take(chosen),
        )


def _check_keep(keep: float) -> None:
    if not 0 < keep < 1:
        raise UsageError(
            f"Masks keep each feature with a probability between 0 and 1, not {keep}.",
            advice="Leave keep out for masks that keep half of the features.",
        )


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
    if len(column) and np.max(np.abs(column)) > _LARGEST:
        raise UsageError(
            f"The {name} go up to {np.max(np.abs(column)):.0e}, which cannot be squared.",
            advice="Give them in a larger unit.",
        )
    return _read_only(column)
