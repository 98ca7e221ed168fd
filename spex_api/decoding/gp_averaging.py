"""Several priors, stacked: each weighted by how well it predicts samples that its fit has not seen.

No one prior is right: loose relevances find a few strong features among many, and overfit where
hardly anything but noise interacts; tight ones, and a prior without interactions, do the reverse. A
marginal likelihood that was maximised over two parameters a feature cannot tell which is which,
since it is optimistic. So each prior is fitted again without each of some folds, and the posterior
means are combined with the weights, not negative and adding up to 1, that predict best out of fold:
stacking (Breiman 1996, "Stacked regressions"; Yao, Vehtari, Simpson and Gelman 2018).

What this module does not know: kernels, and which priors are tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

from spex_api.decoding.gp_posterior import maximize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spex_api.decoding.gp_posterior import Evidence, Maximum, Posterior, PosteriorMean
    from spex_api.transforms import Support

    Floats = NDArray[np.float64]
    Level = NDArray[np.intp]

__all__ = [
    "Average",
    "Candidate",
    "Fold",
    "MeanAverage",
    "Stack",
    "average",
    "evenly_spread",
    "stacking_weights",
]

_NUM_FOLDS, _NUM_SMALL_FOLDS = 4, 10
_FOLD_STEPS = 8
"""From the fit to the half that lacks a fold, the fit to all but the fold is about this near."""
_FEW = 150
"""Of fewer samples a quarter is too much to do without, and a half no start for anything: they have
more folds, and each fold's fit begins anew."""
_ROUGH = 0.02
"""With at least so much noise single precision finds much the same parameters."""
_MOST_FOLDED = 600
"""More samples than these tell no more of the weights, and cost their cube."""
_LEAN = 500.0
"""A hundred samples weigh as much as five more that speak for the last prior, the simplest; twenty
as much as twenty-five."""
_SUM_TO_ONE = 1e5
_NEGLIGIBLE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A prior, and how its parameters are found.

    Attributes:
        evidence: all samples under the prior.
        rows: the samples to which the parameters are fitted.
        least_noise: the floor of the noise, as a share of the values' variance.
        max_steps: how many steps of L-BFGS at most.
    """

    evidence: Evidence
    rows: NDArray[np.intp]
    least_noise: float
    max_steps: int

    def fit(
        self,
        rows: NDArray[np.intp] | None = None,
        *,
        start: Floats | None = None,
        max_steps: int | None = None,
    ) -> Maximum:
        """The most probable parameters.

        Args:
            rows: the samples to which they are fitted; by default all that the candidate names.
            start: where the search begins; by default where all features are alike.
            max_steps: how many steps at most; by default the candidate's.
        """
        evidence = self.evidence.take(self.rows if rows is None else rows)
        search = partial(
            maximize, least_noise=self.least_noise, max_steps=max_steps or self.max_steps
        )
        if self.least_noise < _ROUGH:
            return search(evidence, start=start)
        # Single precision goes most of the way; where rounding hid the rest, the other sees it.
        rough = search(evidence.in_single_precision(), start=start)
        return search(evidence, start=rough.parameters)

    def fold_means(self, folds: Sequence[NDArray[np.intp]]) -> list[PosteriorMean]:
        """The posterior mean without each fold.

        No search starts where a fold was seen: that would know too much of what it is to predict.
        So each begins at the fit to the half of the folds that does not hold it.

        Args:
            folds: the rows of each, an even number of folds or one for each of very few samples.
        """
        rows = np.concatenate(folds)
        starts: list[Floats | None] = [None] * len(folds)
        steps = None
        if len(rows) > _FEW:
            half = len(folds) // 2
            halves = [np.concatenate(folds[half:]), np.concatenate(folds[:half])]
            starts = [fitted.parameters for fitted in map(self.fit, halves) for _ in range(half)]
            steps = _FOLD_STEPS
        means = []
        for fold, start in zip(folds, starts, strict=True):
            others = np.setdiff1d(rows, fold)
            found = self.fit(others, start=start, max_steps=steps)
            means.append(self.evidence.take(others).mean(found.parameters))
        return means


def evenly_spread(length: int, count: int) -> NDArray[np.intp]:
    """At most `count` of so many rows, evenly spread."""
    return np.linspace(0, length - 1, min(length, count)).astype(np.intp)


def _folds(rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The rows of each fold."""
    count = _NUM_FOLDS if len(rows) > _FEW else _NUM_SMALL_FOLDS
    return [rows[fold::count] for fold in range(min(count, len(rows)))]


def stacking_weights(predictions: Floats, values: Floats, variances: Floats) -> Floats:
    """The weights that predict best out of fold, shape (num_priors,), not negative, of sum 1.

    They minimise `Σ_j (y_j − Σ_k w_k ŷ_kj)² / (1 + v_j) + λ Σ_k (w_k − [k is the last])²`, with λ
    the best prior's error times `500 / num_samples`: while samples are few and errors large, the
    last prior, the simplest, has the benefit of the doubt. Weights below 0.01 are 0.

    Args:
        predictions: shape (num_priors, num_samples), out of fold, of standardised values.
        values: shape (num_samples,).
        variances: shape (num_samples,), the known sampling variances in the same unit.
    """
    count = len(predictions)
    trust = np.sqrt(1.0 / (1.0 + variances))
    error = np.mean(((values - predictions) * trust) ** 2, axis=1).min()
    lean = np.sqrt(_LEAN / len(values) * error) * np.eye(count)
    columns = np.vstack([(predictions * trust).T, lean, np.full((1, count), _SUM_TO_ONE)])
    target = np.concatenate([values * trust, lean[-1], [_SUM_TO_ONE]])
    weights, _ = nnls(columns, target)
    weights[weights < _NEGLIGIBLE] = 0.0
    stacked: Floats = weights / weights.sum()
    return stacked


@dataclass(frozen=True, slots=True, eq=False)
class MeanAverage:
    """The weighted average of several posterior means of the same function.

    Attributes:
        means: one a prior.
        weights: one a mean, adding up to 1.
    """

    means: Sequence[PosteriorMean]
    weights: Floats

    @property
    def num_features(self) -> int:
        """How many features a mask has."""
        return self.means[0].num_features

    def coefficients(self, supports: Level) -> Floats:
        """`F̂[S]` for supports of one size, an array (num_supports, size); shape (num_supports,)."""
        parts = np.stack([mean.coefficients(supports) for mean in self.means])
        averaged: Floats = self.weights @ parts
        return averaged

    def extended(self, parents: Level) -> tuple[Level, Floats]:
        """Each support of one size with each feature that it lacks, once, and their `F̂`."""
        parts = [mean.extended(parents) for mean in self.means]
        return parts[0][0], self.weights @ np.stack([coefficients for _, coefficients in parts])

    def predict(self, points: Floats) -> Floats:
        """The function at masks given by their coordinates, shape (num_masks,)."""
        averaged: Floats = self.weights @ np.stack([mean.predict(points) for mean in self.means])
        return averaged


@dataclass(frozen=True, slots=True, eq=False)
class Average:
    """The mixture of several posteriors of the same coefficients.

    Attributes:
        posteriors: one a prior.
        weights: one a posterior, adding up to 1.
    """

    posteriors: Sequence[Posterior]
    weights: Floats

    @property
    def mean(self) -> MeanAverage:
        """The average of the posterior means."""
        return MeanAverage([posterior.mean for posterior in self.posteriors], self.weights)

    def moments(self, supports: Sequence[Support]) -> tuple[Floats, Floats]:
        """The mean and the covariance of the coefficients of these supports.

        By the law of total covariance, `Σ w_k (C_k + (μ_k − μ)(μ_k − μ)ᵀ)`: where the priors
        disagree, the intervals grow.
        """
        parts = [posterior.moments(supports) for posterior in self.posteriors]
        mean = sum(weight * part for weight, (part, _) in zip(self.weights, parts, strict=True))
        mean = np.asarray(mean, dtype=np.float64)
        covariance = np.zeros((len(supports), len(supports)))
        for weight, (part, spread) in zip(self.weights, parts, strict=True):
            covariance += weight * (spread + np.outer(part - mean, part - mean))
        return mean, covariance


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """What was fitted without some samples, and those samples.

    Attributes:
        mean: the stacked posterior mean of the others.
        points: the samples' coordinates, shape (num_held_out, num_features).
        values: shape (num_held_out,).
        variances: shape (num_held_out,), the known sampling variances.
    """

    mean: MeanAverage
    points: Floats
    values: Floats
    variances: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Priors fitted and combined.

    Attributes:
        average: the mixture of the priors of weight, given all samples.
        folds: the same without each fold in turn.
        fits: of the priors of weight.
    """

    average: Average
    folds: Sequence[Fold]
    fits: Sequence[Maximum]


def average(candidates: Sequence[Candidate]) -> Stack:
    """Fits each candidate and combines those of weight, given all samples and out of fold."""
    rows = candidates[0].rows
    folds = _folds(rows[evenly_spread(len(rows), _MOST_FOLDED)])
    fits = [candidate.fit() for candidate in candidates]
    means = [candidate.fold_means(folds) for candidate in candidates]
    shown = [candidates[0].evidence.take(fold) for fold in folds]
    predictions = np.array(
        [
            np.concatenate(
                [mean.predict(fold.points) for mean, fold in zip(of_folds, shown, strict=True)]
            )
            for of_folds in means
        ]
    )
    values = np.concatenate([fold.values for fold in shown])
    variances = np.concatenate([fold.variances for fold in shown])
    weights = stacking_weights(predictions, values, variances)
    used = np.flatnonzero(weights).tolist()
    posteriors = [candidates[k].evidence.posterior(fits[k].parameters) for k in used]
    out_of_fold = [
        Fold(
            MeanAverage([means[k][number] for k in used], weights[used]),
            fold.points,
            fold.values,
            fold.variances,
        )
        for number, fold in enumerate(shown)
    ]
    return Stack(Average(posteriors, weights[used]), out_of_fold, [fits[k] for k in used])
