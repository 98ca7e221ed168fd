"""Values of many cases → their mean, how sure it is, and which of many means are no chance.

A case's value differs from the mean over all cases for two reasons: cases differ, and each value is
itself an estimate. Both are in the weights, `w = k / (τ² + s²)`: s is the case's own standard
deviation, τ² what the cases differ by (Hedges 1983: the variance of the values less the mean of s²,
not below 0), and k the share of its answer that the case's explanation accounts for. None of these
is known well, so the variance of the mean is taken from the residuals, and holds whatever the
weights are: the robust variance of Hedges, Tipton and Johnson (2010) with the corrections for few
cases of Tipton (2015). With equal weights that is the t interval of a plain mean.

Of many means the false discovery rate is kept by Benjamini and Yekutieli (2001), which holds
however the means depend on each other, and intervals are widened to match what was selected
(Benjamini and Yekutieli 2005). That what matters in no case is seldom found needs no more than
errors that are as often above as below. An effect that is skewed over few cases is known less well
than its interval says. What this module does not know: of what the values are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import stdtr, stdtrit

from spex_api.audits.findings.exchanging import chance_of_exchange
from spex_api.indices import LEVEL, Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Mean", "difference", "mean_over_cases", "share_of_chance"]

_LIGHTEST: Final = 0.1
"""No case's variance is taken for less than this share of the middle one: else a case that is known
almost exactly would speak for all."""

_SURE: Final = 0.99
"""A chance of 1 would have no interval."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over cases.

    Attributes:
        value: in the unit of the values.
        variance: of the mean.
        freedom: degrees of freedom of that variance.
    """

    value: float
    variance: float
    freedom: float

    @property
    def chance(self) -> float:
        """How often a mean of 0 would look at least as far from 0: the two-sided p-value."""
        if not self.variance:
            return float(self.value == 0)
        return float(2 * stdtr(self.freedom, -abs(self.value) / self.variance**0.5))

    def interval(self, share: float) -> Interval:
        """Where the mean over further cases lies.

        Args:
            share: how often the interval may miss it.
        """
        reach = float(-stdtrit(self.freedom, share / 2)) * self.variance**0.5
        return Interval(self.value - reach, self.value + reach)


def mean_over_cases(
    values: NDArray[np.float64], deviations: NDArray[np.float64], known: NDArray[np.float64]
) -> Mean:
    """The mean over all such cases as these tell of it; see the module.

    Args:
        values: shape (num_cases,), at least two.
        deviations: shape (num_cases,), the standard deviation of each value; NaN where it is not
            known, which is taken for that of the middle case, or for nothing where none is known.
        known: shape (num_cases,), above 0 and up to 1.
    """
    squares = deviations**2
    told = squares[np.isfinite(squares)]
    squares = np.where(np.isfinite(squares), squares, np.median(told) if len(told) else 0.0)
    between = max(0.0, float(np.var(values, ddof=1) - squares.mean()))
    spread = between + squares
    spread = np.maximum(spread, _LIGHTEST * np.median(spread))
    weights = known / spread if spread.all() else known
    weights = weights / weights.sum()
    mean = float(weights @ values)
    # Each residual falls short of its deviation by what the case adds to the mean.
    gains = weights / (1.0 - weights)
    robust = float((gains * weights) @ (values - mean) ** 2)
    overlap = float((gains @ weights) ** 2 - (gains**2) @ weights**2)
    freedom = 1.0 / (float(weights @ weights) + overlap)
    own = float(weights**2 @ squares)
    return Mean(mean, max(robust, own), freedom)


def difference(
    first: Mean, second: Mean, *, values: NDArray[np.float64], others: NDArray[np.float64]
) -> Mean:
    """The first less the second, of other cases.

    Values that are skewed show such differences by chance where one side is small, and a t interval
    (Welch 1947) does not know. So the chance is not held to be below that of an exchange of cases
    between the sides; the interval is widened to match (Miettinen 1976).

    Args:
        first: the mean of one side.
        second: that of the other.
        values: shape (num_cases,), of which the first is the mean.
        others: shape (num_others,), of which the second is.
    """
    value = first.value - second.value
    parts = first.variance**2 / first.freedom + second.variance**2 / second.freedom
    variance = first.variance + second.variance
    freedom = variance**2 / parts if parts else first.freedom + second.freedom
    welch = Mean(value, variance, freedom)
    if welch.chance > 1.0 - LEVEL:
        return welch  # nothing is found at that, and most are such
    chance = min(_SURE, chance_of_exchange(values, others))
    if welch.chance >= chance:
        return welch
    return Mean(value, float(value / stdtrit(freedom, chance / 2)) ** 2, freedom)


def share_of_chance(chances: NDArray[np.float64]) -> float:
    """The share α for which the means with a chance up to α are found, and all intervals missed.

    Of the means so found at most one in ten is 0 in the long run, and of their intervals at most
    one in ten misses its mean, whatever depends on what; where all means are 0, one in ten times
    anything is found at all. An interval of the share α leaves 0 out where its mean is found, and
    nowhere else.

    Args:
        chances: shape (num_means,), of every mean that was looked at.
    """
    number = len(chances)
    if not number:
        return 1.0 - LEVEL
    step = (1.0 - LEVEL) / (number * float(np.sum(1.0 / np.arange(1, number + 1))))
    ranks = np.arange(1, number + 1)
    passing = ranks[np.sort(chances) <= ranks * step]
    return float(step * max(1, passing[-1] if len(passing) else 1))
