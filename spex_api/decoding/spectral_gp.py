"""SpectralGP: a Gaussian process whose prior lives on the Fourier coefficients of masks.

Every feature has a relevance, an interaction is as likely as the product of its parts, and the
posterior of all 2^n coefficients has a closed form. Three kernels share the work: a product kernel;
where features are ordered in the text, one over neighbours (`LocalKernel`); and one for what all
interactions of a size have in common (`LevelKernel`). Since no one prior is right for all
functions, three are stacked (`gp_averaging`).

What this module does not know: the mathematics of kernels, fits and searches, which have their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from spex_api.decoding.biased_basis import to_plain_basis
from spex_api.decoding.binomial import Binomial
from spex_api.decoding.decoder import Recovery, Status, concise
from spex_api.decoding.gp_averaging import Average, Candidate, Stack, average, evenly_spread
from spex_api.decoding.gp_extraction import BeamSearch
from spex_api.decoding.gp_features import AdditiveKernel, LevelKernel, LocalKernel
from spex_api.decoding.gp_kernels import ProductKernel, coordinates
from spex_api.decoding.gp_posterior import Evidence, maximize
from spex_api.decoding.gp_process import Process
from spex_api.decoding.gp_tail import tail_of
from spex_api.decoding.standardization import standardize
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.sampling.uniform import HALF, uniform_plan
from spex_api.transforms import FourierTransform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spex_api.decoding.gp_posterior import Maximum
    from spex_api.decoding.standardization import Standardized
    from spex_api.samples import QueryPlan, Samples

__all__ = ["Hyperprior", "SpectralGP"]

_EXACT = 1e-8
"""The noise of values that leave nothing unseen: none, but for rounding."""
_LEAST_GAIN = 1.0
"""So many nats must the fit gain over a mean alone, or the values are called noise."""


@dataclass(frozen=True, slots=True)
class Hyperprior:
    """How freely relevances and noise are fitted.

    Attributes:
        relevance_variance: of a logit relevance around the mean of its kernel's. Loose, and few
            samples overfit; tight, and a few relevant features among many are missed.
        noise_floor: the least noise, as a share of the values' variance: what the kernels cannot
            express acts as noise which the likelihood underestimates. It vanishes as the samples
            cover the cube of all masks, where nothing is left to be wrong about.
        noise_samples: where finite, the floor is at most `noise_samples / N`: what is inexpressible
            with few samples is not with many.
    """

    relevance_variance: float
    noise_floor: float
    noise_samples: float = math.inf

    def __post_init__(self) -> None:
        if not (0 < self.noise_floor < 1 and self.relevance_variance > 0 < self.noise_samples):
            raise UsageError(
                "The noise floor is a share between 0 and 1, and the relevances' variance and the "
                f"noise's samples are positive; not {self.noise_floor}, {self.relevance_variance} "
                f"and {self.noise_samples}."
            )

    def floor(self, samples: Samples) -> float:
        """The least σ_n², as a share of the values' variance."""
        floor = min(self.noise_floor, self.noise_samples / len(samples))
        return max(floor * _unseen_share(samples), _EXACT)


@dataclass(frozen=True, slots=True, repr=False)
class SpectralGP:
    """Recovers the Fourier transform as the posterior mean of a Gaussian process.

    The prior is a sum of kernels with a known spectrum (`gp_kernels`, `gp_features`); relevances
    and noise maximise the marginal likelihood under a hyperprior (`gp_posterior`). Three such
    priors, `loose`, `tight` and one without interactions of single features, are stacked by how
    well they predict out of fold (`gp_averaging`); the transform holds the coefficients that carry
    the stacked posterior mean (`gp_extraction`). The mean itself is kept, not refitted: a refit on
    the support predicts worse.

    It needs structure. Where interactions have no parts that matter alone or in part, and features
    are many and samples few, it finds next to nothing: that is what coded queries are for (`SPEX`),
    and `decoder="auto"` turns to them there.

    The cost grows as N³ and the memory as N², for N samples.

    Attributes:
        loose: the prior for functions of a few strong features among many.
        tight: the prior for functions to which many features add a little, under noise; it also
            expects neighbours to interact, where features are ordered.
        search: which coefficients the transform holds.
        fit_samples: on how many samples at most the relevances are fitted; the posterior is that of
            all samples.
        max_steps: how many steps of L-BFGS at most.
    """

    loose: Hyperprior = Hyperprior(relevance_variance=8.0, noise_floor=0.1, noise_samples=25.0)
    tight: Hyperprior = Hyperprior(relevance_variance=0.4, noise_floor=0.15)
    search: BeamSearch = field(default_factory=BeamSearch)
    fit_samples: int = 1000
    max_steps: int = 200

    def __post_init__(self) -> None:
        if self.fit_samples < 2 or self.max_steps < 1:
            raise UsageError(
                f"A fit takes at least 2 samples and 1 step, not {self.fit_samples} and "
                f"{self.max_steps}."
            )

    __repr__ = concise

    def plan(self, num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
        """Uniform masks; where no number is given, ten a feature, at least 200 and at most 1,000.

        Raises:
            UsageError: there is no feature, or no query.
        """
        if num_queries is None:
            num_queries = min(max(10 * num_features, 200), 1000)
        return uniform_plan(num_features, num_queries, seed=seed)

    def decode(self, samples: Samples) -> Recovery:
        """The posterior mean of the coefficients that carry it, and their posterior covariance.

        Deterministic: one BLAS thread, no random number. Without `samples.ordered`, permuting the
        features permutes the answer.

        Raises:
            UsageError: there are fewer than two samples.
        """
        if samples.draws is not None:
            return Binomial(self).decode(samples)
        if len(samples) < 2:
            raise BudgetTooSmall(
                f"SpectralGP fits a function to at least two samples, not {len(samples)}."
            )
        standardized = standardize(samples)
        if standardized.scale == 0:
            return Recovery(
                FourierTransform({(): standardized.mean}, samples.num_features),
                Status.CONSTANT,
                np.zeros((1, 1)),
            )
        with threadpool_limits(limits=1, user_api="blas"):
            return self._recover(samples, standardized)

    def _recover(self, samples: Samples, standardized: Standardized) -> Recovery:
        # Features in an order that their masks decide: then permuting them permutes the answer to
        # the last bit, where otherwise rounding would let two fits end a step apart.
        order = np.arange(samples.num_features) if samples.ordered else np.lexsort(samples.masks)
        stack, status = self._fit(samples, samples.masks[:, order], standardized)
        search = self.search
        if not stack.folds:
            search = replace(search, max_terms=2**samples.num_features)
        found = search.supports(stack.average.mean, stack.folds)
        means, covariance = stack.average.moments(found)
        unlisted = None
        if samples.keep == HALF:
            unseen = _unseen_share(samples)
            unlisted = tail_of(stack.average, found, order, scale=standardized.scale, unseen=unseen)
        else:
            found, matrix = to_plain_basis(found, samples.keep)
            means, covariance = matrix @ means, matrix @ covariance @ matrix.T
            covariance = (covariance + covariance.T) / 2
        named = [tuple(sorted(order[list(support)].tolist())) for support in found]
        ranked = sorted(range(len(named)), key=lambda place: (len(named[place]), named[place]))
        coefficients = {named[place]: standardized.scale * float(means[place]) for place in ranked}
        coefficients[()] += standardized.mean
        return Recovery(
            FourierTransform(coefficients, samples.num_features),
            status,
            standardized.scale**2 * covariance[np.ix_(ranked, ranked)],
            unlisted=unlisted,
            process=Process(
                stack.average.mean,
                order,
                mean=standardized.mean,
                scale=standardized.scale,
                keep=samples.keep,
            ),
        )

    def _fit(
        self, samples: Samples, masks: NDArray[np.uint8], standardized: Standardized
    ) -> tuple[Stack, Status]:
        points = coordinates(masks, samples.keep)
        shared = Evidence(
            points, standardized.values, standardized.variances, (), self.loose.relevance_variance
        )
        candidates = self._candidates(samples, shared)
        if _is_known(samples):
            rich = candidates[0].evidence
            found = maximize(rich, least_noise=_EXACT, max_steps=self.max_steps, fixed_noise=True)
            whole = Average([rich.posterior(found.parameters)], np.ones(1))
            return Stack(whole, (), [found]), _status([found])
        stack = average(candidates)
        nothing = replace(candidates[-1], evidence=shared).fit()
        if nothing.loss - min(fit.loss for fit in stack.fits) < _LEAST_GAIN:
            return stack, Status.NOTHING_BUT_NOISE
        return stack, _status(stack.fits)

    def _candidates(self, samples: Samples, shared: Evidence) -> list[Candidate]:
        """The loose prior, the tight one, and one without interactions of single features."""
        num_features = samples.num_features
        rows = evenly_spread(len(samples), self.fit_samples)
        product = ProductKernel(num_features, keep=samples.keep)
        # One window of three alone is a product kernel.
        local = [LocalKernel(num_features)] if samples.ordered and num_features > 3 else []
        level = [each for each in [LevelKernel(num_features)] if each.sizes]
        tight = replace(
            shared,
            kernels=(product, *local, *level),
            prior_variance=self.tight.relevance_variance,
        )
        loose = replace(shared, kernels=(product, *level))
        additive = replace(shared, kernels=(AdditiveKernel(num_features), *level))
        return [
            Candidate(loose, rows, self.loose.floor(samples), self.max_steps),
            Candidate(tight, rows, self.tight.floor(samples), self.max_steps),
            # Without a floor: an additive function leaves nothing that cannot be expressed.
            Candidate(additive, rows, _EXACT, self.max_steps),
        ]


def _status(fits: Sequence[Maximum]) -> Status:
    return Status.CONVERGED if all(fit.converged for fit in fits) else Status.STEPS_RAN_OUT


def _unseen_share(samples: Samples) -> float:
    """The share of the cube's 2^n masks that the samples lack."""
    distinct = len(np.unique(samples.masks, axis=0))
    return 1.0 - distinct / 2.0 ** min(samples.num_features, 60)


def _is_known(samples: Samples) -> bool:
    """Whether each mask of the cube has its value, and one value: then so has the transform.

    Noise and an interaction of all features are then the same thing, which no likelihood can tell
    apart, and the values are taken at their word.
    """
    _, first, place = np.unique(samples.masks, axis=0, return_index=True, return_inverse=True)
    repeatable = np.array_equal(samples.values[first][place.ravel()], samples.values)
    return _unseen_share(samples) == 0 and repeatable
