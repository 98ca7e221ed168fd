"""How faithful a surrogate is to the model: on unseen masks, near the full prompt, in its sets.

What this module does not know: how a surrogate was fitted, what a function costs that it calls, and
how a set of features is found (`feature_sets`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from spex_api.errors import UsageError
from spex_api.feature_sets import FeatureSet, removal_set
from spex_api.indices import LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from spex_api.transforms import FourierTransform, MobiusTransform, Support

__all__ = [
    "Checkpoint",
    "Faithfulness",
    "RemovalCurve",
    "ceiling_of_shares",
    "held_out_faithfulness",
    "r_squared",
    "recovery_rate",
    "removal_curve",
    "within_reach",
]

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
        exhaustive: whether these are all masks that have a value. Then none was held out, and R² is
            no estimate.
        ceiling: R² of the truth itself on the same masks, whose values are shares of few sampled
            answers, as far as the draws tell; None where the values are no such shares.
        within: nine in ten values of unseen masks lie within this of what the surrogate says of
            them (see `within_reach`), in the unit of the values; None where too few were held out.
        of_shares: whether the values, and so R² and `within`, are shares of sampled answers, where
            the surrogate itself gives log-odds.
    """

    value: float
    low: float
    high: float
    num_masks: int
    additive: float
    exhaustive: bool = False
    ceiling: float | None = None
    within: float | None = None
    of_shares: bool = False

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How faithful a decoder is from so many of the samples.

    Attributes:
        num_samples: how many the fit has seen: the first of them.
        faithfulness: on the masks on which that of all samples is measured.
    """

    num_samples: int
    faithfulness: Faithfulness


def within_reach(values: NDArray[np.float64], predictions: NDArray[np.float64]) -> float | None:
    """The half-width of a split-conformal interval around a prediction, at 90 %.

    The `⌈0.9 (n + 1)⌉`-th smallest of the n errors `|y − ŷ|` on masks that no fit has seen: a
    further mask of the same distribution lies within it of its prediction with a probability of at
    least 0.9 (Vovk, Gammerman and Shafer 2005; Lei et al. 2018, Theorem 2.2).

    Args:
        values: shape (num_masks,), what the model gave on masks that no fit has seen.
        predictions: shape (num_masks,), what the surrogate says of them.

    Returns:
        In the unit of the values; None below nine masks, which promise nothing.
    """
    rank = ceil(LEVEL * (len(values) + 1))
    if rank > len(values):
        return None
    return float(np.sort(np.abs(values - predictions))[rank - 1])


def ceiling_of_shares(hits: NDArray[np.float64], trials: NDArray[np.float64]) -> float | None:
    """`1 − mean(ȳ(1 − ȳ)/(k − 1)) / var(ȳ)` of shares ȳ of k draws: the R² of the true shares.

    The subtrahend is the mean of unbiased estimates of the shares' own variances, over the variance
    that is seen: the reliability of classical test theory.

    Args:
        hits: shape (num_masks,), how many draws hit under each mask.
        trials: shape (num_masks,), of how many.

    Returns:
        From 0 to 1; None where a share is of a single draw, whose variance nothing tells, or all
        shares are equal.

    Raises:
        Nothing: the counts are samples' own.
    """
    shares = hits / trials
    if not len(shares) or trials.min() < 2 or not shares.var():
        return None
    noise = np.mean(shares * (1.0 - shares) / (trials - 1.0))
    return float(np.clip(1.0 - noise / shares.var(), 0.0, 1.0))


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
    point, within = r_squared(values, predictions), within_reach(values, predictions)
    if exhaustive:
        alone = r_squared(values, additive)
        return Faithfulness(point, point, point, len(values), alone, exhaustive, within=within)
    rows = np.random.default_rng(seed).integers(0, len(values), size=(_RESAMPLES, len(values)))
    drawn, errors = values[rows], ((values - predictions) ** 2)[rows]
    spread = np.sum((drawn - drawn.mean(axis=1, keepdims=True)) ** 2, axis=1)
    varied = spread > 0
    low = high = point
    if np.isfinite(point) and varied.any():
        resampled = 1.0 - errors.sum(axis=1)[varied] / spread[varied]
        tail = 50 * (1 - LEVEL)
        low, high = (float(end) for end in np.percentile(resampled, [tail, 100 - tail]))
    return Faithfulness(point, low, high, len(values), r_squared(values, additive), within=within)


@dataclass(frozen=True, slots=True)
class RemovalCurve:
    """How much the removal of a few features moves the value, by how many they are.

    Attributes:
        sizes: how many features could be removed, as asked.
        sets: the set that was chosen on the surrogate for each size.
        changes: `|f(1) − f(1 − 1_R)| / |f(1)|` for each size, of the model's function where one was
            given and of the surrogate where not; NaN where f(1) is 0.
        before: f(1), the value of the full prompt, of the same function.
    """

    sizes: tuple[int, ...]
    sets: tuple[FeatureSet, ...]
    changes: tuple[float, ...]
    before: float


def removal_curve(
    surrogate: FourierTransform | MobiusTransform,
    function: Callable[[NDArray[np.uint8]], ArrayLike] | None = None,
    *,
    sizes: Sequence[int] = (3, 4, 5, 6, 7, 8),
    time_limit: float = 30.0,
    gap: float = 0.0,
) -> RemovalCurve:
    """`|f(1) − f(1 − 1_R)| / |f(1)|` for the set R of each size that moves the surrogate the most.

    The removal test of SPEX (Kang et al. 2025), with the optimal sets of ProxySPEX (Butler et al.
    2025, Eq. 4): the better a surrogate knows the model near the full prompt, the further the sets
    that it chooses move the model itself.

    Args:
        surrogate: on which the sets are chosen.
        function: the model's real values, from masks of shape (num_masks, num_features), uint8 and
            1 = kept, to shape (num_masks,). Called once, with the full prompt first and no mask
            twice. Without it, the curve is the surrogate's own.
        sizes: how many features may be removed, each at least 1.
        time_limit: seconds for the search of one set.
        gap: a relative gap at which a search may stop.

    Raises:
        UsageError: there is no size or one below 1, another argument is out of its range, or the
            function does not give one value a mask.
    """
    if not len(sizes):
        raise UsageError("A removal curve has at least one size.", advice="Give sizes=(3, 5, 8).")
    sets = tuple(removal_set(surrogate, size, time_limit=time_limit, gap=gap) for size in sizes)
    removed = [each.features or () for each in sets]
    distinct: list[Support] = list(dict.fromkeys([(), *removed]))
    masks = np.ones((len(distinct), surrogate.num_features), dtype=np.uint8)
    for mask, features in zip(masks, distinct, strict=True):
        mask[list(features)] = 0
    values = np.asarray((function or surrogate)(masks), dtype=np.float64)
    if values.shape != (len(masks),):
        raise UsageError(
            f"The function gave values of shape {values.shape} for {len(masks)} masks: one value a "
            "mask is expected."
        )
    before = float(values[0])
    by_set = dict(zip(distinct, np.abs(values - before).tolist(), strict=True))
    changes = (by_set[features] / abs(before) if before else float("nan") for features in removed)
    return RemovalCurve(tuple(map(int, sizes)), sets, tuple(changes), before)


def recovery_rate(
    interactions: Mapping[Support, float], annotated: Collection[int], *, top: int = 10
) -> float:
    """How much of the strongest sets people marked as well: Recovery@10 (Kang et al. 2025).

    The mean of `|S ∩ A| / |S|` over the `top` sets S with the largest values by magnitude, where A
    holds the annotated features. The empty set is left out. Of equal values, that of the smaller
    set comes first.

    Args:
        interactions: sets of features and their values, as `spex_api.indices.interactions` gives
            them (the paper takes the Möbius index) or as a transform is.
        annotated: the numbers of the features that a person holds to be the relevant ones.
        top: how many sets count; where there are fewer, all do.

    Returns:
        From 0 to 1; NaN where there is no set.

    Raises:
        UsageError: `top` is below 1, or an annotated feature is no number from 0.
    """
    if top < 1:
        raise UsageError(f"Recovery is measured on at least 1 set, not {top}.")
    for feature in annotated:
        if not isinstance(feature, Integral) or feature < 0:
            raise UsageError(
                f"Annotated features are numbers from 0, not {feature!r}.",
                advice="Give the positions of the annotated features in the prompt.",
            )
    relevant = set(annotated)
    supports = sorted(
        (support for support in interactions if support),
        key=lambda support: (-abs(interactions[support]), len(support), support),
    )
    shares = [len(relevant.intersection(support)) / len(support) for support in supports[:top]]
    return float(np.mean(shares)) if shares else float("nan")
