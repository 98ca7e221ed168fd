"""Attributions of single features, as everyone computes them: LIME, Banzhaf values, leave-one-out.

Baselines for the decoders, on the same samples. Each returns its additive surrogate, whose Möbius
transform (`fourier_to_mobius`) holds the attributions.

What this module does not know: interactions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from spex_api.decoding.decoder import Recovery, Status, concise
from spex_api.decoding.repeats import without_repeats
from spex_api.decoding.standardization import standardize
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.samples import QueryPlan
from spex_api.sampling.uniform import uniform_plan
from spex_api.transforms import FourierTransform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.samples import Samples
    from spex_api.transforms import Support

    Floats = NDArray[np.float64]

__all__ = ["LIME", "Banzhaf", "LeaveOneOut"]


@dataclass(frozen=True, slots=True, repr=False)
class LIME:
    """`argmin Σ_j π_j (f(m_j) − b − w·m_j)² + α ‖w‖²`, near the full prompt (Ribeiro et al. 2016).

    `π = exp(−D² / 2σ²)` with D the cosine distance of a mask from the full one, `1 − √(|m|/n)`; α
    and σ are those of its text explainer, which measures D in hundredths and σ as 25.

    Attributes:
        kernel_width: σ.
        penalty: α.
    """

    kernel_width: float = 0.25
    penalty: float = 1.0

    def __post_init__(self) -> None:
        if not (self.kernel_width > 0 and self.penalty > 0):
            raise UsageError(
                f"LIME takes a positive kernel width and penalty, not {self.kernel_width} and "
                f"{self.penalty}."
            )

    __repr__ = concise

    def plan(self, num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
        """Uniform masks; where no number is given, ten a feature, at least 200.

        Raises:
            UsageError: there is no feature, or no query.
        """
        return _plan(num_features, num_queries, seed)

    def decode(self, samples: Samples) -> Recovery:
        """`b + w·m`; w are the attributions.

        Raises:
            UsageError: there are no two samples.
        """
        _check_count(samples)
        # Not standardize's mean: the weights here are LIME's own.
        if standardize(samples).scale == 0:
            return _additive(float(np.mean(samples.values)), np.zeros(samples.num_features))
        masks = samples.masks.astype(np.float64)
        distances = 1.0 - np.sqrt(masks.mean(axis=1))
        weights = np.exp(-0.5 * (distances / self.kernel_width) ** 2)
        center, value = (
            np.average(each, axis=0, weights=weights) for each in (masks, samples.values)
        )
        columns = masks - center
        with threadpool_limits(limits=1, user_api="blas"):
            gram = columns.T @ (weights[:, None] * columns)
            gram[np.diag_indices_from(gram)] += self.penalty
            slopes = np.linalg.solve(gram, columns.T @ (weights * (samples.values - value)))
        return _additive(float(value - center @ slopes), slopes)


@dataclass(frozen=True, slots=True, repr=False)
class Banzhaf:
    """`φ_i = mean{f(m): m_i = 1} − mean{f(m): m_i = 0}` (Wang and Jia 2023, "Data Banzhaf").

    Every sample serves every feature: the maximum sample reuse estimator. Exact on all masks.
    """

    __repr__ = concise

    def plan(self, num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
        """Uniform masks; where no number is given, ten a feature, at least 200.

        Raises:
            UsageError: there is no feature, or no query.
        """
        return _plan(num_features, num_queries, seed)

    def decode(self, samples: Samples) -> Recovery:
        """`f̄ + Σ_i φ_i (m_i − ½)`; φ are the Banzhaf values.

        Raises:
            UsageError: no sample keeps, or none masks, one of the features.
        """
        _check_count(samples)
        distinct = without_repeats(samples)
        kept = distinct.masks.sum(axis=0, dtype=np.int64)
        for count, verb in ((kept, "keeps"), (len(distinct) - kept, "masks")):
            if not count.all():
                raise BudgetTooSmall(
                    f"No sample {verb} feature {int(np.argmin(count))}, so that its Banzhaf value "
                    "has nothing to compare.",
                    advice="Ask more masks; all that a uniform plan gives will do.",
                )
        centered = distinct.values - distinct.values.mean()
        sums = centered @ distinct.masks
        values = sums / kept - (centered.sum() - sums) / (len(distinct) - kept)
        return _additive(float(distinct.values.mean() - 0.5 * values.sum()), values)


@dataclass(frozen=True, slots=True, repr=False)
class LeaveOneOut:
    """`φ_i = f(1) − f(1 without i)`: what changes when one feature is masked, and all else is kept.

    Redundant features hide each other: of two that say the same, neither has a value.
    """

    __repr__ = concise

    def plan(self, num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
        """The full mask, the empty one, and the full one without each feature; not random.

        Raises:
            UsageError: there is no feature, or the queries are fewer than these masks.
        """
        del seed
        if num_features < 1:
            raise UsageError(f"A plan has at least one feature, not {num_features}.")
        anchors = np.array([[1] * num_features, [0] * num_features], dtype=np.uint8)
        dropped = 1 - np.eye(num_features, dtype=np.uint8)
        # Without its one feature a prompt is the empty one, which is there already.
        masks = np.concatenate([anchors, dropped]) if num_features > 1 else anchors
        if num_queries is not None and num_queries < len(masks):
            raise BudgetTooSmall(
                f"Leaving out each of {num_features} features takes {len(masks)} queries, and "
                f"{num_queries} are too few.",
                cost="Nothing was sent.",
                advice=f"Allow {len(masks)} queries.",
            )
        return QueryPlan(masks, design="leave-one-out")

    def decode(self, samples: Samples) -> Recovery:
        """`f(1) − Σ_i φ_i (1 − m_i)`; other samples than those it needs are not looked at.

        Raises:
            UsageError: the full mask, or the one without some feature, is missing.
        """
        distinct = without_repeats(samples)
        asked = {
            mask.tobytes(): float(value)
            for mask, value in zip(distinct.masks, distinct.values, strict=True)
        }
        full = np.ones(samples.num_features, dtype=np.uint8)
        needed = [full, *(1 - np.eye(samples.num_features, dtype=np.uint8))]
        missing = [place for place, mask in enumerate(needed) if mask.tobytes() not in asked]
        if missing:
            first = (
                "the full mask" if missing[0] == 0 else f"the one without feature {missing[0] - 1}"
            )
            raise BudgetTooSmall(
                f"Leave-one-out reads {len(needed)} masks, and {len(missing)} of them were not "
                f"asked, {first} among them.",
                advice="Ask the masks of LeaveOneOut().plan.",
            )
        whole, *without = (asked[mask.tobytes()] for mask in needed)
        values = whole - np.array(without)
        return _additive(whole - float(values.sum()), values)


def _additive(start: float, values: Floats) -> Recovery:
    """The surrogate `start + Σ_i values_i m_i`, of which a term that is 0 is left out."""
    terms: dict[Support, float] = {
        (feature,): -0.5 * value for feature, value in enumerate(values.tolist()) if value
    }
    status = Status.CONVERGED if terms else Status.CONSTANT
    constant = start + 0.5 * float(np.sum(values))
    return Recovery(FourierTransform({(): constant, **terms}, len(values)), status)


def _plan(num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
    if num_queries is None:
        num_queries = max(10 * num_features, 200)
    return uniform_plan(num_features, num_queries, seed=seed)


def _check_count(samples: Samples) -> None:
    if len(samples) < 2:
        raise BudgetTooSmall(f"An attribution takes at least two samples, not {len(samples)}.")
