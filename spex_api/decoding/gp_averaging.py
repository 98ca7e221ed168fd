"""Several priors, each weighted by how well it predicts samples that its fit has not seen.

No one prior is right: loose relevances find a few strong features among many, and overfit where
hardly anything but noise interacts; tight ones, and a prior without interactions, do the reverse. A
marginal likelihood that was maximised over two or three parameters a feature cannot tell which is
which, since it is optimistic. So each prior is fitted again without each of five folds, and the
posterior is the average over the priors with pseudo-BMA+ weights (Yao, Vehtari, Simpson and Gelman
2018, "Using stacking to average Bayesian predictive distributions", section 3.4): the softmax of
the tempered sum of log predictive densities, averaged over Bayesian bootstraps of the samples.

What this module does not know: kernels, and which priors are tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spex_api.decoding.gp_posterior import maximize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spex_api.decoding.gp_posterior import Evidence, Maximum, Posterior
    from spex_api.transforms import Support

    Floats = NDArray[np.float64]

__all__ = ["Average", "Candidate", "average", "predictive_weights"]

_NUM_FOLDS = 5
_FOLD_STEPS = 8
"""From the fit to all samples, a fold's fit is this near; more steps change no weight."""
_BOOTSTRAPS = 400
_TEMPER = 0.25
"""So much evidence is a sample: the folds share most of theirs, and one seldom outweighs the rest.
Measured on recorded reviews, planted and additive functions; ½ and 1 are a little worse."""
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

    def fit(self) -> Maximum:
        """The most probable parameters."""
        training = self.evidence.take(self.rows)
        return maximize(training, least_noise=self.least_noise, max_steps=self.max_steps)

    def out_of_fold(self, start: Floats) -> Floats:
        """The errors on the rows, each predicted by a fit that has not seen its fold.

        Args:
            start: the parameters of the fit to all rows, where the folds' fits begin.
        """
        evidence = self.evidence.take(self.rows)
        fold_of = np.arange(len(self.rows)) % _NUM_FOLDS
        errors = np.empty(len(self.rows))
        for fold in range(min(_NUM_FOLDS, len(self.rows))):
            held_out = fold_of == fold
            training = evidence.take(np.flatnonzero(~held_out))
            found = maximize(
                training, least_noise=self.least_noise, max_steps=_FOLD_STEPS, start=start
            )
            predicted = training.posterior(found.parameters).predict(evidence.signs[held_out])
            errors[held_out] = evidence.values[held_out] - predicted
        return errors


def predictive_weights(errors: Floats, variances: Floats) -> Floats:
    """Pseudo-BMA+ weights, shape (num_priors,), adding up to 1; those below 0.01 are 0.

    Args:
        errors: shape (num_priors, num_samples), out of fold, in units of the values' deviation.
        variances: shape (num_samples,), the known sampling variances in that unit.
    """
    # A normal density with one variance for all priors: that of the best, plus what is known.
    trusted = 1.0 / (1.0 + variances)
    squares = errors**2 * trusted
    densities = -0.5 * squares / max(squares.mean(axis=1).min(), np.finfo(np.float64).tiny)
    count = errors.shape[1]
    shares = np.random.default_rng(0).dirichlet(np.ones(count), _BOOTSTRAPS)
    sums = _TEMPER * count * shares @ densities.T
    likelihoods = np.exp(sums - sums.max(axis=1, keepdims=True))
    weights = (likelihoods / likelihoods.sum(axis=1, keepdims=True)).mean(axis=0)
    weights[weights < _NEGLIGIBLE] = 0.0
    averaged: Floats = weights / weights.sum()
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

    def predict(self, signs: Floats) -> Floats:
        """The mean of the function at masks given as signs, shape (num_masks,)."""
        predictions = np.stack([posterior.predict(signs) for posterior in self.posteriors])
        mean: Floats = self.weights @ predictions
        return mean


def average(candidates: Sequence[Candidate]) -> tuple[Average, list[Maximum]]:
    """Fits each candidate and averages those of weight, given all samples; and their fits."""
    fits = [candidate.fit() for candidate in candidates]
    errors = [
        candidate.out_of_fold(fit.parameters)
        for candidate, fit in zip(candidates, fits, strict=True)
    ]
    first = candidates[0]
    weights = predictive_weights(np.array(errors), first.evidence.variances[first.rows])
    used = np.flatnonzero(weights).tolist()
    posteriors = [candidates[k].evidence.posterior(fits[k].parameters) for k in used]
    return Average(posteriors, weights[used]), [fits[k] for k in used]
