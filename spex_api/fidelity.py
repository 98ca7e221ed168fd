"""How faithful a surrogate is to the model, on masks that its fit has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spex_api.errors import UsageError
from spex_api.indices import LEVEL

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Faithfulness", "held_out_faithfulness", "r_squared"]

_RESAMPLES = 2000


def r_squared(values: ArrayLike, predictions: ArrayLike) -> float:
    """`R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²`, the share of the variance that is explained.

    Args:
        values: shape (num_masks,), what the model gave.
        predictions: shape (num_masks,), what the surrogate says.

    Returns:
        1 for a perfect surrogate, 0 for one as good as the mean, below 0 for a worse one; NaN where
        the values do not vary.

    Raises:
        UsageError: the shapes disagree, or there is nothing to compare.
    """
    y = np.asarray(values, dtype=np.float64)
    predicted = np.asarray(predictions, dtype=np.float64)
    if y.ndim != 1 or y.shape != predicted.shape or not len(y):
        raise UsageError(
            f"R² compares two columns of one length, not shapes {y.shape} and {predicted.shape}."
        )
    spread = np.sum((y - y.mean()) ** 2)
    if spread <= np.finfo(np.float64).eps * max(1.0, float(np.sum(y**2))):
        return float("nan")
    return float(1.0 - np.sum((y - predicted) ** 2) / spread)


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Held-out R² with its interval.

    Attributes:
        value: R² on the held-out masks.
        low: the lower end of the 90 % interval.
        high: the upper end.
        num_masks: how many masks were held out.
        additive: R² of a ridge fit of single features to the same samples, on the same masks: what
            a method that knows no interactions reaches.
        exhaustive: whether these are all masks that there are. Then none was held out, and R² is no
            estimate.
    """

    value: float
    low: float
    high: float
    num_masks: int
    additive: float
    exhaustive: bool = False

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def held_out_faithfulness(
    values: NDArray[np.float64],
    predictions: NDArray[np.float64],
    *,
    additive: NDArray[np.float64],
    seed: int,
    exhaustive: bool = False,
) -> Faithfulness:
    """R² on held-out masks, with the percentile bootstrap's interval over the masks.

    Args:
        values: shape (num_masks,), what the model gave on masks that no fit has seen.
        predictions: shape (num_masks,), what the surrogate says of them.
        additive: shape (num_masks,), what the additive fit says of them.
        seed: of the bootstrap.
        exhaustive: whether these are all masks that there are, so that nothing is estimated.

    Raises:
        UsageError: the shapes disagree, or there is nothing to compare.
    """
    point = r_squared(values, predictions)
    if exhaustive:
        return Faithfulness(
            point, point, point, len(values), r_squared(values, additive), exhaustive
        )
    rows = np.random.default_rng(seed).integers(0, len(values), size=(_RESAMPLES, len(values)))
    drawn, errors = values[rows], ((values - predictions) ** 2)[rows]
    spread = np.sum((drawn - drawn.mean(axis=1, keepdims=True)) ** 2, axis=1)
    varied = spread > 0
    low = high = point
    if np.isfinite(point) and varied.any():
        resampled = 1.0 - errors.sum(axis=1)[varied] / spread[varied]
        tail = 50 * (1 - LEVEL)
        low, high = (float(end) for end in np.percentile(resampled, [tail, 100 - tail]))
    return Faithfulness(point, low, high, len(values), r_squared(values, additive))
