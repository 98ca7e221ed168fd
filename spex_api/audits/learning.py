"""How faithful a prompt's surrogate is to become: from its looks so far, and from all others'.

Faithfulness is taken to grow with the number of masks `n` as a saturating curve, one of the
families that learning curves follow (Viering and Loog, "The shape of learning curves: a review",
2023)::

    R²(n) = A / (1 + (h p^¾ / n)^s)

where `p` is the number of features, `A` what can be reached at all, `h` by how many masks half of
it is, and `s` how suddenly. That masks are counted by `p^¾`, and a usual `h`, is what recorded
prompts of 10 to 163 features have in common. What is believed of the three is a weight on each
point of a grid: first what is usual, which the looks at prompts of about as many features teach
(empirical Bayes; Efron and Morris 1975), then, by Bayes' rule, what the prompt's own looks say,
each as loudly as its held-out masks allow.

What this module does not know: what a query costs, and who is asked next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from spex_api.indices import LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spex_api.fidelity import Faithfulness

__all__ = ["Beliefs", "Learner", "Shown"]

_CEILINGS: Final = np.linspace(0.0, 1.0, 21)
_SUDDENNESS: Final = np.array([1.0, 2.0, 4.0])
_HALVES: Final = np.array([3.0, 4.5, 6.5, 9.0, 12.0, 16.0, 22.0, 32.0, 50.0])
_POWER: Final = 0.75
_USUAL_HALF: Final = 9.0
_SPREAD: Final = 0.5
"""Of `h`, and of its logarithm, before any prompt was looked at."""
_PRIOR_WORTH: Final = 4.0
"""As many prompts count as much as what is usual before."""
_ALIKE: Final = 0.5
"""Prompts whose numbers of features differ by e^½ teach of each other by e^-½ as much."""
_FIT_NOISE: Final = 1.0
"""Fits to as many other masks differ in R² by about this over the root of their number."""

_LEAST: Final = 1e-6
"""Of what is left to explain: no interval ends at nothing."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What one look showed.

    Attributes:
        num_masks: after how many masks.
        value: R² on masks that the fit has not seen; NaN where it cannot be measured.
        error: its standard error.
    """

    num_masks: int
    value: float
    error: float

    @classmethod
    def of(cls, faithfulness: Faithfulness, *, num_masks: int, num_looks: int) -> Shown:
        """What a look with this faithfulness showed.

        Args:
            faithfulness: its interval bears all looks, and is one of `log(1 − R²)`.
            num_masks: after how many masks.
            num_looks: how many looks were planned.
        """
        value = faithfulness.value
        if not math.isfinite(value) or not math.isfinite(faithfulness.low):
            return cls(num_masks, math.nan, math.nan)
        ends = (faithfulness.low, value, faithfulness.high)
        low, left, high = (max(1 - each, _LEAST) for each in ends)
        reach = NormalDist().inv_cdf(1 - (1 - LEVEL) / 2 / num_looks)
        return cls(num_masks, value, left * math.log(low / high) / 2 / reach)


@dataclass(frozen=True, slots=True)
class Learner:
    """A prompt that is being learned.

    Attributes:
        num_features: how many features it has.
        shown: what its looks showed, in their order.
    """

    num_features: int
    shown: tuple[Shown, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Beliefs:
    """What is believed of each prompt.

    Attributes:
        weights: shape (num_prompts, num_ceilings, num_halves, num_slopes); each prompt's sum to 1.
        features: shape (num_prompts,), how many each has.
    """

    weights: NDArray[np.float64]
    features: NDArray[np.float64]

    @classmethod
    def of(cls, learners: Sequence[Learner]) -> Beliefs:
        """What their looks teach of each of them."""
        usual = _usual()
        said = np.array([_likelihood(learner) for learner in learners])
        features = np.array([learner.num_features for learner in learners], dtype=np.float64)
        seen = np.array([any(map(_measured, learner.shown)) for learner in learners])
        taught = np.broadcast_to(usual, said.shape)
        if seen.any():
            each = _normalised(usual * said[seen])
            near = np.exp(-0.5 * (np.log(features[:, None] / features[seen]) / _ALIKE) ** 2)
            total = _PRIOR_WORTH + near.sum(axis=1)
            taught = _PRIOR_WORTH * usual + np.einsum("ij,j...->i...", near, each)
            taught = taught / total[:, None, None, None]
        return cls(_normalised(taught * said), features)

    def expected(self, at: int, num_masks: int) -> float:
        """The faithfulness that one of them is to have after so many masks."""
        return float((self.weights[at] * _curve(num_masks, self.features[at])).sum())


def _usual() -> NDArray[np.float64]:
    """What is believed before any look: rather a high ceiling, and a few masks a feature."""
    halves = np.exp(-0.5 * (np.log(_HALVES / _USUAL_HALF) / _SPREAD) ** 2)
    grid: NDArray[np.float64] = (
        _CEILINGS[:, None, None] * halves[:, None] * np.ones(len(_SUDDENNESS))
    )
    usual: NDArray[np.float64] = grid / grid.sum()
    return usual


def _likelihood(learner: Learner) -> NDArray[np.float64]:
    """How well each point of the grid says what the looks showed: normal errors."""
    said = np.zeros((len(_CEILINGS), len(_HALVES), len(_SUDDENNESS)))
    for shown in filter(_measured, learner.shown):
        variance = shown.error**2 + _FIT_NOISE**2 / shown.num_masks
        curve = _curve(shown.num_masks, learner.num_features)
        said -= (shown.value - curve) ** 2 / (2 * variance)
    likelihood: NDArray[np.float64] = np.exp(said - said.max())
    return likelihood


def _curve(num_masks: int, num_features: float) -> NDArray[np.float64]:
    """Shape (num_ceilings, num_halves, num_slopes): R² after so many masks."""
    halves = _HALVES * num_features**_POWER
    share = 1 / (1 + (halves[:, None] / num_masks) ** _SUDDENNESS)
    curves: NDArray[np.float64] = _CEILINGS[:, None, None] * share
    return curves


def _measured(shown: Shown) -> bool:
    return math.isfinite(shown.value) and math.isfinite(shown.error)


def _normalised(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = weights / weights.sum(axis=(1, 2, 3), keepdims=True)
    return scaled
